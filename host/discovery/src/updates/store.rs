//! What is known of one provider: its groups by source, and what a drain changes in them.

use std::sync::Arc;

use imbl::OrdMap;
use periplus_core::{ContentHash, TargetGroup};
use tokio::time::Instant;

use super::mailbox::Drained;

/// A group with the hash of its content.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) group: Arc<TargetGroup>,
    pub(crate) hash: ContentHash,
}

/// One group that did change; without an entry, it is gone.
#[derive(Clone, Debug)]
pub(crate) struct Delta {
    pub(crate) source: Arc<str>,
    pub(crate) entry: Option<Entry>,
    /// When the event behind it arrived.
    pub(crate) observed: Instant,
}

/// The groups of one provider. Cloning the map is cheap: a new reader gets all of it at once.
#[derive(Debug, Default)]
pub(crate) struct GroupStore {
    groups: OrdMap<Arc<str>, Entry>,
    targets: usize,
    suppressed: u64,
}

// === impl Entry ===

impl Entry {
    pub(crate) fn new(group: Arc<TargetGroup>) -> Self {
        let hash = group.content_hash();
        Self { group, hash }
    }
}

// === impl GroupStore ===

impl GroupStore {
    /// Takes over what was drained and returns what did change.
    pub(crate) fn absorb(&mut self, drained: Drained) -> Vec<Delta> {
        let Drained {
            changes, lapsed, ..
        } = drained;
        let mut deltas = Vec::new();
        if let Some(lapsed) = lapsed {
            let gone = self.groups.keys();
            let gone = gone.filter(|s| !changes.contains_key(*s) && !lapsed.contains(*s));
            let gone: Vec<Arc<str>> = gone.cloned().collect();
            for source in gone {
                self.set(source, None, Instant::now(), &mut deltas);
            }
        }
        for (source, (entry, observed)) in changes {
            let entry = (!entry.group.targets.is_empty()).then_some(entry);
            self.set(source, entry, observed, &mut deltas);
        }
        deltas
    }

    pub(crate) fn groups(&self) -> &OrdMap<Arc<str>, Entry> {
        &self.groups
    }

    pub(crate) fn targets(&self) -> usize {
        self.targets
    }

    /// Groups that came again without a change since the last call.
    pub(crate) fn take_suppressed(&mut self) -> u64 {
        std::mem::take(&mut self.suppressed)
    }

    fn set(
        &mut self,
        source: Arc<str>,
        entry: Option<Entry>,
        observed: Instant,
        deltas: &mut Vec<Delta>,
    ) {
        let old = self.groups.get(&source);
        if old.map(|old| old.hash) == entry.as_ref().map(|new| new.hash) {
            self.suppressed += 1;
            return;
        }
        self.targets -= old.map_or(0, |old| old.group.targets.len());
        self.targets += entry.as_ref().map_or(0, |new| new.group.targets.len());
        match &entry {
            Some(entry) => self.groups.insert(Arc::clone(&source), entry.clone()),
            None => self.groups.remove(&source),
        };
        deltas.push(Delta {
            source,
            entry,
            observed,
        });
    }
}
