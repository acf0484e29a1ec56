//! The harness proves itself: against a Periplus that does mischief, it must fail, and for the right reason.

use std::time::Duration;

use crate::proxy::Mischief;
use crate::runner::{Setup, run};
use crate::script::Script;

/// One kind of Periplus.
struct Case {
    /// What it does.
    name: &'static str,
    mischief: Mischief,
    script: &'static str,
    /// What the failure must speak of; none: the run must pass.
    expected: Option<&'static str>,
}

const PODS: &str = include_str!("selftest/pods.yaml");
const SLICES: &str = include_str!("selftest/slices.yaml");

const fn case(
    name: &'static str,
    mischief: Mischief,
    script: &'static str,
    expected: &'static str,
) -> Case {
    Case {
        name,
        mischief,
        script,
        expected: Some(expected),
    }
}

const fn honest(name: &'static str, script: &'static str) -> Case {
    Case {
        name,
        mischief: Mischief::None,
        script,
        expected: None,
    }
}

const CASES: [Case; 12] = [
    honest("is honest", PODS),
    case(
        "drops a discovered label",
        Mischief::DropLabel("__meta_kubernetes_pod_phase"),
        PODS,
        "discovered label __meta_kubernetes_pod_phase: \"Running\" on direct, absent on discovered",
    ),
    case(
        "drops a final label",
        Mischief::DropLabel("team"),
        PODS,
        "final label team: \"a\" on direct, absent on final",
    ),
    case(
        "freezes",
        Mischief::Freeze,
        PODS,
        "does not show the marker",
    ),
    case(
        "delays",
        Mischief::Delay(Duration::from_mins(1)),
        PODS,
        "does not show the marker",
    ),
    case(
        "leaves a gap",
        Mischief::Gap,
        PODS,
        "its object was there throughout",
    ),
    honest("is honest about slices", SLICES),
    case(
        "attaches a wrong label",
        Mischief::WrongLabel("__meta_kubernetes_node_label_zone", "wrong"),
        SLICES,
        "discovered label __meta_kubernetes_node_label_zone: \"z1\" on direct, \"wrong\" on discovered",
    ),
    // The next three hide behind what Prometheus overlooks itself.
    case(
        "invents a label of a Pod that has changed",
        Mischief::WrongLabel("__meta_kubernetes_pod_label_stage", "wrong"),
        SLICES,
        "discovered label __meta_kubernetes_pod_label_stage: absent on direct, \"wrong\" on discovered",
    ),
    case(
        "overlooks a Pod as Prometheus does",
        Mischief::KeepLabel("__meta_kubernetes_pod_label_app"),
        SLICES,
        "__meta_kubernetes_pod_label_app: \"web\", and the object says \"web2\"",
    ),
    case(
        "loses a port that its slice does not name",
        Mischief::Lose("__meta_kubernetes_pod_container_port_number", "9090"),
        SLICES,
        "on direct, not on discovered",
    ),
    case(
        "ignores a change of a node",
        Mischief::KeepLabel("__meta_kubernetes_node_label_zone"),
        SLICES,
        "discovered label __meta_kubernetes_node_label_zone: \"z2\" on direct, \"z1\" on discovered",
    ),
];

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

async fn one(setup: &Setup, index: usize, case: &Case) -> anyhow::Result<Option<String>> {
    let name = case.name;
    let script = Script::parse(&format!("selftest-{index}"), case.script)?;
    let setup = Setup {
        mischief: case.mischief,
        ..setup.clone()
    };
    let outcome = run(script, &setup).await;
    let verdict = match (outcome, case.expected) {
        (Ok(_), None) => None,
        (Ok(_), Some(_)) => Some(format!("a Periplus that {name} was not noticed")),
        (Err(error), None) => Some(format!(
            "a Periplus that {name} was found guilty: {error:#}"
        )),
        (Err(error), Some(reason)) => {
            let text = format!("{error:#}");
            let right = text.contains(reason);
            (!right).then(|| format!("a Periplus that {name} failed for another reason: {text}"))
        }
    };
    crate::say(&match &verdict {
        None => format!("ok      selftest: a Periplus that {name}"),
        Some(_) => format!("FAILED  selftest: a Periplus that {name}"),
    });
    Ok(verdict)
}
