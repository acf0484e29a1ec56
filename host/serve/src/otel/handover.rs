//! How a job's targets move from one collector to another without a gap.
//!
//! No I/O and no clock of its own. Each target is in one of three states:
//!
//! ```text
//!  Owned by A --owner becomes B--> Offered (A and B are told) --B has asked--> Settling (both still)
//!      ^  ^                          |                                           |
//!      |  '-- owner becomes A again -+-------------------------------------------+
//!      '----- deadline since A lost it --------- or ------- reload tick and scrape interval over: B's
//! ```
//!
//! Never more than two are told of a target, and never longer than the deadline.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use periplus_config::Handover;
use rustc_hash::FxHashMap;
use tokio::time::Instant;

use super::assign::Key;

/// The id of a collector.
pub(super) type CollectorId = Arc<str>;

/// Who owns each of a job's targets, and who still is told of those that moved.
#[derive(Debug, Default)]
pub(super) struct Handovers {
    owners: FxHashMap<Key, CollectorId>,
    moving: FxHashMap<Key, Moving>,
}

/// A target that has a new owner.
#[derive(Debug)]
struct Moving {
    /// Who had it before.
    from: CollectorId,
    /// When they lost it.
    since: Instant,
    /// When the new owner was told of it.
    told: Option<Instant>,
}

/// How long things take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// From an answer to the scrapes of what is new in it: reload tick and scrape interval.
    pub(super) settle: Duration,
    /// The most that two may be told of one target.
    pub(super) deadline: Duration,
}

// === impl Pace ===

impl Pace {
    pub(super) fn new(handover: Handover, scrape_interval: Duration) -> Self {
        Self {
            settle: handover.reload_tick + scrape_interval,
            deadline: handover.deadline,
        }
    }
}

// === impl Handovers ===

impl Handovers {
    /// Takes over what was decided of all targets. Targets that are not named are gone; those without
    /// an owner have none at once. Without a pace nothing is handed over: it moves at once.
    pub(super) fn update(
        &mut self,
        owners: FxHashMap<Key, CollectorId>,
        pace: Option<Pace>,
        now: Instant,
    ) {
        self.settle(pace, now);
        let before = std::mem::replace(&mut self.owners, owners);
        self.moving.retain(|key, _| self.owners.contains_key(key));
        if pace.is_none() {
            return;
        }
        for (key, from) in before {
            let Some(to) = self.owners.get(&key) else {
                continue;
            };
            if from != *to {
                self.moved(key, from, now);
            }
        }
    }

    /// Notes that the owner of a target is another one than `from` now.
    fn moved(&mut self, key: Key, from: CollectorId, now: Instant) {
        let to = &self.owners[&key];
        match self.moving.get_mut(&key) {
            None => {
                let moving = Moving {
                    from,
                    since: now,
                    told: None,
                };
                self.moving.insert(key, moving);
            }
            // Back to who never stopped scraping it.
            Some(moving) if moving.from == *to => {
                self.moving.remove(&key);
            }
            // Whoever had it in between may not have begun: the first one stays until the end.
            Some(moving) => moving.told = None,
        }
    }

    /// Notes that a collector is being told of all that it owns.
    pub(super) fn told(&mut self, collector: &str, now: Instant) {
        for (key, moving) in &mut self.moving {
            if moving.told.is_none() && &*self.owners[key] == collector {
                moving.told = Some(now);
            }
        }
    }

    /// Ends what is handed over, or has taken too long.
    pub(super) fn settle(&mut self, pace: Option<Pace>, now: Instant) {
        let Some(pace) = pace else {
            return self.moving.clear();
        };
        self.moving.retain(|_, moving| {
            let is_settled = moving.told.is_some_and(|told| now >= told + pace.settle);
            !is_settled && now < moving.since + pace.deadline
        });
    }

    /// The owner of a target.
    pub(super) fn owner(&self, key: Key) -> Option<&CollectorId> {
        self.owners.get(&key)
    }

    /// Who had a target and is still told of it.
    pub(super) fn leaving(&self, key: Key) -> Option<&CollectorId> {
        self.moving.get(&key).map(|moving| &moving.from)
    }

    /// Whether there is a target that this collector had and is still told of.
    pub(super) fn is_leaving(&self, collector: &str) -> bool {
        self.moving
            .values()
            .any(|moving| &*moving.from == collector)
    }

    /// How many targets are on the move.
    pub(super) fn moving(&self) -> usize {
        self.moving.len()
    }

    /// How many targets have an owner.
    pub(super) fn owned(&self) -> usize {
        self.owners.len()
    }

    /// The owners of all targets.
    pub(super) fn owners(&self) -> impl Iterator<Item = &CollectorId> {
        self.owners.values()
    }
}
