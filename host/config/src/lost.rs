//! Labels that rules take away and a scraper puts in again.
//!
//! A scraper that reads final targets fills in the job's name, the scheme and the path where a target
//! has none, as it does for every source of targets. In Prometheus a rule that removes one of these
//! has the last word; in a list of targets there is no way to say "none".

use std::slice;

use periplus_core::LabelBuilder;
use periplus_core::relabel::{Action, Relabeler, Rule};

/// The labels that a scraper fills in where they are missing.
const FILLED_IN: [&str; 3] = ["job", "__scheme__", "__metrics_path__"];

/// A label that targets can be without after the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LostLabel {
    /// `job`, `__scheme__` or `__metrics_path__`.
    pub(crate) name: &'static str,
    /// Index of the rule that removes it.
    pub(crate) rule: usize,
    /// Whether it is gone from every target, or from some.
    pub(crate) always: bool,
}

/// What a rule does to one label.
enum Effect {
    Nothing,
    Removes {
        always: bool,
    },
    /// It has a value afterwards, whatever was before.
    Sets,
}

/// The labels that are lost at the end of the rules. Found by the form of each rule and by what it
/// does to a target without source labels; a rule that removes a label by luck of its values alone
/// is not found.
pub(crate) fn lost_labels(rules: &[Rule]) -> Vec<LostLabel> {
    let lost = FILLED_IN.iter().filter_map(|name| {
        let mut lost = None;
        for (index, rule) in rules.iter().enumerate() {
            match effect(rule, name) {
                Effect::Nothing => {}
                Effect::Sets => lost = None,
                Effect::Removes { always } => {
                    let before = lost.is_some_and(|it: LostLabel| it.always);
                    lost = Some(LostLabel {
                        name,
                        rule: index,
                        always: always || before,
                    });
                }
            }
        }
        lost
    });
    lost.collect()
}

fn effect(rule: &Rule, name: &str) -> Effect {
    let raw = rule.raw();
    let is_target = raw.target_label.as_deref() == Some(name);
    match rule.action() {
        Action::LabelDrop | Action::LabelKeep if removes_by_itself(rule, name) => {
            Effect::Removes { always: true }
        }
        Action::HashMod if is_target => Effect::Sets,
        Action::Replace if is_target => {
            let replacement = raw.replacement.as_deref().unwrap_or("$1");
            let matches_all = match &raw.regex {
                None => true,
                Some(pattern) => matches!(pattern.as_deref(), Some("(.*)" | ".*")),
            };
            if replacement.is_empty() {
                Effect::Removes {
                    always: matches_all,
                }
            } else if !replacement.contains('$') {
                if matches_all {
                    Effect::Sets
                } else {
                    Effect::Nothing
                }
            } else {
                removal_without_sources(rule, name)
            }
        }
        Action::Lowercase | Action::Uppercase if is_target => removal_without_sources(rule, name),
        _ => Effect::Nothing,
    }
}

fn removal_without_sources(rule: &Rule, name: &str) -> Effect {
    // A label that is its own source is there.
    let sources = rule.raw().source_labels.as_deref().unwrap_or_default();
    if !sources.iter().any(|source| source == name) && removes_by_itself(rule, name) {
        Effect::Removes { always: false }
    } else {
        Effect::Nothing
    }
}

/// Whether the rule removes the label from a target that has nothing but that label and an address.
fn removes_by_itself(rule: &Rule, name: &str) -> bool {
    let mut labels = LabelBuilder::default();
    labels.set("__address__", "host:1");
    labels.set(name, "value");
    Relabeler::new(slice::from_ref(rule)).process(&mut labels)
        && labels.get(name).unwrap_or_default().is_empty()
}

#[cfg(test)]
mod tests {
    use periplus_core::name::NameScheme;
    use periplus_core::relabel::RawRule;
    use serde_json::{Value, json};

    use super::*;

    fn lost(rules: Value) -> Vec<(&'static str, usize, bool)> {
        let rules: Vec<RawRule> = serde_json::from_value(rules).unwrap();
        let rules: Vec<Rule> = rules
            .iter()
            .map(|raw| Rule::new(raw, NameScheme::Utf8).unwrap())
            .collect();
        let lost = lost_labels(&rules).into_iter();
        lost.map(|it| (it.name, it.rule, it.always)).collect()
    }

    #[test]
    fn what_rules_remove_is_found() {
        for (rules, expected) in [
            (json!([]), vec![]),
            (
                json!([{"action": "labeldrop", "regex": "job"}]),
                vec![("job", 0, true)],
            ),
            (
                json!([{"action": "labelkeep", "regex": "__address__|instance"}]),
                vec![
                    ("job", 0, true),
                    ("__scheme__", 0, true),
                    ("__metrics_path__", 0, true),
                ],
            ),
            (
                json!([{"action": "labeldrop", "regex": "__meta_.*"}]),
                vec![],
            ),
            (
                json!([{"target_label": "job", "replacement": ""}]),
                vec![("job", 0, true)],
            ),
            (
                json!([{"target_label": "job", "source_labels": ["a"], "regex": "x", "replacement": ""}]),
                vec![("job", 0, false)],
            ),
            (
                json!([{"target_label": "job", "source_labels": ["app"]}]),
                vec![("job", 0, false)],
            ),
            (
                json!([{"target_label": "job", "source_labels": ["app"], "regex": "(.+)"}]),
                vec![],
            ),
            (
                json!([{"target_label": "job", "source_labels": ["job"]}]),
                vec![],
            ),
            (
                json!([{"target_label": "job", "source_labels": ["__address__"]}]),
                vec![],
            ),
            (json!([{"target_label": "job", "replacement": "x"}]), vec![]),
            (
                json!([{"action": "lowercase", "target_label": "__scheme__", "source_labels": ["s"]}]),
                vec![("__scheme__", 0, false)],
            ),
            (
                // Removed, and set again for all.
                json!([{"action": "labeldrop", "regex": "job"}, {"target_label": "job", "replacement": "x"}]),
                vec![],
            ),
            (
                // Removed, and set again for those that have an app.
                json!([
                    {"action": "labeldrop", "regex": "job"},
                    {"target_label": "job", "source_labels": ["app"], "regex": "(.+)"}
                ]),
                vec![("job", 0, true)],
            ),
        ] {
            assert_eq!(lost(rules.clone()), expected, "{rules}");
        }
    }
}
