//! Which collector scrapes which target: a pure function, so that replicas agree without talking.
//!
//! Targets with one discovered address in a job are one here: they have one owner.

mod hashing;
mod least;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use periplus_config::{AllocationStrategy, Collector};
use periplus_core::ContentHash;

use self::hashing::Seats;

/// Names a target within its job: the hash of its discovered address.
pub(super) type Key = ContentHash;

/// The number of a collector in a [`Roster`].
pub(super) type Member = usize;

/// What the owner of a target depends on.
#[derive(Clone, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) key: Key,
    /// The node that it runs on.
    pub(super) node: Option<&'a str>,
    /// The zone that it is in.
    pub(super) zone: Option<&'a str>,
    /// Who owned it so far, if they are still there.
    pub(super) before: Option<Member>,
}

/// How owners are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) strategy: AllocationStrategy,
    /// What becomes of targets without a collector on their node.
    pub(super) fallback: Option<AllocationStrategy>,
    /// Whether targets may move to even out what collectors have; only where state decides.
    pub(super) rebalance: bool,
}

/// All collectors, ready to choose from.
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// By id, which is unique.
    members: Vec<Collector>,
    all: Pool,
    zones: HashMap<String, Pool>,
    nodes: HashMap<String, Pool>,
}

/// Collectors among which a target may choose.
#[derive(Debug, Default)]
struct Pool {
    members: Vec<Member>,
    seats: Seats,
}

// === impl Roster ===

impl Roster {
    /// A roster; of collectors with one id the first in order counts.
    pub(super) fn new(collectors: impl IntoIterator<Item = Collector>) -> Self {
        let mut members: Vec<Collector> = collectors.into_iter().collect();
        members.sort_unstable();
        members.dedup_by(|next, first| next.id == first.id);
        let mut zones = BTreeMap::<_, Vec<Member>>::new();
        let mut nodes = BTreeMap::<_, Vec<Member>>::new();
        for (number, member) in members.iter().enumerate() {
            if let Some(zone) = &member.zone {
                zones.entry(zone.clone()).or_default().push(number);
            }
            // Who says nothing of a node may be called like it: a DaemonSet with its node as the id.
            let node = member.node.as_ref().unwrap_or(&member.id);
            nodes.entry(node.clone()).or_default().push(number);
        }
        let pool = |numbers| Pool::new(numbers, &members);
        let pools = |named: BTreeMap<String, Vec<Member>>| {
            let pools = named.into_iter();
            pools.map(|(name, it)| (name, pool(it))).collect()
        };
        Self {
            all: pool((0..members.len()).collect()),
            zones: pools(zones),
            nodes: pools(nodes),
            members,
        }
    }

    /// The collectors by their numbers.
    pub(super) fn members(&self) -> &[Collector] {
        &self.members
    }

    /// The number of a collector.
    pub(super) fn find(&self, id: &str) -> Option<Member> {
        let found = self.members.binary_search_by(|member| (*member.id).cmp(id));
        found.ok()
    }

    /// Where a target may go: to its zone, as long as there is a collector in it.
    fn pool(&self, zone: Option<&str>) -> &Pool {
        zone.and_then(|zone| self.zones.get(zone))
            .unwrap_or(&self.all)
    }
}

// === impl Pool ===

impl Pool {
    fn new(numbers: Vec<Member>, members: &[Collector]) -> Self {
        let seats = Seats::new(numbers.iter().map(|number| (*number, &members[*number])));
        Self {
            members: numbers,
            seats,
        }
    }
}

/// The owner of each of a job's targets; none if nobody may have it. `loads` is what collectors have
/// of other jobs, by their numbers: only [`AllocationStrategy::LeastWeighted`] looks at it.
pub(super) fn assign(
    targets: &[Candidate<'_>],
    roster: &Roster,
    options: Options,
    loads: &[u64],
) -> Vec<Option<Member>> {
    let mut owners = vec![None; targets.len()];
    if roster.members.is_empty() {
        return owners;
    }
    let mut left = Vec::new();
    let strategy = match options.strategy {
        AllocationStrategy::PerNode => {
            for (at, target) in targets.iter().enumerate() {
                let node = target.node.and_then(|node| roster.nodes.get(node));
                match node {
                    Some(pool) => owners[at] = pool.seats.choose(target.key),
                    None => left.push(at),
                }
            }
            options.fallback
        }
        strategy => {
            left.extend(0..targets.len());
            Some(strategy)
        }
    };
    match strategy {
        None => {}
        Some(AllocationStrategy::LeastWeighted) => {
            least::assign(
                targets,
                &left,
                roster,
                options.rebalance,
                loads,
                &mut owners,
            );
        }
        Some(_) => {
            for at in left {
                let target = &targets[at];
                owners[at] = roster.pool(target.zone).seats.choose(target.key);
            }
        }
    }
    owners
}
