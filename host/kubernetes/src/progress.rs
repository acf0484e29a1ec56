//! What the watches of one provider add up to: synced, waiting, failing.

use std::sync::{Arc, Mutex, PoisonError};

use periplus_discovery::Updates;

/// How many watches are named one by one; the others are counted.
const NAMED: usize = 3;

/// The watches of one provider.
pub(crate) struct Progress {
    updates: Updates,
    watches: Mutex<Vec<WatchStatus>>,
}

/// One watch reports through this.
pub(crate) struct WatchReport {
    progress: Arc<Progress>,
    at: usize,
}

struct WatchStatus {
    /// Such as ``list of `pods` in `team-a` ``.
    what: String,
    synced: bool,
    problem: Option<String>,
}

// === impl Progress ===

impl Progress {
    /// Nothing is known of any watch yet. `whats` name the first thing that each has to do.
    pub(crate) fn begin(updates: Updates, whats: Vec<String>) -> Vec<WatchReport> {
        let count = whats.len();
        let watches = whats
            .into_iter()
            .map(|what| WatchStatus {
                what,
                synced: false,
                problem: None,
            })
            .collect();
        let progress = Arc::new(Self {
            updates,
            watches: Mutex::new(watches),
        });
        progress.change(|_| {});
        (0..count)
            .map(|at| WatchReport {
                progress: Arc::clone(&progress),
                at,
            })
            .collect()
    }

    fn change(&self, change: impl FnOnce(&mut Vec<WatchStatus>)) {
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut watches);
        let problems = summary(watches.iter().filter_map(|watch| {
            watch
                .problem
                .as_ref()
                .map(|problem| format!("{}: {problem}", watch.what))
        }));
        let waiting =
            summary(watches.iter().filter(|watch| !watch.synced).map(
                |watch| match &watch.problem {
                    Some(problem) => format!("{}: {problem}", watch.what),
                    None => watch.what.clone(),
                },
            ));
        let synced = waiting.is_none();
        match problems {
            Some(problems) => self.updates.failure(problems),
            None if watches.iter().any(|watch| watch.synced) => self.updates.success(),
            None => {}
        }
        self.updates.waiting_for(waiting);
        if synced {
            self.updates.synced();
        }
    }

    /// Whether a success would change nothing but the time of the last one.
    fn is_quiet(&self) -> bool {
        let watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        watches.iter().all(|watch| watch.problem.is_none())
    }
}

/// The first few, and how many more there are.
fn summary(all: impl Iterator<Item = String>) -> Option<String> {
    let all: Vec<String> = all.collect();
    if all.is_empty() {
        return None;
    }
    let text = all[..all.len().min(NAMED)].join("; ");
    let more = all.len().saturating_sub(NAMED);
    Some(if more == 0 {
        text
    } else {
        format!("{text}; and {more} more")
    })
}

// === impl WatchReport ===

impl WatchReport {
    /// The first list was delivered, groups and all.
    pub(crate) fn synced(&self) {
        self.progress.change(|watches| {
            watches[self.at].synced = true;
            watches[self.at].problem = None;
        });
    }

    /// The server answered.
    pub(crate) fn success(&self) {
        if self.progress.is_quiet() {
            self.progress.updates.success();
        } else {
            self.progress
                .change(|watches| watches[self.at].problem = None);
        }
    }

    /// The server did not answer as it should.
    pub(crate) fn problem(&self, problem: String) {
        self.progress
            .change(|watches| watches[self.at].problem = Some(problem));
    }
}

#[cfg(test)]
mod tests;
