//! The state behind the front: who the collectors are, and every job's plan. No I/O, and its clock is
//! the caller's.

use std::collections::BTreeMap;
use std::sync::Arc;

use periplus_config::{AllocationStrategy, Collector, TargetAllocator};
use periplus_discovery::{Directory, JobHandle, Snapshot};
use tokio::time::Instant;

use super::answer::Refusal;
use super::assign::{Options, Roster};
use super::handover::{CollectorId, Pace};
use super::plan::{Choice, Plan, Share};
use super::roster::Known;

/// Shares targets out, and remembers who has what.
#[derive(Debug)]
pub(super) struct Allocator {
    settings: Arc<TargetAllocator>,
    known: Known,
    roster: Roster,
    /// Goes up when the roster or the settings change: plans of before are stale.
    epoch: u64,
    plans: BTreeMap<Arc<str>, (u64, Plan)>,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) directory: Arc<Directory>,
    pub(super) settings: Arc<TargetAllocator>,
    pub(super) job: JobHandle,
    /// Its snapshot, which is known.
    pub(super) snapshot: Arc<Snapshot>,
    /// Who asks; nobody but a reader who wants to see everybody's share.
    pub(super) collector: Option<CollectorId>,
}

/// Collectors and what each is told.
pub(super) type Shares = BTreeMap<CollectorId, Share>;

/// What there is to measure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) collectors: usize,
    pub(super) assigned: usize,
    pub(super) unassigned: usize,
    pub(super) moving: usize,
}

// === impl Allocator ===

impl Allocator {
    pub(super) fn new(settings: Arc<TargetAllocator>, started: Instant) -> Self {
        Self {
            settings,
            known: Known::new(started),
            roster: Roster::default(),
            epoch: 0,
            plans: BTreeMap::new(),
        }
    }

    /// The share of who asks, or of everybody. A collector that nobody knows gets nothing.
    pub(super) fn answer(&mut self, question: &Question, now: Instant) -> Result<Shares, Refusal> {
        self.take_settings(&question.settings);
        if let Some(id) = &question.collector {
            self.known.asks(id, &self.settings, now)?;
        }
        self.look(&question.directory, now)?;
        self.plan(&question.job.name, &question.snapshot, now);
        let pace = self.pace(&question.snapshot);
        let Some((_, plan)) = self.plans.get_mut(&question.job.name) else {
            return Ok(Shares::new());
        };
        let asked = match &question.collector {
            Some(id) => vec![Arc::clone(id)],
            None => {
                let mut all: Vec<_> = plan.collectors().cloned().collect();
                let members = self.roster.members().iter();
                all.extend(members.map(|member| CollectorId::from(&*member.id)));
                all
            }
        };
        let asks = question.collector.is_some();
        let share = |id: CollectorId| {
            let share = plan.share(&id, asks, pace, now);
            (id, share)
        };
        Ok(asked.into_iter().map(share).collect())
    }

    /// Whether answering takes no more than a look.
    pub(super) fn is_ready_for(&self, question: &Question, now: Instant) -> bool {
        let plan = self.plans.get(&question.job.name);
        plan.is_some_and(|(epoch, plan)| {
            *epoch == self.epoch && plan.serves(&question.snapshot, now)
        })
    }

    /// What there is to measure.
    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals {
            collectors: self.roster.members().len(),
            ..Totals::default()
        };
        for (_, plan) in self.plans.values() {
            totals.assigned += plan.handovers().owned();
            totals.unassigned += plan.unassigned();
            totals.moving += plan.handovers().moving();
        }
        totals
    }

    fn take_settings(&mut self, settings: &Arc<TargetAllocator>) {
        if Arc::ptr_eq(&self.settings, settings) {
            return;
        }
        if self.settings != *settings {
            self.epoch += 1;
            self.known.reset();
        }
        self.settings = Arc::clone(settings);
    }

    /// Finds out who is there, and lets go of jobs that are gone.
    fn look(&mut self, directory: &Directory, now: Instant) -> Result<(), Refusal> {
        self.plans
            .retain(|job, _| directory.jobs.contains_key(&**job));
        let Some(collectors) = self.known.collectors(&self.settings, directory, now)? else {
            return Ok(());
        };
        let roster = Roster::new(collectors);
        if roster.members() == self.roster.members() {
            return Ok(());
        }
        note_change(self.roster.members(), roster.members());
        self.roster = roster;
        self.epoch += 1;
        if self.has_state() {
            // What one job's targets do depends on the others', so they are looked at together.
            let jobs = self.plans.iter();
            let jobs: Vec<_> = jobs
                .map(|(job, (_, plan))| (Arc::clone(job), Arc::clone(plan.snapshot())))
                .collect();
            for (job, snapshot) in jobs {
                self.plan(&job, &snapshot, now);
            }
        }
        Ok(())
    }

    /// Whether owners depend on who had what before.
    fn has_state(&self) -> bool {
        let least = AllocationStrategy::LeastWeighted;
        let per_node = AllocationStrategy::PerNode;
        self.settings.strategy == least
            || self.settings.strategy == per_node && self.settings.fallback == Some(least)
    }

    /// Makes a job's plan anew if something it depends on has changed.
    fn plan(&mut self, job: &Arc<str>, snapshot: &Arc<Snapshot>, now: Instant) {
        let before = self.plans.get(job);
        let is_new_roster = before.is_none_or(|(epoch, _)| *epoch != self.epoch);
        if !is_new_roster && before.is_some_and(|(_, plan)| plan.serves(snapshot, now)) {
            return;
        }
        let before = self.plans.remove(job).map(|(_, plan)| plan);
        let choice = Choice {
            roster: &self.roster,
            options: Options {
                strategy: self.settings.strategy,
                fallback: self.settings.fallback,
                rebalance: is_new_roster,
            },
            zone_label: self.settings.zone_label.as_deref(),
            loads: self.loads(),
            pace: self.pace(snapshot),
        };
        let plan = Plan::new(Arc::clone(snapshot), before, &choice, now);
        self.plans.insert(Arc::clone(job), (self.epoch, plan));
    }

    /// What collectors have of the jobs that are planned.
    fn loads(&self) -> Vec<u64> {
        if !self.has_state() {
            return Vec::new();
        }
        let mut loads = vec![0; self.roster.members().len()];
        let plans = self.plans.values();
        for owner in plans.flat_map(|(_, plan)| plan.handovers().owners()) {
            if let Some(member) = self.roster.find(owner) {
                loads[member] += 1;
            }
        }
        loads
    }

    fn pace(&self, snapshot: &Snapshot) -> Option<Pace> {
        let handover = self.settings.handover?;
        let interval = snapshot.job.defaults.scrape_interval.0;
        Some(Pace::new(handover, interval))
    }
}

/// A line for each collector that came or went.
fn note_change(before: &[Collector], after: &[Collector]) {
    let has = |list: &[Collector], id: &str| list.iter().any(|it| it.id == id);
    for collector in after.iter().filter(|it| !has(before, &it.id)) {
        tracing::info!(collector = %collector.id, "A collector takes part");
    }
    for collector in before.iter().filter(|it| !has(after, &it.id)) {
        tracing::info!(collector = %collector.id, "A collector takes part no more");
    }
}
