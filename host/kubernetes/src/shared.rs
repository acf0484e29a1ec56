//! Watches that views share: one per cluster, kind, namespace and selection, whoever needs it.
//!
//! ```text
//!  join(need) --> keeper --plan--> watches: Driver --> Store + Fanout --changes--> Inbox of each view
//! ```
//!
//! The keeper of a cluster knows all needs, and [`plan`](plan::plan) says by which watch each is
//! to be served. When the plan changes, readers move from one watch to the other without a gap;
//! a watch without readers ends.

mod fanout;
mod handover;
mod inbox;
mod keeper;
mod need;
mod plan;
mod start;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) use inbox::{Inbox, Pending};
pub(crate) use need::Need;

use crate::api::Api;
use crate::metrics::KubernetesMetrics;
use crate::progress::WatchReport;
use keeper::Keeper;

/// An API server, as somebody, with the watches that are open there. When the last one who holds
/// it is gone, they end.
pub(crate) struct Cluster {
    door: Arc<Door>,
    _stop: DropGuard,
}

/// What a watch needs to run.
#[derive(Clone)]
pub(crate) struct WatchContext {
    /// The API server.
    pub(crate) api: Arc<dyn Api>,
    /// Where events and failures are counted.
    pub(crate) metrics: KubernetesMetrics,
    /// How many first states may be read at a time, over all clusters.
    pub(crate) gate: Arc<Semaphore>,
}

/// A need that is served as long as this is held.
pub(crate) struct Subscription {
    cluster: Arc<Cluster>,
    id: u64,
}

/// Where those who come and go leave word for the keeper. Short: one entry per need.
struct Door {
    next: AtomicU64,
    words: Mutex<Vec<Word>>,
    notify: Arc<Notify>,
}

enum Word {
    Join(u64, Joining),
    Leave(u64),
}

/// A view that comes for one of its needs.
struct Joining {
    need: Need,
    place: usize,
    inbox: Arc<Inbox>,
    report: Arc<WatchReport>,
}

// === impl Cluster ===

impl Cluster {
    /// Nothing is watched yet. Its keeper runs as a task of its own.
    pub(crate) fn new(context: WatchContext) -> Arc<Self> {
        let door = Arc::new(Door {
            next: AtomicU64::new(0),
            words: Mutex::default(),
            notify: Arc::default(),
        });
        let stop = CancellationToken::new();
        let keeper = Keeper::new(context, Arc::clone(&door));
        tokio::spawn(keeper.run(stop.clone()));
        Arc::new(Self {
            door,
            _stop: stop.drop_guard(),
        })
    }

    /// Has a need served: its objects go to `inbox`, how the watch does to `report`. `place` is
    /// the number by which the view knows the need.
    pub(crate) fn join(
        self: &Arc<Self>,
        need: Need,
        place: usize,
        inbox: Arc<Inbox>,
        report: Arc<WatchReport>,
    ) -> Subscription {
        let id = self.door.next.fetch_add(1, Ordering::Relaxed);
        let joining = Joining {
            need,
            place,
            inbox,
            report,
        };
        self.door.leave_word(Word::Join(id, joining));
        Subscription {
            cluster: Arc::clone(self),
            id,
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.cluster.door.leave_word(Word::Leave(self.id));
    }
}

// === impl Door ===

impl Door {
    fn leave_word(&self, word: Word) {
        self.words
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(word);
        self.notify.notify_one();
    }

    fn take_words(&self) -> Vec<Word> {
        std::mem::take(&mut self.words.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests;
