//! Who the collectors are: a list, those who ask, or the targets of a job.

use std::collections::HashMap;
use std::sync::Arc;

use periplus_config::{Collector, CollectorSource, JobCollectors, TargetAllocator};
use periplus_core::LabelSet;
use periplus_core::target::Outcome;
use periplus_discovery::{Directory, Snapshot};
use tokio::time::Instant;

use super::answer::Refusal;
use super::handover::CollectorId;

/// Who asks beyond so many is refused: ids are foreign text, and each is kept for a while.
const MOST_ASKING: usize = 10_000;

/// What is known of collectors.
#[derive(Debug)]
pub(super) struct Known {
    started: Instant,
    /// When each last asked; also where that makes nobody a collector, since a reload may change that.
    asked: HashMap<CollectorId, Instant>,
    /// The job's snapshot that they were read from.
    read: Option<Arc<Snapshot>>,
    /// Whether they may be others than when they were last told.
    is_changed: bool,
}

// === impl Known ===

impl Known {
    pub(super) fn new(started: Instant) -> Self {
        Self {
            started,
            asked: HashMap::new(),
            read: None,
            is_changed: true,
        }
    }

    /// They may be known in another way now.
    pub(super) fn reset(&mut self) {
        self.read = None;
        self.is_changed = true;
    }

    /// Notes that somebody asks.
    ///
    /// # Errors
    /// If there are too many of them.
    pub(super) fn asks(
        &mut self,
        id: &CollectorId,
        allocator: &TargetAllocator,
        now: Instant,
    ) -> Result<(), Refusal> {
        let counts = matches!(allocator.collectors, CollectorSource::Requests { .. });
        if self.asked.len() >= MOST_ASKING && !self.asked.contains_key(id) {
            if counts {
                let message = format!("there are {MOST_ASKING} collectors already");
                return Err(Refusal::unavailable(message));
            }
            self.asked.clear();
        }
        let is_new = self.asked.insert(Arc::clone(id), now).is_none();
        self.is_changed |= is_new && counts;
        Ok(())
    }

    /// The collectors of this moment; none if they are the same as when this was last asked.
    pub(super) fn collectors(
        &mut self,
        allocator: &TargetAllocator,
        directory: &Directory,
        now: Instant,
    ) -> Result<Option<Vec<Collector>>, Refusal> {
        let collectors = match &allocator.collectors {
            CollectorSource::List(_) if !self.is_changed => return Ok(None),
            CollectorSource::List(list) => list.clone(),
            CollectorSource::Requests {
                expire_after,
                settle,
            } => {
                let before = self.asked.len();
                self.asked.retain(|_, asked| now < *asked + *expire_after);
                self.is_changed |= self.asked.len() < before;
                let left = (self.started + *settle).saturating_duration_since(now);
                if !left.is_zero() {
                    let message = "the collectors are not known yet, since this process has just \
                                   started; targets are shared out once each had time to ask";
                    return Err(Refusal::unavailable(message).retry_after(left));
                }
                if !self.is_changed {
                    return Ok(None);
                }
                let ids = self.asked.keys();
                ids.map(|id| Collector::named(&**id)).collect()
            }
            CollectorSource::Job(source) => {
                let snapshot = snapshot_of(source, directory)?;
                let is_read = self
                    .read
                    .as_ref()
                    .is_some_and(|it| Arc::ptr_eq(it, &snapshot));
                if is_read && !self.is_changed {
                    return Ok(None);
                }
                let collectors = read(source, allocator, &snapshot);
                self.read = Some(snapshot);
                collectors
            }
        };
        self.is_changed = false;
        Ok(Some(collectors))
    }
}

/// The snapshot of the job whose targets are the collectors.
fn snapshot_of(source: &JobCollectors, directory: &Directory) -> Result<Arc<Snapshot>, Refusal> {
    let job = directory.jobs.get(&source.job);
    let snapshot = job.map(|job| Arc::clone(&job.snapshots.borrow()));
    snapshot.filter(|it| it.is_servable()).ok_or_else(|| {
        let message = format!(
            "the collectors are not known yet: they are the targets of job `{}`",
            source.job
        );
        Refusal::unavailable(message)
    })
}

/// The collectors that are a job's targets: those that its rules keep.
fn read(
    source: &JobCollectors,
    allocator: &TargetAllocator,
    snapshot: &Snapshot,
) -> Vec<Collector> {
    let zone_label = source.zone_label.as_ref().or(allocator.zone_label.as_ref());
    let of = |labels: &LabelSet| {
        let text = |name: &String| labels.get(name).filter(|text| !text.is_empty());
        let weight = source.weight_label.as_ref().and_then(text);
        let weight = weight.and_then(|weight| weight.parse().ok()).unwrap_or(1);
        Some(Collector {
            id: text(&source.id_label)?.to_owned(),
            weight: u32::clamp(weight, 1, Collector::MAX_WEIGHT),
            zone: zone_label.and_then(text).map(str::to_owned),
            node: text(&source.node_label).map(str::to_owned),
        })
    };
    let mut collectors = Vec::new();
    for result in snapshot.groups.values() {
        let group = result.discovered().group();
        for (index, target) in result.targets.iter().enumerate() {
            if matches!(target.outcome, Outcome::Active(_)) {
                collectors.extend(of(&result.transformed(&group, index)));
            }
        }
    }
    // A Pod has a target for each of its ports.
    collectors.sort_unstable();
    collectors.dedup();
    collectors
}
