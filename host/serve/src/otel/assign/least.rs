//! Least weighted: a target stays where it is, and a new one goes where the fewest are.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::{Candidate, Member, Pool, Roster};

/// What collectors have, in all and of this job.
struct Counts<'a> {
    all: Vec<u64>,
    of_job: Vec<u64>,
    roster: &'a Roster,
}

/// Assigns the targets at these places.
pub(super) fn assign(
    targets: &[Candidate<'_>],
    places: &[usize],
    roster: &Roster,
    rebalance: bool,
    loads: &[u64],
    owners: &mut [Option<Member>],
) {
    let mut counts = Counts::new(loads, owners, roster);
    let mut by_zone = BTreeMap::<_, Vec<usize>>::new();
    for at in places {
        let zone = targets[*at].zone;
        let zone = zone.filter(|zone| roster.zones.contains_key(*zone));
        by_zone.entry(zone).or_default().push(*at);
    }
    for (zone, places) in &by_zone {
        let pool = roster.pool(*zone);
        let may_stay = |member: &Member| pool.members.contains(member);
        let (stay, come): (Vec<usize>, Vec<usize>) = places
            .iter()
            .partition(|at| targets[**at].before.as_ref().is_some_and(may_stay));
        for at in stay {
            owners[at] = targets[at].before;
            counts.add(targets[at].before);
        }
        for at in come {
            owners[at] = counts.least(pool);
            counts.add(owners[at]);
        }
        if rebalance {
            level(places, pool, &mut counts, owners);
        }
    }
}

/// Moves as few targets as make the loads of a pool as even as this job's targets can.
fn level(places: &[usize], pool: &Pool, counts: &mut Counts<'_>, owners: &mut [Option<Member>]) {
    let mut owned = BTreeMap::<Member, Vec<usize>>::new();
    for at in places {
        if let Some(owner) = owners[*at] {
            owned.entry(owner).or_default().push(*at);
        }
    }
    loop {
        let Some(least) = counts.least(pool) else {
            return;
        };
        let most = owned
            .iter()
            .filter(|(_, places)| !places.is_empty())
            .map(|(member, _)| *member)
            .max_by(|one, other| counts.by_load(*one, *other));
        let Some(most) = most else {
            return;
        };
        // A move that only swaps who has more would go on for ever.
        if !counts.is_better_after(most, least) {
            return;
        }
        let Some(at) = owned.get_mut(&most).and_then(Vec::pop) else {
            return;
        };
        owned.entry(least).or_default().push(at);
        owners[at] = Some(least);
        counts.shift(most, least);
    }
}

// === impl Counts ===

impl<'a> Counts<'a> {
    fn new(loads: &[u64], owners: &[Option<Member>], roster: &'a Roster) -> Self {
        let mut all = loads.to_vec();
        all.resize(roster.members.len(), 0);
        let of_job = vec![0; all.len()];
        let mut counts = Self {
            all,
            of_job,
            roster,
        };
        for owner in owners {
            counts.add(*owner);
        }
        counts
    }

    fn add(&mut self, owner: Option<Member>) {
        if let Some(owner) = owner {
            self.all[owner] += 1;
            self.of_job[owner] += 1;
        }
    }

    fn shift(&mut self, from: Member, to: Member) {
        self.all[from] -= 1;
        self.of_job[from] -= 1;
        self.add(Some(to));
    }

    /// Who has the least by weight, then of this job, then by id.
    fn least(&self, pool: &Pool) -> Option<Member> {
        let members = pool.members.iter().copied();
        members.min_by(|one, other| self.by_load(*one, *other))
    }

    fn by_load(&self, one: Member, other: Member) -> Ordering {
        self.load(self.all[one], one, self.all[other], other)
            .then_with(|| self.load(self.of_job[one], one, self.of_job[other], other))
            .then(one.cmp(&other))
    }

    /// Whether `to` with one more still has no more than `from` had.
    fn is_better_after(&self, from: Member, to: Member) -> bool {
        let (many, few) = (self.all[from], self.all[to] + 1);
        from != to && self.load(few, to, many, from).is_lt()
    }

    /// Compares counts by weight, without division.
    fn load(&self, count: u64, member: Member, other_count: u64, other: Member) -> Ordering {
        let weight = |member: Member| u64::from(self.roster.members[member].weight);
        (count * weight(other)).cmp(&(other_count * weight(member)))
    }
}
