//! When the host may say that it is ready.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::snapshot::Directory;

/// What is missing until every job is known, as `job: what`; nothing when all are.
pub fn readiness(directory: &Directory) -> Vec<String> {
    if !directory.applied {
        return vec!["no configuration was applied yet".to_owned()];
    }
    let mut missing = Vec::new();
    for (name, job) in &directory.jobs {
        let snapshot = job.snapshots.borrow();
        if snapshot.known {
            continue;
        }
        if snapshot.missing.is_empty() {
            missing.push(format!("{name}: not known yet"));
        }
        missing.extend(
            snapshot
                .missing
                .iter()
                .map(|what| format!("{name}: {what}")),
        );
    }
    missing
}

/// Remembers that the host was ready: it turns true when every job is known or the timeout has
/// passed, and never false again, since one dead source must not cut off the others.
#[derive(Debug)]
pub struct Readiness {
    deadline: Instant,
    ready: AtomicBool,
}

// === impl Readiness ===

impl Readiness {
    /// Not ready, for at most `timeout` from now.
    pub fn new(timeout: Duration) -> Self {
        Self {
            deadline: Instant::now() + timeout,
            ready: AtomicBool::new(false),
        }
    }

    /// Whether the host is ready, and what is missing: also when it is ready because time is up.
    pub fn check(&self, directory: &Directory) -> (bool, Vec<String>) {
        let missing = readiness(directory);
        if missing.is_empty() || Instant::now() >= self.deadline {
            self.ready.store(true, Ordering::Relaxed);
        }
        (self.ready.load(Ordering::Relaxed), missing)
    }
}
