//! `relabel.jsonl` and `relabel-order.jsonl`: rules over one target.

use periplus_core::relabel::RawRule;
use periplus_core::{LabelBuilder, LabelSet};
use serde::Deserialize;
use serde_json::Value;

use super::{Mismatch, Outcome, expect, present, read, relabeler, scheme_of};

#[derive(Deserialize)]
struct Recorded {
    keep: bool,
    output: Option<LabelSet>,
}

pub(super) fn check(case: &Value) -> Outcome {
    let (keep, output) = process(case)?;
    expect("keep", &read::<bool>(case, "keep")?, &keep)?;
    expect(
        "labels",
        &read::<Option<LabelSet>>(case, "output")?,
        &output,
    )
}

pub(super) fn check_order(case: &Value) -> Outcome {
    let outcomes: Vec<Recorded> = read(case, "outcomes")?;
    let at: usize = read(case, "sorted")?;
    let recorded = outcomes
        .get(at)
        .ok_or_else(|| Mismatch("no sorted outcome".to_owned()))?;
    let (keep, output) = process(case)?;
    expect("keep", &recorded.keep, &keep)?;
    expect("labels", &recorded.output, &output)
}

fn process(case: &Value) -> Result<(bool, Option<LabelSet>), Mismatch> {
    let scheme = scheme_of(case.get("validation").and_then(Value::as_str));
    let rules: Vec<RawRule> = read(case, "rules")?;
    let mut labels = LabelBuilder::from_set(&present(&read(case, "input")?));
    let keep = relabeler(&rules, scheme)?.process(&mut labels);
    Ok((keep, keep.then(|| labels.build())))
}
