//! `kube-names.jsonl`: foreign names as parts of label names.

use periplus_core::name::sanitize_label_name;
use serde_json::Value;

use super::{Outcome, expect, read};

pub(super) fn check(case: &Value) -> Outcome {
    let input: String = read(case, "input")?;
    expect(
        "name",
        &read::<String>(case, "output")?,
        &sanitize_label_name(&input),
    )
}
