//! The labels of a target in a group.
//!
//! Groups of one source mostly have the same names, and so do their targets. Where each label comes
//! from is then the same too, and is remembered: only values are copied, and no name is compared.

use std::cell::RefCell;
use std::cmp::Ordering;
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
    picks: Box<[Pick]>,
}

/// A label's place in the set that it comes from.
#[derive(Clone, Copy)]
enum Pick {
    Group(u32),
    Target(u32),
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
    let (mut picks, mut is_plain) = (Vec::new(), true);
    while of_group < group.len() || of_target < target.len() {
        let order = if of_target == target.len() {
            Ordering::Less
        } else if of_group == group.len() {
            Ordering::Greater
        } else {
            group.name(of_group).cmp(target.name(of_target))
        };
        let (set, at) = if order == Ordering::Less {
            picks.push(Pick::Group(of_group as u32));
            (group, of_group)
        } else {
            picks.push(Pick::Target(of_target as u32));
            (target, of_target)
        };
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
            picks: picks.into(),
        });
    }
    merged
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
        for pick in &self.picks {
            let value = match *pick {
                Pick::Group(at) => group.value(at as usize),
                Pick::Target(at) => target.value(at as usize),
            };
            if value.is_empty() {
                packer.give_up();
                return None;
            }
            packer.push_value(value);
        }
        Some(packer.finish_as(&self.names))
    }
}
