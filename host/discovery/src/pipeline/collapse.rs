//! Which of a job's targets are the same, and which of the copies stands for them.

use std::collections::BTreeSet;

use periplus_core::ContentHash;
use rustc_hash::FxHashMap;

use crate::group::{GroupKey, GroupResult};

/// Who holds each final target of a job.
#[derive(Debug, Default)]
pub(crate) struct Index {
    holders: FxHashMap<ContentHash, Holders>,
}

/// A target's place, in the order in which one is chosen to stand for its copies: by discovered
/// address, then by group, so that every replica chooses alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Holder {
    address: Box<str>,
    key: GroupKey,
    target: u32,
}

/// Nearly every target is the only one of its kind.
#[derive(Debug)]
enum Holders {
    One(Box<Holder>),
    /// Two at least; ordered, so that a change touches two groups at most, however many copies.
    Many(BTreeSet<Holder>),
}

// === impl Index ===

impl Index {
    /// Adds the targets of a group; `touched` gets the groups whose copies may have changed.
    pub(crate) fn add(
        &mut self,
        key: &GroupKey,
        result: &GroupResult,
        touched: &mut BTreeSet<GroupKey>,
    ) {
        for (target, identity) in result.identities() {
            let holder = Holder::new(key, result, target);
            match self.holders.entry(identity) {
                std::collections::hash_map::Entry::Vacant(free) => {
                    free.insert(Holders::One(Box::new(holder)));
                }
                std::collections::hash_map::Entry::Occupied(mut taken) => {
                    let first = taken.get_mut().add(holder);
                    touched.insert(first);
                    touched.insert(key.clone());
                }
            }
        }
    }

    /// Takes away the targets of a group as they were added.
    pub(crate) fn remove(
        &mut self,
        key: &GroupKey,
        result: &GroupResult,
        touched: &mut BTreeSet<GroupKey>,
    ) {
        for (target, identity) in result.identities() {
            let Some(holders) = self.holders.get_mut(&identity) else {
                continue;
            };
            match holders {
                Holders::One(_) => {
                    self.holders.remove(&identity);
                }
                Holders::Many(many) => {
                    many.remove(&Holder::new(key, result, target));
                    let Some(first) = many.first() else { continue };
                    touched.insert(first.key.clone());
                    if many.len() == 1 {
                        *holders = Holders::One(Box::new(first.clone()));
                    }
                }
            }
        }
    }

    /// Which targets of a group are copies, by index; empty if none is.
    pub(crate) fn copies(&self, key: &GroupKey, result: &GroupResult) -> Box<[bool]> {
        let mut copies = Vec::new();
        for (target, identity) in result.identities() {
            if let Some(Holders::Many(many)) = self.holders.get(&identity)
                && many
                    .first()
                    .is_some_and(|f| f.key != *key || f.target as usize != target)
            {
                copies.resize(result.targets.len(), false);
                copies[target] = true;
            }
        }
        copies.into()
    }
}

// === impl Holder ===

impl Holder {
    fn new(key: &GroupKey, result: &GroupResult, target: usize) -> Self {
        let address = result.discovered_address(target).into();
        Self {
            address,
            key: key.clone(),
            target: target as u32,
        }
    }
}

// === impl Holders ===

impl Holders {
    /// Adds one; returns the group of the one that stood for them until now.
    fn add(&mut self, holder: Holder) -> GroupKey {
        match self {
            Self::One(one) => {
                let first = one.key.clone();
                *self = Self::Many(BTreeSet::from([(**one).clone(), holder]));
                first
            }
            Self::Many(many) => {
                let first = many.first().unwrap_or(&holder).key.clone();
                many.insert(holder);
                first
            }
        }
    }
}
