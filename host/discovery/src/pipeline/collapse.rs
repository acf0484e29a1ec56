//! Which of a job's targets are the same, and which of the copies stands for them.

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::OrdMap;
use periplus_core::TargetGroup;
use rustc_hash::FxHashMap;

use crate::group::{GroupKey, GroupResult, Identity};

/// Who holds each final target of a job.
#[derive(Debug, Default)]
pub(crate) struct Index {
    holders: FxHashMap<Identity, Holders>,
    /// The group in each slot.
    slots: Vec<Option<GroupKey>>,
    free: Vec<u32>,
}

/// All results of a job: the index keeps nothing of them.
type Groups = OrdMap<GroupKey, Arc<GroupResult>>;

/// A target's place: the slot of its group, and its index in there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    slot: u32,
    target: u32,
}

/// A target's place, in the order in which one is chosen to stand for its copies: by discovered
/// address, then by group, so that every replica chooses alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Holder {
    address: Box<str>,
    key: GroupKey,
    place: Place,
}

/// Nearly every target is the only one of its kind.
#[derive(Debug)]
enum Holders {
    One(Place),
    /// Two at least; ordered, so that a change touches two groups at most, however many copies.
    Many(Box<BTreeSet<Holder>>),
}

/// Looks up discovered addresses; the last group is kept, since it may have to be made.
struct Addresses<'a> {
    groups: &'a Groups,
    slots: &'a [Option<GroupKey>],
    last: Option<(u32, Arc<TargetGroup>)>,
}

// === impl Index ===

impl Index {
    /// A slot for a new group.
    pub(crate) fn reserve(&mut self, key: &GroupKey) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        self.slots[slot as usize] = Some(key.clone());
        slot
    }

    /// Gives back the slot of a group that is gone, and was removed.
    pub(crate) fn release(&mut self, slot: u32) {
        self.slots[slot as usize] = None;
        self.free.push(slot);
    }

    /// Adds the targets of a group, which is among `groups`, but for those that it shares with its
    /// `last` result; `touched` gets the groups whose copies may have changed.
    pub(crate) fn add(
        &mut self,
        key: &GroupKey,
        groups: &Groups,
        last: Option<&GroupResult>,
        touched: &mut BTreeSet<GroupKey>,
    ) {
        let Some(result) = groups.get(key) else {
            return;
        };
        let mut addresses = Addresses {
            groups,
            slots: &self.slots,
            last: None,
        };
        for (target, identity) in result
            .identities()
            .filter(|(at, _)| !stays(result, last, *at))
        {
            let place = Place::new(result, target);
            match self.holders.entry(identity) {
                std::collections::hash_map::Entry::Vacant(free) => {
                    free.insert(Holders::One(place));
                }
                std::collections::hash_map::Entry::Occupied(mut taken) => {
                    let first = taken.get_mut().add(place, &mut addresses);
                    touched.extend(first);
                    touched.insert(key.clone());
                }
            }
        }
    }

    /// Takes away the targets of a group as they were added, but for those that its `next` result
    /// shares with it.
    pub(crate) fn remove(
        &mut self,
        key: &GroupKey,
        result: &GroupResult,
        next: Option<&GroupResult>,
        touched: &mut BTreeSet<GroupKey>,
    ) {
        let mut group = None;
        for (target, identity) in result
            .identities()
            .filter(|(at, _)| !stays(result, next, *at))
        {
            let Some(holders) = self.holders.get_mut(&identity) else {
                continue;
            };
            match holders {
                Holders::One(_) => {
                    self.holders.remove(&identity);
                }
                Holders::Many(many) => {
                    let group = group.get_or_insert_with(|| result.discovered().group());
                    many.remove(&Holder {
                        address: result.targets[target].address(group).into(),
                        key: key.clone(),
                        place: Place::new(result, target),
                    });
                    let Some(first) = many.first() else { continue };
                    touched.insert(first.key.clone());
                    if many.len() == 1 {
                        *holders = Holders::One(first.place);
                    }
                }
            }
        }
    }

    /// Which targets of a group are copies, by index; empty if none is.
    pub(crate) fn copies(&self, result: &GroupResult) -> Vec<bool> {
        let mut copies = Vec::new();
        for (target, identity) in result.identities() {
            if let Some(Holders::Many(many)) = self.holders.get(&identity)
                && many
                    .first()
                    .is_some_and(|first| first.place != Place::new(result, target))
            {
                copies.resize(result.targets.len(), false);
                copies[target] = true;
            }
        }
        copies
    }
}

/// Whether two results of a group share a target.
fn stays(result: &GroupResult, other: Option<&GroupResult>, target: usize) -> bool {
    let other = other.and_then(|other| other.targets.get(target));
    other.is_some_and(|other| result.targets[target].is_same(other))
}

// === impl Place ===

impl Place {
    fn new(result: &GroupResult, target: usize) -> Self {
        Self {
            slot: result.slot,
            target: target as u32,
        }
    }
}

// === impl Holders ===

impl Holders {
    /// Adds one; returns the group of the one that stood for them until now.
    fn add(&mut self, place: Place, addresses: &mut Addresses<'_>) -> Option<GroupKey> {
        let holder = addresses.holder(place)?;
        match self {
            Self::One(one) => {
                let one = addresses.holder(*one)?;
                let first = one.key.clone();
                *self = Self::Many(Box::new(BTreeSet::from([one, holder])));
                Some(first)
            }
            Self::Many(many) => {
                let first = many.first().unwrap_or(&holder).key.clone();
                many.insert(holder);
                Some(first)
            }
        }
    }
}

// === impl Addresses ===

impl Addresses<'_> {
    /// Nothing only if the place does not exist.
    fn holder(&mut self, place: Place) -> Option<Holder> {
        let key = self.slots.get(place.slot as usize)?.as_ref()?;
        let result = self.groups.get(key)?;
        if self
            .last
            .as_ref()
            .is_none_or(|(slot, _)| *slot != place.slot)
        {
            self.last = Some((place.slot, result.discovered().group()));
        }
        let (_, group) = self.last.as_ref()?;
        let target = result.targets.get(place.target as usize)?;
        Some(Holder {
            address: target.address(group).into(),
            key: key.clone(),
            place,
        })
    }
}
