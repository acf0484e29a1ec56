//! Where a job's generations publish: at most one of them is served, and only ever a newer one
//! takes over.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use imbl::OrdMap;
use periplus_config::Job;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::group::{GroupKey, GroupResult};
use crate::snapshot::{Snapshot, Sums};
use crate::state::Stale;

/// The sending end of a job's snapshots. It outlives generations.
#[derive(Debug)]
pub(crate) struct Publisher {
    snapshots: watch::Sender<Arc<Snapshot>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The generation that is served.
    current: Option<u64>,
    /// In ascending order: the one that is served, if any, and the one that shall be, if another.
    alive: Vec<Alive>,
    /// What is served stays as it is until it is asked to go on.
    frozen: Option<Frozen>,
}

/// What waits for a frozen job to go on.
#[derive(Debug, Default)]
struct Frozen {
    newest: Option<Arc<Snapshot>>,
}

#[derive(Debug)]
struct Alive {
    number: u64,
    job: Arc<Job>,
    stop: CancellationToken,
}

// === impl Publisher ===

impl Publisher {
    /// A job that is not known yet; one without sections is, and is empty.
    pub(crate) fn new(job: Arc<Job>) -> Self {
        let known = job.sections.is_empty();
        let first = Snapshot::new(job, known, Vec::new(), OrdMap::new());
        Self {
            snapshots: watch::channel(Arc::new(first)).0,
            state: Mutex::default(),
        }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.subscribe()
    }

    /// A new generation begins. One that waits to take over never will and ends; the one that is
    /// served goes on.
    pub(crate) fn begin(&self, number: u64, job: Arc<Job>, stop: CancellationToken) {
        let mut state = self.lock();
        let current = state.current;
        state.keep(|alive| Some(alive.number) == current);
        state.alive.push(Alive { number, job, stop });
    }

    /// The newest generation goes on under a configuration that differs in nothing that matters to
    /// its targets.
    pub(crate) fn describe(&self, job: &Arc<Job>) {
        let mut state = self.lock();
        let current = state.current;
        if let Some(newest) = state.alive.last_mut() {
            newest.job = Arc::clone(job);
            if Some(newest.number) == current {
                self.snapshots.send_modify(|snapshot| {
                    *snapshot = Arc::new(snapshot.with_job(Arc::clone(job)));
                });
            }
        }
    }

    /// Publishes a complete state. The first time, the generation takes over from older ones. One
    /// that was ended publishes and counts nothing.
    pub(crate) fn publish(
        &self,
        number: u64,
        groups: OrdMap<GroupKey, Arc<GroupResult>>,
        sums: &Sums,
        stale: Option<Stale>,
        count: impl FnOnce(),
    ) {
        let mut state = self.lock();
        let Some(at) = state.alive.iter().position(|alive| alive.number == number) else {
            return;
        };
        let job = Arc::clone(&state.alive[at].job);
        let is_newest = at + 1 == state.alive.len();
        state.current = Some(number);
        state.keep(|alive| alive.number >= number);
        // What a newer generation waits for stays said.
        let missing = if is_newest {
            Vec::new()
        } else {
            self.snapshots.borrow().missing.clone()
        };
        let mut snapshot = Snapshot::with_sums(job, true, missing, groups, sums);
        snapshot.stale = stale;
        match &mut state.frozen {
            Some(frozen) => frozen.newest = Some(Arc::new(snapshot)),
            None => {
                self.snapshots.send_replace(Arc::new(snapshot));
                count();
            }
        }
    }

    /// Says what the newest generation waits for before it can take over.
    pub(crate) fn wait(&self, number: u64, missing: Vec<String>) {
        let state = self.lock();
        let Some(newest) = state.alive.last().filter(|alive| alive.number == number) else {
            return;
        };
        self.snapshots.send_if_modified(|snapshot| {
            if snapshot.missing == missing {
                return false;
            }
            let job = if snapshot.known {
                &snapshot.job
            } else {
                &newest.job
            };
            *snapshot = Arc::new(snapshot.with_missing(Arc::clone(job), missing));
            true
        });
    }

    /// What is served stays as it is; sources are followed all the same. False if nothing is served
    /// that could stay.
    pub(crate) fn freeze(&self) -> bool {
        let mut state = self.lock();
        if !self.snapshots.borrow().known {
            return false;
        }
        if state.frozen.is_none() {
            state.frozen = Some(Frozen::default());
            self.set_frozen(Some(SystemTime::now()));
        }
        true
    }

    /// Goes on with what is known by now.
    pub(crate) fn thaw(&self) {
        match self.lock().frozen.take() {
            Some(Frozen {
                newest: Some(newest),
            }) => _ = self.snapshots.send_replace(newest),
            Some(Frozen { newest: None }) => self.set_frozen(None),
            None => {}
        }
    }

    fn set_frozen(&self, frozen: Option<SystemTime>) {
        self.snapshots
            .send_modify(|snapshot| *snapshot = Arc::new(snapshot.with_frozen(frozen)));
    }

    /// Ends all generations: the job is gone.
    pub(crate) fn end(&self) {
        self.lock().keep(|_| false);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    /// Ends the generations for which the condition does not hold.
    fn keep(&mut self, mut condition: impl FnMut(&Alive) -> bool) {
        self.alive.retain(|alive| {
            let keep = condition(alive);
            if !keep {
                alive.stop.cancel();
            }
            keep
        });
    }
}
