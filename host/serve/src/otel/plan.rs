//! One job's targets shared out: which collector is told of which, in the order in which all is served.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use periplus_core::hash::ContentHasher;
use periplus_core::{ContentHash, LabelSet, TargetGroup};
use periplus_discovery::{GroupResult, Snapshot, Stage};
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

/// A job's targets with their owners.
#[derive(Debug)]
pub(super) struct Plan {
    /// What it was made of.
    snapshot: Arc<Snapshot>,
    rows: Vec<Row>,
    /// The rows of each collector, in order.
    shares: HashMap<CollectorId, Vec<u32>>,
    handovers: Handovers,
    /// How many targets nobody may have.
    unassigned: usize,
}

/// A target.
#[derive(Clone, Debug)]
struct Row {
    key: Key,
    content: ContentHash,
    result: Arc<GroupResult>,
    index: u32,
}

/// What one collector is told of a job: enough to say what it is, and to write it.
#[derive(Debug)]
pub(super) struct Share {
    /// Equal for equal lists.
    pub(super) version: ContentHash,
    rows: Vec<Row>,
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

/// A target as it is read, with what decides its owner.
struct Placed {
    row: Row,
    node: Option<String>,
    zone: Option<String>,
}

// === impl Plan ===

impl Plan {
    /// A plan of these targets; `before` is the job's last one.
    pub(super) fn new(
        snapshot: Arc<Snapshot>,
        before: Option<Self>,
        choice: &Choice<'_>,
        now: Instant,
    ) -> Self {
        let mut handovers = before.map(|plan| plan.handovers).unwrap_or_default();
        let placed = read(&snapshot, choice);
        let mut seen = HashSet::new();
        let candidates: Vec<Candidate<'_>> = placed
            .iter()
            .filter(|it| seen.insert(it.row.key))
            .map(|it| Candidate {
                key: it.row.key,
                node: it.node.as_deref(),
                zone: it.zone.as_deref(),
                before: handovers
                    .owner(it.row.key)
                    .and_then(|id| choice.roster.find(id)),
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
        handovers.update(owners.collect(), choice.pace, now);
        let rows: Vec<Row> = placed.into_iter().map(|it| it.row).collect();
        let mut shares = HashMap::<CollectorId, Vec<u32>>::new();
        for (at, row) in rows.iter().enumerate() {
            if let Some(owner) = handovers.owner(row.key) {
                shares.entry(Arc::clone(owner)).or_default().push(at as u32);
            }
        }
        Self {
            snapshot,
            rows,
            shares,
            handovers,
            unassigned,
        }
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
        let own = self.shares.get(collector).map_or(&[][..], |own| own);
        if !self.handovers.is_leaving(collector) {
            return Share::of(own.iter().map(|at| &self.rows[*at as usize]));
        }
        Share::of(self.rows.iter().filter(|row| {
            let mut told = [
                self.handovers.owner(row.key),
                self.handovers.leaving(row.key),
            ]
            .into_iter()
            .flatten();
            told.any(|id| &**id == collector)
        }))
    }

    /// Who is told of anything.
    pub(super) fn collectors(&self) -> impl Iterator<Item = &CollectorId> {
        self.shares.keys()
    }
}

/// Reads what is served of a snapshot: targets that relabeling keeps, where we can know that.
fn read(snapshot: &Snapshot, choice: &Choice<'_>) -> Vec<Placed> {
    let rules = &snapshot.job.verbatim["relabel_configs"];
    let all = rules.to_string().contains(SHARD);
    let mut placed = Vec::new();
    for result in snapshot.groups.values() {
        result.visit_targets(Stage::Transformed, |target| {
            if !all && !target.is_active() {
                return;
            }
            let labels = target.label_set();
            let zone = choice.zone_label.and_then(|name| labels.get(name));
            placed.push(Placed {
                row: Row {
                    key: ContentHash::of(target.shard_key().as_bytes()),
                    content: labels.content_hash(),
                    result: Arc::clone(result),
                    index: target.index() as u32,
                },
                node: node_of(labels).map(str::to_owned),
                zone: zone.map(str::to_owned),
            });
        });
    }
    placed
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
    fn of<'a>(rows: impl Iterator<Item = &'a Row>) -> Self {
        let rows: Vec<Row> = rows.cloned().collect();
        let mut hasher = ContentHasher::default();
        for row in &rows {
            hasher.field(&row.content.0.to_le_bytes());
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
        for (at, row) in self.rows.iter().enumerate() {
            if at > 0 {
                json.push(b',');
            }
            // Targets of a group stand together: it is made once.
            let group = match &last {
                Some((result, group)) if Arc::ptr_eq(result, &row.result) => Arc::clone(group),
                _ => row.result.discovered().group(),
            };
            row.result
                .write_transformed(&group, row.index as usize, json);
            last = Some((&row.result, group));
        }
        json.push(b']');
    }
}
