//! States that a reader may come back for.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use periplus_core::ContentHash;
use periplus_discovery::Snapshot;
use tokio::time::Instant;

/// So many states of each job: they share all groups that did not change between them.
const MOST_STATES: usize = 16;
/// A reader that stays away longer begins anew.
const KEPT: Duration = Duration::from_mins(2);

/// The last states of each job that was watched.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<States>);

#[derive(Debug, Default)]
struct States {
    by_job: HashMap<Arc<str>, VecDeque<Remembered>>,
    is_swept: bool,
}

#[derive(Debug)]
struct Remembered {
    snapshot: Arc<Snapshot>,
    /// When it was last the newest one.
    at: Instant,
}

// === impl History ===

impl History {
    /// Remembers the newest state of a job.
    pub(crate) fn remember(self: &Arc<Self>, job: &Arc<str>, snapshot: &Arc<Snapshot>) {
        let mut states = self.lock();
        let of_job = states.by_job.entry(Arc::clone(job)).or_default();
        of_job.retain(|it| it.snapshot.version != snapshot.version);
        if of_job.len() == MOST_STATES {
            of_job.pop_front();
        }
        of_job.push_back(Remembered {
            snapshot: Arc::clone(snapshot),
            at: Instant::now(),
        });
        if !std::mem::replace(&mut states.is_swept, true) {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// The state of a version, if it is remembered.
    pub(crate) fn find(&self, job: &str, version: ContentHash) -> Option<Arc<Snapshot>> {
        let states = self.lock();
        let mut of_job = states.by_job.get(job)?.iter();
        let found = of_job.find(|it| it.snapshot.version == version)?;
        Some(Arc::clone(&found.snapshot))
    }

    /// Lets go of what is old; whether nothing is left.
    fn sweep(&self) -> bool {
        let now = Instant::now();
        let mut states = self.lock();
        for of_job in states.by_job.values_mut() {
            of_job.retain(|it| now < it.at + KEPT);
        }
        states.by_job.retain(|_, of_job| !of_job.is_empty());
        states.is_swept = !states.by_job.is_empty();
        !states.is_swept
    }

    fn lock(&self) -> MutexGuard<'_, States> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn sweep(history: Weak<History>) {
    loop {
        tokio::time::sleep(KEPT / 4).await;
        match history.upgrade() {
            Some(history) if !history.sweep() => {}
            _ => return,
        }
    }
}
