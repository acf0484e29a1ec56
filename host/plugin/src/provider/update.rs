//! The rules of an update. One that is broken refuses the whole update, and the text names the
//! group.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use periplus_core::{LabelSet, TargetGroup};

use crate::bindings::provider::exports::periplus::discovery::provider::Update;
use crate::bindings::provider::periplus::discovery::types::TargetGroup as GuestGroup;
use crate::limits::{Limits, MAX_LABELS};
use crate::manifest::Writes;

/// An update that breaks no rule.
#[derive(Debug)]
pub(super) struct CheckedUpdate {
    pub(super) groups: Vec<Arc<TargetGroup>>,
    pub(super) complete: bool,
    /// Source and message.
    pub(super) lapses: Vec<(Arc<str>, String)>,
    pub(super) next_after: Option<Duration>,
}

/// Checks an update and makes groups of it.
pub(super) fn check(
    update: Update,
    limits: &Limits,
    writes: &Writes,
) -> Result<CheckedUpdate, String> {
    if update.groups.len() > limits.groups {
        return Err(format!(
            "{} groups pass the limit of {}",
            update.groups.len(),
            limits.groups
        ));
    }
    let mut sources = HashSet::with_capacity(update.groups.len() + update.lapses.len());
    let mut targets = 0usize;
    let mut groups = Vec::with_capacity(update.groups.len());
    for group in update.groups {
        targets = targets.saturating_add(group.targets.len());
        if targets > limits.targets {
            return Err(format!(
                "with group `{}` the targets pass the limit of {}",
                shown(&group.source),
                limits.targets
            ));
        }
        let source: Arc<str> = group.source.as_str().into();
        if !sources.insert(Arc::clone(&source)) {
            return Err(format!("group `{}` is there twice", shown(&group.source)));
        }
        groups.push(Arc::new(checked_group(group, source, writes)?));
    }
    let mut lapses = Vec::with_capacity(update.lapses.len());
    for lapse in update.lapses {
        let source: Arc<str> = lapse.source.as_str().into();
        if !sources.insert(Arc::clone(&source)) {
            let name = shown(&lapse.source);
            return Err(format!("group `{name}` lapses, and is there besides"));
        }
        lapses.push((source, shown(&lapse.message)));
    }
    let next_after = update
        .next_after_ms
        .map(|ms| Duration::from_millis(ms.into()));
    Ok(CheckedUpdate {
        groups,
        complete: update.complete,
        lapses,
        next_after,
    })
}

fn checked_group(
    group: GuestGroup,
    source: Arc<str>,
    writes: &Writes,
) -> Result<TargetGroup, String> {
    let named =
        |what: String, broken: String| format!("group `{}`: {what}{broken}", shown(&group.source));
    let labels = checked_labels(&group.labels, writes).map_err(|e| named(String::new(), e))?;
    let targets = group
        .targets
        .iter()
        .enumerate()
        .map(|(at, target)| {
            checked_labels(target, writes).map_err(|e| named(format!("target {at}: "), e))
        })
        .collect::<Result<_, _>>()?;
    Ok(TargetGroup {
        source,
        labels,
        targets,
    })
}

fn checked_labels(labels: &[(String, String)], writes: &Writes) -> Result<LabelSet, String> {
    if labels.len() > MAX_LABELS {
        return Err(format!(
            "{} labels pass the limit of {MAX_LABELS}",
            labels.len()
        ));
    }
    if let Some((name, _)) = labels.iter().find(|(name, _)| !writes.allow(name)) {
        return Err(if name.is_empty() {
            "a label has no name".to_owned()
        } else {
            format!(
                "label `{}` is not among those that the manifest `writes`",
                shown(name)
            )
        });
    }
    let set: LabelSet = labels.iter().map(|(name, value)| (name, value)).collect();
    if set.get("").is_some() {
        return Err("a label has no name".to_owned());
    }
    if set.len() != labels.len() {
        let mut seen = HashSet::new();
        let twice = labels
            .iter()
            .map(|(name, _)| name)
            .find(|name| !seen.insert(*name));
        return Err(format!(
            "label `{}` is there twice",
            twice.map_or("", |name| name.as_str())
        ));
    }
    Ok(set)
}

/// Foreign text in a message: bounded, on one line.
fn shown(text: &str) -> String {
    let mut text: String = text
        .chars()
        .take(256)
        .flat_map(char::escape_debug)
        .collect();
    crate::store::truncate(&mut text, 256);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::provider::exports::periplus::discovery::provider::Lapse;
    use crate::names::NamePatterns;

    fn label(name: &str, value: &str) -> (String, String) {
        (name.into(), value.into())
    }

    fn group(source: &str, targets: Vec<Vec<(String, String)>>) -> GuestGroup {
        GuestGroup {
            source: source.into(),
            labels: vec![label("__meta_x_a", "1")],
            targets,
        }
    }

    fn update(groups: Vec<GuestGroup>) -> Update {
        Update {
            groups,
            complete: true,
            lapses: Vec::new(),
            next_after_ms: None,
        }
    }

    fn checked(update: Update) -> Result<CheckedUpdate, String> {
        let mut limits = Limits::provider(&periplus_config::PluginLimits::default());
        limits.groups = 3;
        limits.targets = 4;
        let writes = Writes::Named(NamePatterns::new(["__address__", "__meta_x_*"]));
        check(update, &limits, &writes)
    }

    #[test]
    fn a_good_update_becomes_groups() {
        let target = vec![label("__address__", "a:1"), label("__meta_x_a", "")];
        let update = checked(update(vec![group("s", vec![target])])).unwrap();
        assert_eq!(&*update.groups[0].source, "s");
        assert_eq!(update.groups[0].targets[0].get("__meta_x_a"), Some(""));
    }

    #[test]
    fn each_broken_rule_names_the_group() {
        let address = || vec![label("__address__", "a:1")];
        let cases = [
            (
                vec![group("s", vec![]), group("s", vec![])],
                "group `s` is there twice",
            ),
            (
                vec![group("s", vec![address(), vec![label("", "x")]])],
                "group `s`: target 1: a label has no name",
            ),
            (
                vec![group("s", vec![[address(), address()].concat()])],
                "group `s`: target 0: label `__address__` is there twice",
            ),
            (
                vec![group("s", vec![vec![label("__param_x", "x")]])],
                "group `s`: target 0: label `__param_x` is not among those that the manifest `writes`",
            ),
            (
                vec![
                    group("a", vec![address(); 3]),
                    group("b", vec![address(); 2]),
                ],
                "with group `b` the targets pass the limit of 4",
            ),
            (
                (0..4).map(|i| group(&i.to_string(), vec![])).collect(),
                "4 groups pass the limit of 3",
            ),
        ];
        for (groups, expected) in cases {
            assert_eq!(checked(update(groups)).unwrap_err(), expected);
        }
    }

    #[test]
    fn a_group_may_not_lapse_and_be_there() {
        let mut update = update(vec![group("s", vec![])]);
        update.lapses.push(Lapse {
            source: "s".into(),
            message: "x".into(),
        });
        assert!(checked(update).unwrap_err().contains("`s` lapses"));
    }
}
