//! Which watches serve a set of needs: pure, so that it can be told from a table.
//!
//! A wide watch serves every need that can be evaluated on what it keeps. Narrow ones are cheap as
//! long as they are few: beyond that, one watch of everything costs the API server less than each
//! of them.

use std::collections::{BTreeMap, HashSet};

use super::need::Need;

/// How many different selections of one kind and namespace have watches of their own.
const NARROW_WATCHES: usize = 3;

/// For each need the watch that is to serve it. A need's own watch may always serve it; others
/// only if they were not refused.
pub(super) fn plan(needs: &[&Need], refused: &HashSet<Need>) -> Vec<Need> {
    let mut wide = wide_watches(needs, refused);
    wide.extend(widened(needs, &wide, refused));
    needs.iter().map(|need| serving(&wide, need)).collect()
}

/// The needs without selectors that no other one serves, the widest first.
fn wide_watches(needs: &[&Need], refused: &HashSet<Need>) -> Vec<Need> {
    let whole = needs.iter().copied();
    let mut whole: Vec<&Need> = whole
        .filter(|need| need.is_whole() && !refused.contains(*need))
        .collect();
    whole.sort_by_key(|need| (need.namespace.clone(), need.drop.patterns().len()));
    let mut wide: Vec<Need> = Vec::new();
    for need in whole {
        if !wide.iter().any(|it| it.serves(need)) {
            wide.push(need.clone());
        }
    }
    wide
}

/// Watches that nobody asked for: where too many selections would have watches of their own.
fn widened(needs: &[&Need], wide: &[Need], refused: &HashSet<Need>) -> Vec<Need> {
    let mut selections: BTreeMap<String, (Need, HashSet<&Need>)> = BTreeMap::new();
    let unserved = needs.iter().copied();
    for need in unserved.filter(|need| !wide.iter().any(|it| it.serves(need))) {
        let widened = need.widened();
        if widened.serves(need) && !refused.contains(&widened) {
            // Needs have no order; their texts do.
            let place = format!("{widened:?}");
            let (_, found) = selections
                .entry(place)
                .or_insert_with(|| (widened, HashSet::new()));
            found.insert(need);
        }
    }
    let many = selections.into_values();
    many.filter(|(_, found)| found.len() > NARROW_WATCHES)
        .map(|(widened, _)| widened)
        .collect()
}

fn serving(wide: &[Need], need: &Need) -> Need {
    let serving = wide.iter().find(|watch| watch.serves(need));
    serving.unwrap_or(need).clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::any::WatchedKind;

    /// `namespace/labels`
    fn need(text: &str) -> Need {
        let (namespace, labels) = text.split_once('/').unwrap();
        let some = |text: &str| (!text.is_empty()).then(|| text.into());
        Need {
            namespace: some(namespace),
            labels: some(labels),
            ..Need::all(WatchedKind::Pod)
        }
    }

    fn shown(need: &Need) -> String {
        let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().unwrap_or("").to_owned();
        format!("{}/{}", text(&need.namespace), text(&need.labels))
    }

    #[test]
    fn needs_are_served_by_the_widest_watch_that_there_is_reason_for() {
        for (needs, refused, expected) in [
            // Equal needs share, and so do needs within a wider one.
            (vec!["/", "/"], vec![], vec!["/", "/"]),
            (vec!["/a=1", "/", "x/", "x/b=2"], vec![], vec!["/"; 4]),
            (
                vec!["x/", "x/a=1", "y/a=1"],
                vec![],
                vec!["x/", "x/", "y/a=1"],
            ),
            // Few selections have watches of their own; many are served by one.
            (
                vec!["/a=1", "/a=2", "/a=3", "/a=3"],
                vec![],
                vec!["/a=1", "/a=2", "/a=3", "/a=3"],
            ),
            (vec!["/a=1", "/a=2", "/a=3", "/a=4"], vec![], vec!["/"; 4]),
            (
                vec!["x/a=1", "x/a=2", "x/a=3", "x/a=4", "y/a=1"],
                vec![],
                vec!["x/", "x/", "x/", "x/", "y/a=1"],
            ),
            // What the server refuses is left to those who asked for it.
            (vec!["/", "x/"], vec!["/"], vec!["/", "x/"]),
            (
                vec!["/a=1", "/a=2", "/a=3", "/a=4"],
                vec!["/"],
                vec!["/a=1", "/a=2", "/a=3", "/a=4"],
            ),
        ] {
            let needs: Vec<Need> = needs.into_iter().map(need).collect();
            let refused = refused.into_iter().map(need).collect();
            let found = plan(&needs.iter().collect::<Vec<_>>(), &refused);
            let found: Vec<String> = found.iter().map(shown).collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn what_records_do_not_hold_has_a_watch_of_its_own() {
        let mut odd = need("/");
        odd.fields = Some("spec.schedulerName=x".into());
        let all = need("/");
        let found = plan(&[&all, &odd], &HashSet::new());
        assert_eq!(found, [all, odd]);
    }
}
