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
    /// Targets that the final stage shows.
    standing: usize,
    /// Groups whose copies may have changed since the last [`Results::settle`].
    touched: BTreeSet<GroupKey>,
}

// === impl Results ===

impl Results {
    /// Puts in a group's result, or takes it away. Targets that a result shares with the one before
    /// are not looked at again.
    pub(crate) fn set(&mut self, key: GroupKey, result: Option<GroupResult>) {
        let old = match result {
            Some(mut new) => {
                let slot = self.groups.get(&key).map(|old| old.slot);
                new.slot = slot.unwrap_or_else(|| self.index.reserve(&key));
                self.targets += new.discovered().len();
                self.standing += new.standing();
                self.sums.add(&key, &new);
                self.groups.insert(key.clone(), Arc::new(new))
            }
            None => self.groups.remove(&key),
        };
        let new = self.groups.get(&key).map(|new| &**new);
        if let Some(old) = &old {
            self.targets -= old.discovered().len();
            self.standing -= old.standing();
            self.sums.remove(&key, old);
            self.index.remove(&key, old, new, &mut self.touched);
            match new {
                None => self.index.release(old.slot),
                // What was a copy may be one still.
                Some(_) if old.has_copies(&[]) => {}
                Some(_) => _ = self.touched.insert(key.clone()),
            }
        }
        self.index
            .add(&key, &self.groups, old.as_deref(), &mut self.touched);
    }

    /// Marks copies anew where they may have changed; once per pass, before it is published.
    pub(crate) fn settle(&mut self) {
        for key in std::mem::take(&mut self.touched) {
            let Some(old) = self.groups.get(&key) else {
                continue;
            };
            let copies = self.index.copies(old);
            if old.has_copies(&copies) {
                continue;
            }
            let new = old.with_copies(copies);
            self.sums.remove(&key, old);
            self.sums.add(&key, &new);
            self.standing = self.standing - old.standing() + new.standing();
            self.groups.insert(key, Arc::new(new));
        }
    }

    pub(crate) fn groups(&self) -> &OrdMap<GroupKey, Arc<GroupResult>> {
        &self.groups
    }

    pub(crate) fn sums(&self) -> &Sums {
        &self.sums
    }

    /// Targets after it, copies left out.
    pub(crate) fn standing(&self) -> usize {
        self.standing
    }

    /// Targets before the pipeline.
    pub(crate) fn targets(&self) -> usize {
        self.targets
    }
}
