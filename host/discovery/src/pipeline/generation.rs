//! One generation of a job's configuration: the task that owns its results.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use periplus_config::Job;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::chain::{Chain, Failure, Row, Transformed};
use super::feed::{Change, Feed, Known};
use super::publisher::Publisher;
use super::relabeling::Relabeling;
use super::results::Results;
use super::stays::Stays;
use crate::discovered::Discovered;
use crate::group::GroupKey;
use crate::metrics::{DiscoveryMetrics, MechanismLabel, TransformerLabels};
use crate::snapshot::Snapshot;
use crate::state::Stale;
use crate::updates::Entry;

/// Targets between two points at which other tasks may run: about a millisecond's work.
const TARGETS_PER_TURN: usize = 256;
/// The next pass waits at most this many times the cost of the last,
const PAUSE_PER_COST: u32 = 10;
/// and at most this long.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// Timers are no finer than this; a shorter pause is none.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
/// The first pause before a failed transformer is asked again; it doubles each time,
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// up to this.
const LAST_RETRY: Duration = Duration::from_mins(1);

/// What a generation is made of.
pub(crate) struct Generation {
    pub(crate) number: u64,
    pub(crate) job: Arc<Job>,
    pub(crate) feeds: Vec<Feed>,
    /// Sections and transformers that could not be made: with any, the generation never takes over.
    pub(crate) broken: Vec<String>,
    pub(crate) chain: Chain,
    pub(crate) publisher: Arc<Publisher>,
    /// Woken by every feed.
    pub(crate) wake: Arc<Notify>,
    pub(crate) metrics: DiscoveryMetrics,
}

/// A running generation.
struct Run {
    parts: Generation,
    relabeling: Relabeling,
    /// What older generations serve: `on_error: keep` falls back to that until this one has taken
    /// over.
    older: Option<watch::Receiver<Arc<Snapshot>>>,
    results: Results,
    /// Groups that a transformer failed on, with the reason: tried again.
    failed: BTreeMap<GroupKey, (Entry, Failure)>,
    retry: Retry,
    has_published: bool,
    /// What was published comes from disk in part.
    stale: Option<Stale>,
}

/// When failed groups are tried again.
struct Retry {
    pause: Duration,
    at: Option<Instant>,
}

/// What the feeds delivered.
#[derive(Default)]
struct Batch {
    changes: BTreeMap<GroupKey, Option<Entry>>,
    /// The oldest event of each mechanism.
    observed: BTreeMap<String, Instant>,
    /// What is missing from a complete state.
    missing: Vec<String>,
    /// Transformers may answer differently from before.
    redo: bool,
    /// Some of it comes from disk.
    stale: Option<Stale>,
}

// === impl Generation ===

impl Generation {
    /// Runs until `stop` is cancelled.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let run = Run {
            relabeling: Relabeling::new(&self.job, self.metrics.clone()),
            older: Some(self.publisher.subscribe()),
            results: Results::default(),
            failed: BTreeMap::new(),
            retry: Retry {
                pause: FIRST_RETRY,
                at: None,
            },
            has_published: false,
            stale: None,
            parts: self,
        };
        stop.run_until_cancelled(run.work()).await;
    }
}

// === impl Run ===

impl Run {
    async fn work(mut self) {
        let mut redo = false;
        loop {
            let cost = self.turn(std::mem::take(&mut redo)).await;
            let finished = Instant::now();
            tokio::select! {
                () = self.parts.wake.notified() => {}
                () = self.parts.chain.changed() => redo = true,
                () = self.retry.due() => {}
            }
            let pause = (cost * PAUSE_PER_COST).min(LONGEST_PAUSE);
            let not_before = finished + pause;
            if pause >= SHORTEST_PAUSE && Instant::now() < not_before {
                self.parts.metrics.delayed_updates.inc();
                sleep_until(not_before).await;
            }
        }
    }

    /// One turn: takes what changed, works it in, publishes. Returns what the pass cost.
    async fn turn(&mut self, redo: bool) -> Duration {
        let started = Instant::now();
        let mut batch = self.gather(redo);
        let is_changed = !batch.changes.is_empty();
        if is_changed {
            self.pass(std::mem::take(&mut batch.changes), batch.redo)
                .await;
        }
        batch.missing.extend(self.withheld());
        if !self.has_published && !batch.missing.is_empty() {
            self.parts.publisher.wait(self.parts.number, batch.missing);
        } else if is_changed || !self.has_published || batch.stale != self.stale {
            self.stale = batch.stale;
            self.publish(&batch.observed);
        }
        let cost = started.elapsed();
        if is_changed {
            self.parts
                .metrics
                .pass_duration
                .0
                .observe(cost.as_secs_f64());
        }
        cost
    }

    /// Everything that has to be worked in now: what the feeds bring, failed groups whose time has
    /// come, and all groups if a transformer may answer differently.
    fn gather(&mut self, redo: bool) -> Batch {
        let redo = self.parts.chain.take_changed() || redo;
        let retry = self.retry.take_due();
        let mut batch = Batch {
            missing: self.parts.broken.clone(),
            redo,
            ..Batch::default()
        };
        if redo {
            let all = self.results.groups().iter();
            let all =
                all.map(|(key, result)| (key.clone(), Some(result.discovered().clone().into())));
            batch.changes.extend(all);
        }
        if redo || retry {
            let failed = self.failed.iter();
            batch
                .changes
                .extend(failed.map(|(key, (e, _))| (key.clone(), Some(e.clone()))));
        }
        for feed in &self.parts.feeds {
            let (changes, Known { is_whole, stale }) = feed.take();
            for Change {
                key,
                entry,
                observed,
            } in changes
            {
                batch.observe(feed.mechanism(), observed);
                batch.changes.insert(key, entry);
            }
            batch.stale = match (batch.stale, stale) {
                (Some(one), Some(other)) => Some(one.worst(other)),
                (one, other) => one.or(other),
            };
            if !is_whole {
                let unsaid = || format!("`{}` has not delivered yet", feed.mechanism());
                batch.missing.push(feed.missing().unwrap_or_else(unsaid));
            }
        }
        batch
    }

    async fn pass(&mut self, changes: BTreeMap<GroupKey, Option<Entry>>, redo: bool) {
        let (mut keys, mut work) = (Vec::new(), Vec::new());
        for (key, entry) in changes {
            if let Some(entry) = entry {
                let stays = if redo {
                    Stays::none()
                } else {
                    self.stays(&key, &entry)
                };
                keys.push(key);
                work.push((entry, stays));
            } else {
                self.failed.remove(&key);
                self.results.set(key, None);
            }
        }
        let chain = &self.parts.chain;
        let mut transformed = if chain.is_empty() {
            Vec::new()
        } else {
            let (job, metrics) = (&self.parts.job.name, &self.parts.metrics);
            chain
                .run(&work, |failure| report(job, failure, metrics))
                .await
        }
        .into_iter();
        let mut worked = 0;
        for (key, (entry, stays)) in keys.into_iter().zip(work) {
            worked += entry.discovered.len();
            match transformed.next() {
                Some(after) => self.finish(key, entry, &stays, after),
                None => {
                    let last = self.results.groups().get(&key);
                    let (group, discovered) = (entry.group(), &entry.discovered);
                    let result = self.relabeling.group(&group, discovered, last, &stays);
                    self.results.set(key, Some(result));
                }
            }
            if worked >= TARGETS_PER_TURN {
                worked = 0;
                tokio::task::yield_now().await;
            }
        }
        self.results.settle();
        self.retry.plan(!self.failed.is_empty());
    }

    /// What can stay of a group's last result.
    fn stays(&self, key: &GroupKey, entry: &Entry) -> Stays {
        match self.results.groups().get(key) {
            Some(last) if !self.failed.contains_key(key) => {
                Stays::of(last.discovered().inputs(), entry.discovered.inputs())
            }
            _ => Stays::none(),
        }
    }

    /// Relabels one group after the chain and puts it in its place.
    fn finish(&mut self, key: GroupKey, entry: Entry, stays: &Stays, after: Transformed) {
        if let Some(rows) = after.rows {
            let nothing = Stays::none();
            let stays = if after.is_dropped { &nothing } else { stays };
            let last = self.results.groups().get(&key);
            let result = self.relabeling.edited(&entry.discovered, rows, last, stays);
            self.results.set(key.clone(), Some(result));
        }
        match after.failure {
            Some(failure) => self.failed.insert(key, (entry.without_group(), failure)),
            None => self.failed.remove(&key),
        };
    }

    /// Before this generation takes over: groups that a transformer failed on stay as they are
    /// served now. Rules may have changed, so the last good rows go through the new ones.
    fn fall_back(&mut self) {
        let Some(older) = &self.older else { return };
        let served = older.borrow().clone();
        let held = self.held().filter_map(|(key, _)| {
            let last = served.groups.get(key)?;
            let group = last.discovered().group();
            let rows = last.targets.iter().enumerate();
            let rows = rows
                .map(|(at, target)| (target.row, last.transformed(&group, at).into_owned()))
                .collect();
            Some((key.clone(), last.discovered().clone(), rows))
        });
        let held: Vec<(GroupKey, Discovered, Vec<Row>)> = held.collect();
        for (key, discovered, rows) in held {
            let nothing = Stays::none();
            let result = self.relabeling.edited(&discovered, rows, None, &nothing);
            self.results.set(key, Some(result));
        }
        self.results.settle();
        self.older = None;
    }

    /// Why groups that were delivered are neither in a result nor served already, in words.
    fn withheld(&self) -> impl Iterator<Item = String> {
        let served = self.older.as_ref().map(|older| older.borrow().clone());
        let held = self.held().filter(|(key, _)| {
            !served
                .as_ref()
                .is_some_and(|served| served.groups.contains_key(*key))
        });
        let reasons: BTreeSet<String> = held.map(|(_, failure)| failure.to_string()).collect();
        reasons.into_iter()
    }

    /// Groups that a transformer failed on and that have no result.
    fn held(&self) -> impl Iterator<Item = (&GroupKey, &Failure)> {
        let failed = self.failed.iter().map(|(key, (_, failure))| (key, failure));
        failed.filter(|(key, _)| !self.results.groups().contains_key(*key))
    }

    fn publish(&mut self, observed: &BTreeMap<String, Instant>) {
        self.fall_back();
        let Self { parts, results, .. } = self;
        let groups = results.groups().clone();
        let stale = self.stale;
        parts
            .publisher
            .publish(parts.number, groups, results.sums(), stale, || {
                let found = results.targets();
                let counts = (found, results.standing());
                parts.metrics.published(&parts.job, counts, stale);
            });
        let mut slowest = None;
        for (mechanism, at) in observed {
            let label = MechanismLabel::new(mechanism);
            let latency = parts.metrics.publish_latency.0.get_or_create(&label);
            let took = at.elapsed();
            latency.observe(took.as_secs_f64());
            slowest = slowest.max(Some(took));
        }
        parts.metrics.recent.published(slowest);
        self.has_published = true;
    }
}

fn report(job: &str, failure: &Failure, metrics: &DiscoveryMetrics) {
    let Failure { plugin, message } = failure;
    let labels = TransformerLabels {
        job: job.to_owned(),
        plugin: plugin.clone(),
    };
    metrics.transform_failures.get_or_create(&labels).inc();
    tracing::warn!(job, plugin, error = message, "Transformer failed");
}

// === impl Batch ===

impl Batch {
    fn observe(&mut self, mechanism: &str, at: Option<Instant>) {
        let Some(at) = at else { return };
        match self.observed.get_mut(mechanism) {
            Some(oldest) => *oldest = at.min(*oldest),
            None => {
                self.observed.insert(mechanism.to_owned(), at);
            }
        }
    }
}

// === impl Retry ===

impl Retry {
    /// Until failed groups are due; never if there are none.
    async fn due(&self) {
        match self.at {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// Whether failed groups are due, once.
    fn take_due(&mut self) -> bool {
        let is_due = self.at.is_some_and(|at| at <= Instant::now());
        if is_due {
            self.at = None;
            self.pause = (self.pause * 2).min(LAST_RETRY);
        }
        is_due
    }

    /// After a pass: whether there are failed groups.
    fn plan(&mut self, has_failed: bool) {
        if !has_failed {
            *self = Self {
                pause: FIRST_RETRY,
                at: None,
            };
        } else if self.at.is_none() {
            self.at = Some(Instant::now() + self.pause);
        }
    }
}
