//! What a generation has made of its groups so far.

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::OrdMap;

use super::collapse::Index;
use crate::group::{GroupKey, GroupResult};
use crate::snapshot::Sums;

/// Results by group, with the copies among their targets marked and the hash of it all at hand.
#[derive(Debug, Default)]
pub(crate) struct Results {
    groups: OrdMap<GroupKey, Arc<GroupResult>>,
    sums: Sums,
    index: Index,
    targets: usize,
    /// Groups whose copies may have changed since the last [`Results::settle`].
    touched: BTreeSet<GroupKey>,
}

// === impl Results ===

impl Results {
    /// Puts in a group's result, or takes it away.
    pub(crate) fn set(&mut self, key: GroupKey, result: Option<GroupResult>) {
        if let Some(old) = self.groups.remove(&key) {
            self.targets -= old.group.targets.len();
            self.sums.remove(&key, &old);
            self.index.remove(&key, &old, &mut self.touched);
        }
        if let Some(new) = result {
            self.targets += new.group.targets.len();
            self.sums.add(&key, &new);
            self.index.add(&key, &new, &mut self.touched);
            self.groups.insert(key, Arc::new(new));
        }
    }

    /// Marks copies anew where they may have changed; once per pass, before it is published.
    pub(crate) fn settle(&mut self) {
        for key in std::mem::take(&mut self.touched) {
            let Some(old) = self.groups.get(&key) else {
                continue;
            };
            let copies = self.index.copies(&key, old);
            if old.has_copies(&copies) {
                continue;
            }
            let new = old.with_copies(copies);
            self.sums.remove(&key, old);
            self.sums.add(&key, &new);
            self.groups.insert(key, Arc::new(new));
        }
    }

    pub(crate) fn groups(&self) -> &OrdMap<GroupKey, Arc<GroupResult>> {
        &self.groups
    }

    pub(crate) fn sums(&self) -> &Sums {
        &self.sums
    }

    /// Targets before the pipeline.
    pub(crate) fn targets(&self) -> usize {
        self.targets
    }
}
