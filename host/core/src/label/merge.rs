//! The labels of a target in a group.
//!
//! Groups of one source mostly have the same names, and so do their targets. Where each label comes
//! from is then the same too, and is remembered: only values are copied, and no name is compared.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use super::LabelSet;
use super::names::Names;
use super::packed::Packer;

/// Plans that a thread remembers.
const PLANS: usize = 8;

thread_local! {
    /// The plan that was used last is the first.
    static RECENT: RefCell<Vec<Plan>> = const { RefCell::new(Vec::new()) };
}

/// Where the labels of a merged set come from, as long as none of the values is empty.
struct Plan {
    group: Arc<Names>,
    target: Arc<Names>,
    names: Arc<Names>,
    runs: Vec<Run>,
}

/// Labels that stand side by side in the merged set and in the one that they come from.
#[derive(Clone)]
struct Run {
    is_own: bool,
    places: Range<usize>,
}

/// The labels of a target: its own, then those of its group that it does not name itself; empty
/// values left out.
pub(super) fn merge(group: &LabelSet, target: &LabelSet) -> LabelSet {
    let is_it = |plan: &Plan| {
        Arc::ptr_eq(&plan.group, &group.names) && Arc::ptr_eq(&plan.target, &target.names)
    };
    let planned = RECENT.with_borrow_mut(|recent| {
        let at = recent.iter().position(is_it)?;
        recent[..=at].rotate_right(1);
        recent[0].merge(group, target)
    });
    planned.unwrap_or_else(|| compare(group, target))
}

/// Merges name by name, and remembers how if that can be done alike for other values.
fn compare(group: &LabelSet, target: &LabelSet) -> LabelSet {
    let mut packer = Packer::default();
    let (mut of_group, mut of_target) = (0, 0);
    let (mut runs, mut is_plain) = (Vec::new(), true);
    while of_group < group.len() || of_target < target.len() {
        let order = if of_target == target.len() {
            Ordering::Less
        } else if of_group == group.len() {
            Ordering::Greater
        } else {
            group.name(of_group).cmp(target.name(of_target))
        };
        let (is_own, set, at) = if order == Ordering::Less {
            (false, group, of_group)
        } else {
            (true, target, of_target)
        };
        add(&mut runs, is_own, at);
        of_group += usize::from(order != Ordering::Greater);
        of_target += usize::from(order != Ordering::Less);
        if set.value(at).is_empty() {
            is_plain = false;
        } else {
            packer.push(set.name(at), set.value(at));
        }
    }
    let merged = packer.finish();
    if is_plain {
        remember(Plan {
            group: Arc::clone(&group.names),
            target: Arc::clone(&target.names),
            names: Arc::clone(&merged.names),
            runs,
        });
    }
    merged
}

fn add(runs: &mut Vec<Run>, is_own: bool, at: usize) {
    match runs.last_mut() {
        Some(last) if last.is_own == is_own && last.places.end == at => last.places.end += 1,
        _ => runs.push(Run {
            is_own,
            places: at..at + 1,
        }),
    }
}

fn remember(plan: Plan) {
    RECENT.with_borrow_mut(|recent| {
        recent.truncate(PLANS - 1);
        recent.insert(0, plan);
    });
}

// === impl Plan ===

impl Plan {
    /// Nothing if a value is empty.
    fn merge(&self, group: &LabelSet, target: &LabelSet) -> Option<LabelSet> {
        let mut packer = Packer::default();
        for Run { is_own, places } in &self.runs {
            let set = if *is_own { target } else { group };
            if !packer.push_values(set, places.clone()) {
                packer.give_up();
                return None;
            }
        }
        Some(packer.finish_as(&self.names))
    }
}
