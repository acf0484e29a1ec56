//! Between a provider and the manager: what changed and is not taken yet, and how the source does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rustc_hash::{FxHashMap, FxHashSet};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::store::{Entry, FRESH_AT_MOST};
use crate::state::{Restored, Stale};
use crate::status::{ProviderState, ProviderStatus};

/// One provider's pending changes and status. Locked for a few lines at a time, never across an
/// await.
#[derive(Debug)]
pub(crate) struct Mailbox {
    id: u64,
    name: Arc<str>,
    mechanism: Arc<str>,
    wake: Arc<Wake>,
    /// Somebody wants the source to be asked now.
    asked: Notify,
    state: Mutex<State>,
}

/// Tells the one reader of many mailboxes which of them have something.
#[derive(Debug, Default)]
pub(crate) struct Wake {
    /// Each mailbox at most once, so bounded by the number of providers.
    dirty: Mutex<Vec<u64>>,
    released: AtomicBool,
    notify: Notify,
}

#[derive(Debug, Default)]
struct State {
    dirty: bool,
    pending: Pending,
    observed: Option<Instant>,
    status: Status,
}

/// What changed since the last drain, by source; the last state wins.
#[derive(Debug, Default)]
pub(super) struct Pending {
    changes: FxHashMap<Arc<str>, (Entry, Instant)>,
    /// A complete state is among the changes: what else is known is gone, but for these sources.
    lapsed: Option<FxHashSet<Arc<str>>>,
    /// What was known before this process began.
    restored: Vec<(Arc<str>, Entry)>,
    updates: u64,
    /// The status changed in a way that matters to readers.
    is_noted: bool,
    /// When the event behind what is merged now arrived.
    arrived: Option<Instant>,
}

/// How a source does.
#[derive(Clone, Debug, Default)]
pub(super) struct Status {
    pub(super) synced: bool,
    pub(super) stopped: bool,
    /// What is known comes from disk, and the source has not confirmed it.
    pub(super) stale: Option<Stale>,
    pub(super) waiting_for: Option<String>,
    pub(super) last_success: Option<SystemTime>,
    pub(super) last_error: Option<(SystemTime, String)>,
    /// The source is asked from time to time, instead of telling what changes.
    pub(super) is_polled: bool,
    pub(super) next_refresh: Option<SystemTime>,
    pub(super) groups: usize,
    pub(super) targets: usize,
}

/// What was taken from a mailbox.
#[derive(Debug)]
pub(crate) struct Drained {
    /// Changed groups with the arrival of the event behind each.
    pub(super) changes: FxHashMap<Arc<str>, (Entry, Instant)>,
    /// If the changes are a complete state: the sources that stay although they are not in it.
    pub(super) lapsed: Option<FxHashSet<Arc<str>>>,
    /// Groups from disk, for as long as the provider is not synced.
    pub(super) restored: Vec<(Arc<str>, Entry)>,
    /// Calls that brought changes.
    pub(crate) updates: u64,
    /// Whether readers should look at the status again.
    pub(crate) is_noted: bool,
    /// Whether the provider is synced, these changes included.
    pub(crate) synced: bool,
    /// If it is not: what is known comes from disk.
    pub(crate) stale: Option<Stale>,
}

// === impl Mailbox ===

impl Mailbox {
    pub(crate) fn new(id: u64, name: &str, mechanism: &str, wake: Arc<Wake>) -> Self {
        let (name, mechanism) = (name.into(), mechanism.into());
        Self {
            id,
            name,
            mechanism,
            wake,
            asked: Notify::new(),
            state: Mutex::default(),
        }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn mechanism(&self) -> &Arc<str> {
        &self.mechanism
    }

    /// Merges changes into what is pending.
    pub(super) fn post(&self, merge: impl FnOnce(&mut Pending)) {
        let mut state = self.lock();
        state.pending.arrived = Some(state.observed.take().unwrap_or_else(Instant::now));
        state.pending.updates += 1;
        merge(&mut state.pending);
        self.mark(state);
    }

    /// Changes the status; the reader is woken if `change` says that it matters to others.
    pub(super) fn note(&self, change: impl FnOnce(&mut Status) -> bool) {
        let mut state = self.lock();
        if change(&mut state.status) {
            state.pending.is_noted = true;
            self.mark(state);
        }
    }

    pub(super) fn observe(&self, at: Instant) {
        self.lock().observed = Some(at);
    }

    /// Has the source asked at once, if it is one that is asked at all; whether it is.
    pub(crate) fn ask(&self) -> bool {
        let is_polled = self.lock().status.is_polled;
        if is_polled {
            self.asked.notify_one();
        }
        is_polled
    }

    /// Until somebody wants the source to be asked, also if they did before this call.
    pub(super) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// What was last known before this process began; means nothing once the provider is synced.
    pub(crate) fn restore(&self, restored: Restored) {
        let Restored { groups, stale } = restored;
        let mut state = self.lock();
        if state.status.synced {
            return;
        }
        state.status.stale = Some(stale);
        state.pending.restored = groups.into_iter().map(Entry::new).collect();
        state.pending.is_noted = true;
        self.mark(state);
    }

    /// The provider ended by itself.
    pub(crate) fn stopped(&self, error: Option<String>) {
        self.note(|status| {
            status.stopped = true;
            if let Some(error) = error {
                status.last_error = Some((SystemTime::now(), error));
            }
            true
        });
    }

    /// Takes everything that is pending.
    pub(crate) fn drain(&self) -> Drained {
        let mut state = self.lock();
        state.dirty = false;
        let Pending {
            changes,
            lapsed,
            restored,
            updates,
            is_noted,
            ..
        } = std::mem::take(&mut state.pending);
        Drained {
            changes,
            lapsed,
            restored,
            updates,
            is_noted,
            synced: state.status.synced,
            stale: state.status.stale,
        }
    }

    /// Tells what the reader holds, for the status.
    pub(crate) fn count(&self, groups: usize, targets: usize) {
        let mut state = self.lock();
        state.status.groups = groups;
        state.status.targets = targets;
    }

    /// The status, less what only the manager knows.
    pub(crate) fn status(&self) -> ProviderStatus {
        let status = self.lock().status.clone();
        let state = match &status {
            Status { stopped: true, .. } => ProviderState::Stopped,
            Status {
                last_error: Some(_),
                ..
            } => ProviderState::Failing,
            Status { synced: true, .. } => ProviderState::Ready,
            _ => ProviderState::Starting,
        };
        ProviderStatus {
            name: self.name.to_string(),
            mechanism: self.mechanism.to_string(),
            jobs: Vec::new(),
            state,
            waiting_for: status.waiting_for.filter(|_| !status.synced),
            synced: status.synced,
            stale_since: status.stale.map(|stale| stale.since),
            last_success: status.last_success,
            last_error: status.last_error,
            refreshable: status.is_polled && !status.stopped,
            next_refresh: status.next_refresh,
            groups: status.groups,
            targets: status.targets,
            config: serde_json::Value::Null,
        }
    }

    /// Why there is no complete state yet, in words; nothing once there is one.
    pub(crate) fn missing(&self) -> Option<String> {
        let state = self.lock();
        let status = &state.status;
        if status.synced {
            return None;
        }
        let error = status.last_error.as_ref().map(|(_, error)| error);
        let why = match (&status.waiting_for, error) {
            (Some(what), Some(error)) if !what.contains(error.as_str()) => {
                format!("waiting for {what}; last error: {error}")
            }
            (Some(what), _) => format!("waiting for {what}"),
            (None, Some(error)) => error.clone(),
            (None, None) if status.stopped => "ended before it had delivered".to_owned(),
            (None, None) => "has not delivered yet".to_owned(),
        };
        Some(format!("`{}`: {why}", self.name))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mark(&self, mut state: MutexGuard<'_, State>) {
        let first = !std::mem::replace(&mut state.dirty, true);
        drop(state);
        if first {
            self.wake.mark(self.id);
        }
    }
}

// === impl Wake ===

impl Wake {
    /// The mailboxes that have something, each once.
    pub(crate) fn take_dirty(&self) -> Vec<u64> {
        std::mem::take(&mut *self.dirty.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether someone let go of a provider since the last call.
    pub(crate) fn take_released(&self) -> bool {
        self.released.swap(false, Ordering::AcqRel)
    }

    /// Someone no longer needs a provider.
    pub(crate) fn release(&self) {
        self.released.store(true, Ordering::Release);
        self.notify.notify_one();
    }

    /// Until there is something, also if it came before this call.
    pub(crate) async fn notified(&self) {
        self.notify.notified().await;
    }

    fn mark(&self, id: u64) {
        self.dirty
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(id);
        self.notify.notify_one();
    }
}

// === impl Pending ===

impl Pending {
    pub(super) fn merge(&mut self, entries: Vec<(Arc<str>, Entry)>) {
        let now = self.arrived.unwrap_or_else(Instant::now);
        for (source, entry) in entries {
            let entry = if self.changes.len() < FRESH_AT_MOST {
                entry
            } else {
                entry.without_group()
            };
            // The oldest event decides the latency of what was merged.
            let since = self
                .changes
                .get(&source)
                .map_or(now, |(_, at)| now.min(*at));
            self.changes.insert(source, (entry, since));
        }
    }

    pub(super) fn reset(&mut self, entries: Vec<(Arc<str>, Entry)>, lapsed: &[Arc<str>]) {
        let lapsed: FxHashSet<Arc<str>> = lapsed.iter().cloned().collect();
        // A lapsed source stays as it was: as a pending change says, or gone if an earlier complete
        // state, itself still pending, had it gone.
        self.changes.retain(|source, _| lapsed.contains(source));
        self.lapsed = Some(match self.lapsed.take() {
            Some(earlier) => lapsed.intersection(&earlier).cloned().collect(),
            None => lapsed,
        });
        self.merge(entries);
    }
}
