//! The harness proves itself: against a Periplus that does mischief, it must fail, and for the right reason.

use std::time::Duration;

use crate::proxy::Mischief;
use crate::runner::{Setup, run};
use crate::script::Script;

/// Each mischief, and what the failure must speak of; none: the run must pass.
const CASES: [(&str, Mischief, Option<&str>); 6] = [
    ("honest", Mischief::None, None),
    (
        "drops a discovered label",
        Mischief::DropLabel("__meta_kubernetes_pod_phase"),
        Some(
            "discovered label __meta_kubernetes_pod_phase: \"Running\" on direct, absent on discovered",
        ),
    ),
    (
        "drops a final label",
        Mischief::DropLabel("team"),
        Some("final label team: \"a\" on direct, absent on final"),
    ),
    (
        "freezes",
        Mischief::Freeze,
        Some("does not show the marker"),
    ),
    (
        "delays",
        Mischief::Delay(Duration::from_mins(1)),
        Some("does not show the marker"),
    ),
    (
        "leaves a gap",
        Mischief::Gap,
        Some("its object was there throughout"),
    ),
];

const SCRIPT: &str = include_str!("selftest.yaml");

/// Runs all cases, a few at a time; the names of those that did not come out as they must, with the reason.
pub async fn run_all(setup: &Setup, parallel: usize) -> anyhow::Result<Vec<String>> {
    use futures::stream::StreamExt;
    let cases = futures::stream::iter(CASES.iter().enumerate());
    let outcomes = cases
        .map(|(index, case)| one(setup, index, case))
        .buffer_unordered(parallel);
    let outcomes: Vec<anyhow::Result<Option<String>>> = outcomes.collect().await;
    let failed: anyhow::Result<Vec<Option<String>>> = outcomes.into_iter().collect();
    Ok(failed?.into_iter().flatten().collect())
}

async fn one(
    setup: &Setup,
    index: usize,
    (name, mischief, expected): &(&str, Mischief, Option<&str>),
) -> anyhow::Result<Option<String>> {
    let script = Script::parse(&format!("selftest-{index}"), SCRIPT)?;
    let setup = Setup {
        mischief: *mischief,
        ..setup.clone()
    };
    let outcome = run(script, &setup).await;
    let verdict = match (outcome, expected) {
        (Ok(_), None) => None,
        (Ok(_), Some(_)) => Some(format!("a Periplus that {name} was not noticed")),
        (Err(error), None) => Some(format!("an honest Periplus was found guilty: {error:#}")),
        (Err(error), Some(reason)) => {
            let text = format!("{error:#}");
            let right = text.contains(reason);
            (!right).then(|| format!("a Periplus that {name} failed for another reason: {text}"))
        }
    };
    crate::say(&match &verdict {
        None => format!("ok      selftest: {name}"),
        Some(_) => format!("FAILED  selftest: {name}"),
    });
    Ok(verdict)
}
