//! The suites: one per file of cases. A further one is a module here and a line in [`SUITES`].

mod config;
mod kube_names;
mod populate;
mod regex;
mod relabel;

use std::fmt::Display;

use periplus_core::LabelSet;
use periplus_core::name::NameScheme;
use periplus_core::relabel::{RawRule, Relabeler, Rule};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The cases of one file.
#[derive(Debug)]
pub struct Suite {
    /// The file's name in the folder of cases, without the ending of a compressed one.
    pub file: &'static str,
    pub(crate) form: Form,
    pub(crate) check: fn(&Value) -> Outcome,
}

/// How a file holds its cases.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// One JSON object a line.
    Lines,
    /// One JSON object with a list `files`, about other files beside it. A case is told its `folder`.
    Manifest,
}

/// All suites, in the order in which they run.
pub const SUITES: [Suite; 7] = [
    Suite {
        file: "relabel.jsonl",
        form: Form::Lines,
        check: relabel::check,
    },
    Suite {
        file: "relabel-order.jsonl",
        form: Form::Lines,
        check: relabel::check_order,
    },
    Suite {
        file: "regex.jsonl",
        form: Form::Lines,
        check: regex::check,
    },
    Suite {
        file: "populate.jsonl",
        form: Form::Lines,
        check: populate::check,
    },
    Suite {
        file: "kube-names.jsonl",
        form: Form::Lines,
        check: kube_names::check,
    },
    Suite {
        file: "config.jsonl",
        form: Form::Lines,
        check: config::check,
    },
    Suite {
        file: "config-testdata/manifest.json",
        form: Form::Manifest,
        check: config::check_file,
    },
];

/// What was recorded and what came out, where they differ.
#[derive(Debug)]
pub(crate) struct Mismatch(pub(crate) String);

pub(crate) type Outcome = Result<(), Mismatch>;

/// What a case calls itself: its name, or what it begins with.
pub(crate) fn name_of(case: &Value) -> String {
    ["name", "pattern", "input", "file"]
        .iter()
        .find_map(|key| case.get(key)?.as_str())
        .map_or_else(
            || "?".to_owned(),
            |name| format!("{name:?}").trim_matches('"').to_owned(),
        )
}

/// Compares one result with the recorded one.
fn expect<T: PartialEq + std::fmt::Debug + ?Sized>(
    what: impl Display,
    expected: &T,
    got: &T,
) -> Outcome {
    if expected == got {
        return Ok(());
    }
    Err(Mismatch(format!(
        "expected {what} {expected:?}, got {got:?}"
    )))
}

/// A part of a case; a case that has another form than this program knows is a mismatch.
fn read<T: DeserializeOwned>(case: &Value, key: &str) -> Result<T, Mismatch> {
    let part = case.get(key).cloned().unwrap_or(Value::Null);
    serde_json::from_value(part).map_err(|error| Mismatch(format!("unreadable `{key}`: {error}")))
}

/// The rules of a case, ready to run.
fn relabeler(rules: &[RawRule], scheme: NameScheme) -> Result<Relabeler, Mismatch> {
    let rules: Result<Vec<Rule>, _> = rules.iter().map(|raw| Rule::new(raw, scheme)).collect();
    let rules = rules.map_err(|error| Mismatch(format!("expected valid rules, got {error}")))?;
    Ok(Relabeler::new(&rules))
}

fn scheme_of(name: Option<&str>) -> NameScheme {
    if name == Some("legacy") {
        NameScheme::Legacy
    } else {
        NameScheme::Utf8
    }
}

/// Labels without those that have no value: for Prometheus these are not there.
fn present(labels: &LabelSet) -> LabelSet {
    labels
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
}
