//! One job's targets shared out: which collector is told of which, in the order in which all is served.

use std::sync::Arc;
use std::time::Duration;

use periplus_config::AllocationStrategy;
use periplus_core::hash::ContentHasher;
use periplus_core::{ContentHash, LabelSet, TargetGroup};
use periplus_discovery::{GroupResult, Snapshot, Stage};
use rustc_hash::{FxHashMap, FxHashSet};
use tokio::time::Instant;

use super::assign::{self, Candidate, Key, Options, Roster};
use super::handover::{CollectorId, Handovers, Pace};

/// Where a target's node is found, in upstream's order.
const NODE_LABELS: [&str; 3] = [
    "__meta_kubernetes_pod_node_name",
    "__meta_kubernetes_node_name",
    "__meta_kubernetes_endpoint_node_name",
];
const SLICE_KIND: &str = "__meta_kubernetes_endpointslice_address_target_kind";
const SLICE_NAME: &str = "__meta_kubernetes_endpointslice_address_target_name";
/// What the collector's receiver replaces in rules by the number of its shard. Only it knows which
/// targets such rules keep.
const SHARD: &str = "$(SHARD)";
/// Objects that are rendered at once; more would keep others waiting.
const LARGE: usize = 1000;
/// A plan that took less is made for every snapshot that somebody asks for.
const NOTHING: Duration = Duration::from_millis(20);
/// Any other serves for so many times as long,
const REST: u32 = 10;
/// and no longer than this.
const LONGEST_REST: Duration = Duration::from_secs(5);

/// A job's targets with their owners.
#[derive(Debug)]
pub(super) struct Plan {
    /// What it was made of.
    snapshot: Arc<Snapshot>,
    /// The groups that are served, in order.
    blocks: Vec<Block>,
    /// What each collector is told: block and row, in order.
    shares: FxHashMap<CollectorId, Vec<(u32, u32)>>,
    handovers: Handovers,
    /// How many targets nobody may have.
    unassigned: usize,
    /// Until then it serves for newer snapshots too.
    fresh_until: Instant,
}

/// A group and its targets that are served. Kept as long as the group does not change.
#[derive(Clone, Debug)]
struct Block {
    result: Arc<GroupResult>,
    rows: Arc<[Row]>,
}

/// A target, with what decides its owner.
#[derive(Debug)]
struct Row {
    key: Key,
    content: ContentHash,
    index: u32,
    node: Option<Box<str>>,
    zone: Option<Box<str>>,
}

/// What one collector is told of a job: enough to say what it is, and to write it.
#[derive(Debug)]
pub(super) struct Share {
    /// Equal for equal lists.
    pub(super) version: ContentHash,
    /// Targets by the index in their group.
    rows: Vec<(Arc<GroupResult>, u32)>,
}

/// What owners are chosen by, beside the targets.
pub(super) struct Choice<'a> {
    pub(super) roster: &'a Roster,
    pub(super) options: Options,
    pub(super) zone_label: Option<&'a str>,
    /// What collectors have of other jobs, by their numbers.
    pub(super) loads: Vec<u64>,
    pub(super) pace: Option<Pace>,
}

// === impl Plan ===

impl Plan {
    /// A plan of these targets; `before` is the job's last one, made by the same settings unless
    /// `choice` says that they are new.
    pub(super) fn new(
        snapshot: Arc<Snapshot>,
        before: Option<Self>,
        choice: &Choice<'_>,
        now: Instant,
    ) -> Self {
        let begun = Instant::now();
        let (mut handovers, known) = match before {
            // Other settings may read other labels.
            Some(plan) if choice.options.rebalance => (plan.handovers, Vec::new()),
            Some(plan) if Arc::ptr_eq(&plan.snapshot.job, &snapshot.job) => {
                (plan.handovers, plan.blocks)
            }
            Some(plan) => (plan.handovers, Vec::new()),
            None => (Handovers::default(), Vec::new()),
        };
        let blocks = read(&snapshot, known, choice);
        let (owners, unassigned) = owners(&blocks, &handovers, choice);
        handovers.update(owners, choice.pace, now);
        let mut shares = FxHashMap::<CollectorId, Vec<(u32, u32)>>::default();
        for (block, row, target) in rows(&blocks) {
            let Some(owner) = handovers.owner(target.key) else {
                continue;
            };
            match shares.get_mut(owner) {
                Some(share) => share.push((block, row)),
                None => _ = shares.insert(Arc::clone(owner), vec![(block, row)]),
            }
        }
        Self {
            snapshot,
            blocks,
            shares,
            handovers,
            unassigned,
            // What was measured is our own work; all else goes by the caller's clock.
            fresh_until: now + rest(begun.elapsed()),
        }
    }

    /// Whether it serves for this snapshot: it was made of it, or of one before and a moment ago, where
    /// to make it takes long.
    pub(super) fn serves(&self, snapshot: &Arc<Snapshot>, now: Instant) -> bool {
        Arc::ptr_eq(&self.snapshot, snapshot) || now < self.fresh_until
    }

    /// The snapshot that it was made of.
    pub(super) fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// How many targets, by address, nobody may have.
    pub(super) fn unassigned(&self) -> usize {
        self.unassigned
    }

    /// Who owns and who moves.
    pub(super) fn handovers(&self) -> &Handovers {
        &self.handovers
    }

    /// What a collector is to be told now; with `asks`, it is being told.
    pub(super) fn share(
        &mut self,
        collector: &str,
        asks: bool,
        pace: Option<Pace>,
        now: Instant,
    ) -> Share {
        self.handovers.settle(pace, now);
        if asks {
            self.handovers.told(collector, now);
        }
        if !self.handovers.is_leaving(collector) {
            let own = self.shares.get(collector).map_or(&[][..], |own| own);
            return Share::of(own.iter().map(|(block, row)| {
                let block = &self.blocks[*block as usize];
                (&block.result, &block.rows[*row as usize])
            }));
        }
        let is_told = |row: &Row| {
            let told = [
                self.handovers.owner(row.key),
                self.handovers.leaving(row.key),
            ];
            told.into_iter().flatten().any(|id| &**id == collector)
        };
        let blocks = self.blocks.iter();
        let all = blocks.flat_map(|block| block.rows.iter().map(|row| (&block.result, row)));
        Share::of(all.filter(|(_, row)| is_told(row)))
    }

    /// Who is told of anything.
    pub(super) fn collectors(&self) -> impl Iterator<Item = &CollectorId> {
        self.shares.keys()
    }
}

/// How long a plan serves that took so long to make.
fn rest(took: Duration) -> Duration {
    if took < NOTHING {
        return Duration::ZERO;
    }
    (took * REST).min(LONGEST_REST)
}

/// Every target with its place.
fn rows(blocks: &[Block]) -> impl Iterator<Item = (u32, u32, &Row)> {
    blocks.iter().enumerate().flat_map(|(block, it)| {
        let rows = it.rows.iter().enumerate();
        rows.map(move |(row, target)| (block as u32, row as u32, target))
    })
}

/// The owners of all targets, and how many have none.
fn owners(
    blocks: &[Block],
    before: &Handovers,
    choice: &Choice<'_>,
) -> (FxHashMap<Key, CollectorId>, usize) {
    let mut seen = FxHashSet::default();
    let candidates: Vec<Candidate<'_>> = rows(blocks)
        .filter(|(_, _, row)| seen.insert(row.key))
        .map(|(_, _, row)| Candidate {
            key: row.key,
            node: row.node.as_deref(),
            zone: row.zone.as_deref(),
            before: before.owner(row.key).and_then(|id| choice.roster.find(id)),
        })
        .collect();
    let found = assign::assign(&candidates, choice.roster, choice.options, &choice.loads);
    let unassigned = found.iter().filter(|owner| owner.is_none()).count();
    let members = choice.roster.members().iter();
    let ids: Vec<CollectorId> = members.map(|member| (*member.id).into()).collect();
    let owners = candidates
        .iter()
        .zip(found)
        .filter_map(|(candidate, owner)| Some((candidate.key, Arc::clone(&ids[owner?]))));
    (owners.collect(), unassigned)
}

/// Reads what is served of a snapshot: targets that relabeling keeps, where we can know that. Groups
/// that are known already are not read again.
fn read(snapshot: &Snapshot, known: Vec<Block>, choice: &Choice<'_>) -> Vec<Block> {
    let rules = &snapshot.job.verbatim["relabel_configs"];
    let all = rules.to_string().contains(SHARD);
    let known = known.into_iter();
    let known: FxHashMap<_, _> = known
        .map(|block| (Arc::as_ptr(&block.result), block))
        .collect();
    let results = snapshot.groups.values();
    let blocks = results.map(|result| match known.get(&Arc::as_ptr(result)) {
        Some(block) => block.clone(),
        None => Block {
            result: Arc::clone(result),
            rows: read_group(result, all, choice),
        },
    });
    blocks.filter(|block| !block.rows.is_empty()).collect()
}

fn read_group(result: &GroupResult, all: bool, choice: &Choice<'_>) -> Arc<[Row]> {
    let needs_node = choice.options.strategy == AllocationStrategy::PerNode;
    let mut rows = Vec::new();
    result.visit_targets(Stage::Transformed, |target| {
        if !all && !target.is_active() {
            return;
        }
        let labels = target.label_set();
        let node = needs_node.then(|| node_of(labels)).flatten();
        let zone = choice.zone_label.and_then(|name| labels.get(name));
        rows.push(Row {
            key: ContentHash::of(target.shard_key().as_bytes()),
            content: labels.content_hash(),
            index: target.index() as u32,
            node: node.map(Into::into),
            zone: zone.map(Into::into),
        });
    });
    rows.into()
}

fn node_of(labels: &LabelSet) -> Option<&str> {
    let named = |name| labels.get(name).filter(|node| !node.is_empty());
    let node = NODE_LABELS.into_iter().find_map(named);
    node.or_else(|| {
        let is_node = labels.get(SLICE_KIND) == Some("Node");
        is_node.then(|| named(SLICE_NAME)).flatten()
    })
}

// === impl Share ===

impl Share {
    fn of<'a>(told: impl Iterator<Item = (&'a Arc<GroupResult>, &'a Row)>) -> Self {
        let mut hasher = ContentHasher::default();
        let mut rows = Vec::new();
        for (result, row) in told {
            hasher.field(&row.content.0.to_le_bytes());
            rows.push((Arc::clone(result), row.index));
        }
        Self {
            version: hasher.finish(),
            rows,
        }
    }

    /// Nothing at all.
    pub(super) fn empty() -> Self {
        Self::of(std::iter::empty())
    }

    /// Whether writing it takes long.
    pub(super) fn is_large(&self) -> bool {
        self.rows.len() > LARGE
    }

    /// The list as `http_sd` has it.
    pub(super) fn write(&self, json: &mut Vec<u8>) {
        json.push(b'[');
        let mut last: Option<(&Arc<GroupResult>, Arc<TargetGroup>)> = None;
        for (at, (result, index)) in self.rows.iter().enumerate() {
            if at > 0 {
                json.push(b',');
            }
            // Targets of a group stand together: it is made once.
            let group = match &last {
                Some((of, group)) if Arc::ptr_eq(of, result) => Arc::clone(group),
                _ => result.discovered().group(),
            };
            result.write_transformed(&group, *index as usize, json);
            last = Some((result, group));
        }
        json.push(b']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plans_that_are_dear_serve_for_a_while() {
        for (took, expected) in [(0, 0), (19, 0), (20, 200), (100, 1000), (600, 5000)] {
            let took = Duration::from_millis(took);
            assert_eq!(rest(took), Duration::from_millis(expected), "{took:?}");
        }
    }
}
