//! From watches to one view: what changed and is not taken yet.
//!
//! Keyed by object, the last state wins: a watch never waits for a view, and what is pending is
//! bounded by the number of objects.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::record::Record;
use crate::resource::ObjectKey;
use crate::view::ObjectKind;

/// The changed objects of one view.
#[derive(Default)]
pub(crate) struct Inbox {
    pending: Mutex<Pending>,
    notify: Notify,
}

/// What was taken from an inbox.
#[derive(Default)]
pub(crate) struct Pending {
    /// Objects as they are now; `None` if they are gone.
    pub(crate) changes: FxHashMap<ObjectKey, (ObjectKind, Option<Record>)>,
    /// When the last byte of the oldest change was read.
    pub(crate) observed: Option<Instant>,
    /// Needs whose whole state is among the changes, or was before.
    pub(crate) synced: Vec<usize>,
}

// === impl Inbox ===

impl Inbox {
    /// An empty inbox.
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// An object as it is now. The view is not woken yet; see [`Inbox::wake`].
    pub(super) fn put(&self, kind: ObjectKind, key: &ObjectKey, record: Option<&Record>) {
        let state = (kind, record.cloned());
        self.lock().changes.insert(key.clone(), state);
    }

    /// What was put since the last call can be worked in; its last byte was read at `read_at`.
    pub(super) fn wake(&self, read_at: Instant) {
        let mut pending = self.lock();
        let oldest = pending.observed.map_or(read_at, |it| it.min(read_at));
        pending.observed = Some(oldest);
        drop(pending);
        self.notify.notify_one();
    }

    /// Everything that the need at this place is about was put.
    pub(super) fn synced(&self, place: usize) {
        self.lock().synced.push(place);
        self.notify.notify_one();
    }

    /// Until there is something to take.
    pub(crate) async fn ready(&self) {
        self.notify.notified().await;
    }

    /// Takes everything.
    pub(crate) fn take(&self) -> Pending {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
