//! The keeper of one cluster: starts and ends watches, and moves readers between them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::fanout::{Fanout, Reader};
use super::handover::hand_over;
use super::need::Need;
use super::plan::plan;
use super::start::watch;
use super::{Door, Joining, WatchContext, Word};
use crate::driver::kept::SharedKept;
use crate::metrics::RunningWatch;
use crate::selector::Filter;

/// How often it is tried to move a reader to a watch that has not caught up yet.
const HAND_OVER_EVERY: Duration = Duration::from_millis(200);
/// A watch of which something came this long before a move was planned counts as alive: often that
/// is why it was planned.
const RECENT: Duration = Duration::from_secs(1);
/// After this time a watch that was refused, and that nobody asked for by itself, is tried again.
const REFUSED_FOR: Duration = Duration::from_mins(10);

/// How long readers that are served by another watch wait for the one that is planned.
const NARROW_AFTER: Duration = Duration::from_secs(1);

/// Owns the watches of a cluster.
pub(super) struct Keeper {
    context: WatchContext,
    door: Arc<Door>,
    readers: BTreeMap<u64, Placed>,
    watches: HashMap<Need, Running>,
    tasks: JoinSet<()>,
    /// Which watch a task is for.
    names: HashMap<Id, Need>,
    refused: HashMap<Need, Instant>,
    /// Since when watches are planned that do not run.
    planned_since: HashMap<Need, Instant>,
}

/// A need, and where it is served.
struct Placed {
    joining: Joining,
    at: Option<Need>,
    /// Where it is to go, and since when.
    planned: Option<(Need, Instant)>,
}

/// A watch that runs until this is dropped.
struct Running {
    kept: SharedKept<Fanout>,
    stop: CancellationToken,
    _stop: DropGuard,
    _counted: RunningWatch,
}

// === impl Keeper ===

impl Keeper {
    pub(super) fn new(context: WatchContext, door: Arc<Door>) -> Self {
        Self {
            context,
            door,
            readers: BTreeMap::new(),
            watches: HashMap::new(),
            tasks: JoinSet::new(),
            names: HashMap::new(),
            refused: HashMap::new(),
            planned_since: HashMap::new(),
        }
    }

    /// Runs until `stop` is cancelled; then all watches end.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        loop {
            for word in self.door.take_words() {
                self.heed(word);
            }
            let is_waiting = self.settle();
            let again = async {
                if is_waiting {
                    sleep(HAND_OVER_EVERY).await;
                } else {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.door.notify.notified() => {}
                () = again => {}
                Some(ended) = self.tasks.join_next_with_id() => self.mend(ended),
            }
        }
    }

    fn heed(&mut self, word: Word) {
        match word {
            Word::Join(id, joining) => {
                let placed = Placed {
                    joining,
                    at: None,
                    planned: None,
                };
                self.readers.insert(id, placed);
            }
            Word::Leave(id) => {
                let placed = self.readers.remove(&id);
                if let Some(watch) = placed.and_then(|it| self.watches.get(&it.at?)) {
                    watch.kept.lock().consumer.leave(id);
                }
            }
        }
    }

    /// Brings watches and readers to where the plan wants them; whether some cannot move yet.
    fn settle(&mut self) -> bool {
        self.note_refusals();
        let needs: Vec<&Need> = self.readers.values().map(|it| &it.joining.need).collect();
        let refused: HashSet<Need> = self.refused.keys().cloned().collect();
        let planned = plan(&needs, &refused);
        let due = self.due(&planned);
        for need in due {
            self.start(need);
        }
        let mut is_waiting = false;
        let watches = &self.watches;
        for ((id, placed), planned) in self.readers.iter_mut().zip(&planned) {
            is_waiting |= !placed.go_to(*id, planned, watches);
        }
        let taken = self.readers.values().filter_map(|it| it.at.as_ref());
        let needed: HashSet<&Need> = taken.chain(&planned).collect();
        self.watches.retain(|need, _| needed.contains(need));
        is_waiting
    }

    /// Planned watches that are to start now. One whose readers are all served by another one can wait:
    /// a reload takes readers away one after the other, and what is planned between two of them is
    /// not worth a watch.
    fn due(&mut self, planned: &[Need]) -> Vec<Need> {
        let (watches, now) = (&self.watches, Instant::now());
        let mut is_urgent: HashMap<&Need, bool> = HashMap::new();
        for (placed, need) in self.readers.values().zip(planned) {
            if !watches.contains_key(need) {
                let serves = |at: &Need| watches.contains_key(at) && !self.refused.contains_key(at);
                let is_served = placed.at.as_ref().is_some_and(serves);
                *is_urgent.entry(need).or_default() |= !is_served;
            }
        }
        self.planned_since
            .retain(|need, _| is_urgent.contains_key(need));
        let mut due = Vec::new();
        for (need, is_urgent) in is_urgent {
            let since = *self.planned_since.entry(need.clone()).or_insert(now);
            if is_urgent || now.duration_since(since) >= NARROW_AFTER {
                due.push(need.clone());
            }
        }
        due
    }

    fn note_refusals(&mut self) {
        self.refused
            .retain(|_, since| since.elapsed() < REFUSED_FOR);
        for (need, running) in &self.watches {
            let kept = running.kept.lock();
            if kept.consumer.is_refused {
                self.refused.insert(need.clone(), Instant::now());
            } else if kept.consumer.is_synced {
                self.refused.remove(need);
            }
        }
    }

    fn start(&mut self, need: Need) {
        let keeper = Arc::clone(&self.door.notify);
        let kept = SharedKept::new(Fanout::new(need.kind.object_kind(), keeper));
        let stop = CancellationToken::new();
        let running = Running {
            kept,
            stop: stop.clone(),
            _stop: stop.drop_guard(),
            _counted: self.context.metrics.watch_runs(need.kind.kind().role),
        };
        self.run_watch(&need, &running);
        self.watches.insert(need, running);
    }

    fn run_watch(&mut self, need: &Need, running: &Running) {
        let work = watch(
            &self.context,
            need,
            running.kept.clone(),
            running.stop.clone(),
        );
        let task = self.tasks.spawn(work);
        self.names.insert(task.id(), need.clone());
    }

    /// A watch ended: because it was stopped, or because of a defect of ours. Then it begins anew
    /// with what it has kept, so that a defect in one costs the others nothing.
    fn mend(&mut self, ended: Result<(Id, ()), JoinError>) {
        let (id, is_defect) = match &ended {
            Ok((id, ())) => (*id, false),
            Err(error) => (error.id(), error.is_panic()),
        };
        let Some(need) = self.names.remove(&id) else {
            return;
        };
        if !is_defect {
            return;
        }
        tracing::error!(?need, "A watch ended by a defect and begins anew");
        if let Some(running) = self.watches.remove(&need) {
            self.run_watch(&need, &running);
            self.watches.insert(need, running);
        }
    }
}

// === impl Placed ===

impl Placed {
    /// Goes to the planned watch; false if that is not possible yet.
    fn go_to(&mut self, id: u64, planned: &Need, watches: &HashMap<Need, Running>) -> bool {
        if self.at.as_ref() == Some(planned) {
            // A move that was planned and given up says nothing about a later one.
            self.planned = None;
            return true;
        }
        let Some(new) = watches.get(planned) else {
            return false;
        };
        let since = match &self.planned {
            Some((known, since)) if known == planned => *since,
            _ => Instant::now(),
        };
        self.planned = Some((planned.clone(), since));
        let Joining {
            need,
            place,
            inbox,
            report,
        } = &self.joining;
        let filter = Filter::between(planned, need);
        match self.at.as_ref().and_then(|at| watches.get(at)) {
            Some(old) => {
                let since = since.checked_sub(RECENT).unwrap_or(since);
                let kind = need.kind.object_kind();
                if !hand_over(id, kind, filter, &old.kept, &new.kept, since) {
                    return false;
                }
            }
            None => {
                let (inbox, report) = (Arc::clone(inbox), Arc::clone(report));
                let reader = Reader::new(id, *place, inbox, report, filter);
                let mut kept = new.kept.lock();
                let crate::driver::kept::Kept { store, consumer } = &mut *kept;
                consumer.join(reader, store);
            }
        }
        self.at = Some(planned.clone());
        true
    }
}
