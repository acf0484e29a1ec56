//! What is known of one provider: its groups by source, and what a drain changes in them.

use std::sync::Arc;

use imbl::OrdMap;
use periplus_core::TargetGroup;
use rustc_hash::FxHashSet;
use tokio::time::Instant;

use super::mailbox::Drained;
use crate::discovered::{Discovered, GroupOrigin};

/// Pending groups beyond this number wait without being kept: a burst of a whole cluster must not
/// need the memory of all its groups at once, only to save their second derivation.
pub(crate) const FRESH_AT_MOST: usize = 1024;

/// A group on its way from the provider into results.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) discovered: Discovered,
    /// The group itself, if it was made a moment ago and would have to be made again.
    fresh: Option<Arc<TargetGroup>>,
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
    groups: OrdMap<Arc<str>, Discovered>,
    targets: usize,
    suppressed: u64,
    /// Counts changes.
    revision: u64,
    /// Groups that come from disk, until the source is known as a whole.
    unconfirmed: FxHashSet<Arc<str>>,
    restored: u64,
}

// === impl Entry ===

impl Entry {
    pub(crate) fn new(group: Arc<TargetGroup>) -> (Arc<str>, Self) {
        let source = Arc::clone(&group.source);
        (source, Discovered::whole(group).into())
    }

    pub(crate) fn derived(
        group: Arc<TargetGroup>,
        origin: Arc<dyn GroupOrigin>,
    ) -> (Arc<str>, Self) {
        let source = Arc::clone(&group.source);
        let discovered = Discovered::derived(&group, origin);
        let fresh = Some(group);
        (source, Self { discovered, fresh })
    }

    /// The group itself.
    pub(crate) fn group(&self) -> Arc<TargetGroup> {
        let fresh = self.fresh.as_ref().map(Arc::clone);
        fresh.unwrap_or_else(|| self.discovered.group())
    }

    /// The same without the group, where it can be made again.
    pub(crate) fn without_group(self) -> Self {
        self.discovered.into()
    }
}

impl From<Discovered> for Entry {
    fn from(discovered: Discovered) -> Self {
        Self {
            discovered,
            fresh: None,
        }
    }
}

// === impl GroupStore ===

impl GroupStore {
    /// Takes over what was drained and returns what did change.
    pub(crate) fn absorb(&mut self, drained: Drained) -> Vec<Delta> {
        let Drained {
            changes,
            lapsed,
            restored,
            synced,
            ..
        } = drained;
        let mut deltas = Vec::new();
        for (source, entry) in restored {
            // What the source said already is newer.
            if !synced && !self.groups.contains_key(&source) && !changes.contains_key(&source) {
                self.unconfirmed.insert(Arc::clone(&source));
                self.restored += 1;
                self.set(source, Some(entry), Instant::now(), &mut deltas);
            }
        }
        if let Some(lapsed) = &lapsed {
            self.unconfirmed.retain(|source| !lapsed.contains(source));
        }
        if let Some(lapsed) = lapsed {
            let gone = self.groups.keys();
            let gone = gone.filter(|s| !changes.contains_key(*s) && !lapsed.contains(*s));
            let gone: Vec<Arc<str>> = gone.cloned().collect();
            for source in gone {
                self.set(source, None, Instant::now(), &mut deltas);
            }
        }
        for (source, (entry, observed)) in changes {
            self.unconfirmed.remove(&source);
            let entry = (!entry.discovered.is_empty()).then_some(entry);
            self.set(source, entry, observed, &mut deltas);
        }
        if synced {
            for source in std::mem::take(&mut self.unconfirmed) {
                self.set(source, None, Instant::now(), &mut deltas);
            }
        }
        deltas
    }

    pub(crate) fn groups(&self) -> &OrdMap<Arc<str>, Discovered> {
        &self.groups
    }

    pub(crate) fn targets(&self) -> usize {
        self.targets
    }

    /// A number that is another whenever the groups are.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Groups that were taken from disk since the last call.
    pub(crate) fn take_restored(&mut self) -> u64 {
        std::mem::take(&mut self.restored)
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
        let new = entry.as_ref().map(|entry| &entry.discovered);
        if old.map(Discovered::content_hash) == new.map(Discovered::content_hash) {
            self.suppressed += 1;
            return;
        }
        self.revision += 1;
        self.targets -= old.map_or(0, Discovered::len);
        self.targets += new.map_or(0, Discovered::len);
        match new {
            Some(new) => self.groups.insert(Arc::clone(&source), new.clone()),
            None => self.groups.remove(&source),
        };
        deltas.push(Delta {
            source,
            entry,
            observed,
        });
    }
}
