//! Reads every version that a job publishes, and looks for what must be in each.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use periplus_discovery::{GroupKey, JobHandle, Snapshot};
use tokio::task::JoinHandle;

/// Misses that are told one by one.
const TOLD: usize = 10;

/// Somebody who reads one job.
pub(crate) struct Witness {
    task: JoinHandle<()>,
    seen: Arc<Mutex<Seen>>,
}

/// What a witness has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Versions that were read. Of versions that follow each other closely some are never read.
    pub(crate) versions: u64,
    /// Versions in which something was missing, in words.
    pub(crate) misses: Vec<String>,
}

// === impl Witness ===

impl Witness {
    /// Reads the versions of `job` from now on; each must have a group for each of `sources`.
    pub(crate) fn begin(job: &JobHandle, sources: &BTreeSet<String>) -> Self {
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let name = Arc::clone(&job.name);
        let sources: Vec<Arc<str>> = sources.iter().map(|it| Arc::from(it.as_str())).collect();
        let mut snapshots = job.snapshots.clone();
        let noted = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            loop {
                let snapshot = snapshots.borrow_and_update().clone();
                let missing = missing(&snapshot, &sources);
                let mut seen = noted.lock().unwrap_or_else(PoisonError::into_inner);
                seen.versions += 1;
                if !missing.is_empty() && seen.misses.len() < TOLD {
                    let version = seen.versions;
                    seen.misses.push(format!("job `{name}`, version {version}: {missing:?}"));
                }
                drop(seen);
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
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn missing(snapshot: &Snapshot, sources: &[Arc<str>]) -> Vec<String> {
    if !snapshot.known {
        return vec!["everything".to_owned()];
    }
    // Every job here has one section.
    let Some((first, _)) = snapshot.groups.iter().next() else {
        return sources.iter().map(ToString::to_string).collect();
    };
    let is_missing = |source: &&Arc<str>| {
        let key = GroupKey {
            section: Arc::clone(&first.section),
            source: Arc::clone(source),
        };
        !snapshot.groups.contains_key(&key)
    };
    let missing = sources.iter().filter(is_missing);
    missing.map(ToString::to_string).collect()
}
