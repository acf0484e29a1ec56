//! What the watches of one provider add up to: synced, waiting, failing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use periplus_discovery::Updates;

/// How many watches are named one by one; the others are counted.
const NAMED: usize = 3;

/// The watches of one provider.
pub(crate) struct Progress {
    updates: Updates,
    state: Mutex<State>,
}

/// One watch of one provider reports through this. Dropped, it is no longer waited for.
pub(crate) struct WatchReport {
    progress: Arc<Progress>,
    id: u64,
}

#[derive(Default)]
struct State {
    next: u64,
    watches: BTreeMap<u64, WatchStatus>,
    /// Watches may still be added: nothing is decided yet.
    is_open: bool,
    /// From now on a watch that fails, or was never answered, is not waited for, if any other has
    /// delivered.
    goes_on_without_failing: bool,
}

struct WatchStatus {
    /// Such as ``list of `pods` in `team-a` ``.
    what: String,
    /// Its first state has come.
    arrived: bool,
    /// Its first state was delivered, and so was that of all others that it is joined with.
    synced: bool,
    /// The server answered at least once.
    answered: bool,
    problem: Option<String>,
}

// === impl Progress ===

impl Progress {
    /// Nothing is known of any watch yet. Until [`Progress::all_named`] the provider waits.
    pub(crate) fn new(updates: Updates) -> Arc<Self> {
        let state = State {
            is_open: true,
            ..State::default()
        };
        Arc::new(Self {
            updates,
            state: Mutex::new(state),
        })
    }

    /// A further watch; `what` names the first thing that it has to do.
    pub(crate) fn watch(self: &Arc<Self>, what: String) -> WatchReport {
        let mut state = self.lock();
        let id = state.next;
        state.next += 1;
        let status = WatchStatus {
            what,
            arrived: false,
            synced: false,
            answered: false,
            problem: None,
        };
        state.watches.insert(id, status);
        drop(state);
        WatchReport {
            progress: Arc::clone(self),
            id,
        }
    }

    /// The first watches are named.
    pub(crate) fn all_named(&self) {
        self.change(|state| state.is_open = false);
    }

    /// From now on what fails, or has no answer yet, is not waited for, as long as something has
    /// delivered.
    pub(crate) fn go_on_without_failing(&self) {
        self.change(|state| state.goes_on_without_failing = true);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        if state.is_open {
            return;
        }
        match summary(state.watches.values().filter(|it| it.problem.is_some())) {
            Some(problems) => self.updates.failure(problems),
            None if state.watches.values().any(|watch| watch.synced) => self.updates.success(),
            None => {}
        }
        let waits = |watch: &&WatchStatus| state.waits_for(watch);
        let is_known = !state.watches.values().any(|it| waits(&it))
            && state.watches.values().any(|watch| watch.synced);
        let missing = state.watches.values().filter(|it| waits(it) && !it.arrived);
        self.updates.waiting_for(summary(missing));
        if is_known {
            self.updates.synced();
        }
    }
}

// === impl State ===

impl State {
    fn waits_for(&self, watch: &WatchStatus) -> bool {
        let is_excused = self.goes_on_without_failing
            && (watch.problem.is_some() || !watch.answered)
            && self.watches.values().any(|watch| watch.synced);
        !watch.synced && !is_excused
    }
}

/// The first few, and how many more there are.
fn summary<'w>(all: impl Iterator<Item = &'w WatchStatus>) -> Option<String> {
    let all: Vec<&WatchStatus> = all.collect();
    if all.is_empty() {
        return None;
    }
    let named = all.iter().take(NAMED).map(|watch| match &watch.problem {
        Some(problem) => format!("{}: {problem}", watch.what),
        None => watch.what.clone(),
    });
    let text = named.collect::<Vec<_>>().join("; ");
    let more = all.len().saturating_sub(NAMED);
    Some(if more == 0 {
        text
    } else {
        format!("{text}; and {more} more")
    })
}

// === impl WatchReport ===

impl WatchReport {
    /// The first state has come; it cannot be delivered before that of others.
    pub(crate) fn arrived(&self) {
        self.change(|watch| watch.arrived = true);
    }

    /// The first state was delivered, groups and all.
    pub(crate) fn synced(&self) {
        self.change(|watch| watch.synced = true);
    }

    /// The server answered.
    pub(crate) fn success(&self) {
        self.change(|watch| {
            watch.answered = true;
            watch.problem = None;
        });
    }

    /// The server did not answer as it should.
    pub(crate) fn problem(&self, problem: String) {
        self.change(|watch| watch.problem = Some(problem));
    }

    fn change(&self, change: impl FnOnce(&mut WatchStatus)) {
        self.progress.change(|state| {
            if let Some(watch) = state.watches.get_mut(&self.id) {
                change(watch);
            }
        });
    }
}

impl Drop for WatchReport {
    fn drop(&mut self) {
        self.progress.change(|state| {
            state.watches.remove(&self.id);
        });
    }
}

#[cfg(test)]
mod tests;
