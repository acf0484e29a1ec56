//! Reads every version that a job publishes, and notes what vanishes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use periplus_discovery::{JobHandle, Snapshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Somebody who reads one job.
pub(crate) struct Witness {
    task: JoinHandle<()>,
    seen: Arc<Mutex<Seen>>,
}

/// What a witness has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) job: String,
    /// Versions that were read. Of versions that follow each other closely some are never read.
    pub(crate) versions: u64,
    /// What was in one version and not in the next.
    pub(crate) vanished: Vec<Vanished>,
}

/// A group that was there.
#[derive(Clone, Debug)]
pub(crate) struct Vanished {
    pub(crate) source: String,
    /// The address of its first target.
    pub(crate) address: String,
    /// When it was first seen with that address.
    pub(crate) since: Instant,
    /// When a version was read that lacks it.
    pub(crate) at: Instant,
}

/// Sources with the address of the first target, and since when.
type Present = BTreeMap<Arc<str>, (String, Instant)>;

// === impl Witness ===

impl Witness {
    /// Reads the versions of `job` from now on.
    pub(crate) fn begin(job: &JobHandle) -> Self {
        let seen = Arc::new(Mutex::new(Seen {
            job: job.name.to_string(),
            ..Seen::default()
        }));
        let mut snapshots = job.snapshots.clone();
        let noted = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let mut present = Present::new();
            loop {
                let snapshot = snapshots.borrow_and_update().clone();
                let now = present_in(&snapshot, &present);
                let vanished = vanished(&present, &now);
                note(&noted, vanished);
                present = now;
                if snapshots.changed().await.is_err() {
                    return;
                }
            }
        });
        Self { task, seen }
    }

    /// Stops reading; what was seen.
    pub(crate) fn end(self) -> Seen {
        self.task.abort();
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }
}

fn note(seen: &Mutex<Seen>, vanished: Vec<Vanished>) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.versions += 1;
    seen.vanished.extend(vanished);
}

fn present_in(snapshot: &Snapshot, before: &Present) -> Present {
    let moment = Instant::now();
    let groups = snapshot.groups.iter().map(|(key, result)| {
        let group = result.discovered().group();
        let first = group.targets.first();
        let address = first.and_then(|target| target.get("__address__"));
        let address = address.unwrap_or_default().to_owned();
        let known = before.get(&key.source);
        let since = known.filter(|(known, _)| *known == address);
        let since = since.map_or(moment, |(_, since)| *since);
        (Arc::clone(&key.source), (address, since))
    });
    groups.collect()
}

fn vanished(before: &Present, now: &Present) -> Vec<Vanished> {
    let at = Instant::now();
    let gone = before.iter().filter(|(source, (address, _))| {
        now.get(*source).is_none_or(|(found, _)| found != address)
    });
    gone.map(|(source, (address, since))| Vanished {
        source: source.to_string(),
        address: address.clone(),
        since: *since,
        at,
    })
    .collect()
}
