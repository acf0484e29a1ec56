//! One watch, many views: hands each change to those whom it is about.

use std::collections::HashSet;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::inbox::Inbox;
use crate::driver::store::Store;
use crate::driver::{Consumer, Problem};
use crate::progress::WatchReport;
use crate::record::Record;
use crate::resource::ObjectKey;
use crate::selector::Filter;
use crate::view::ObjectKind;

/// Where the changes of one watch go.
pub(super) struct Fanout {
    kind: ObjectKind,
    readers: Vec<Reader>,
    pub(super) is_synced: bool,
    problem: Option<String>,
    /// When anything last came from the server.
    pub(super) heard: Option<Instant>,
    /// The server refused before it ever answered.
    pub(super) is_refused: bool,
    /// Woken when the watch is synced or refused: others may wait for that.
    keeper: Arc<Notify>,
}

/// A view that reads a watch.
pub(super) struct Reader {
    /// Which need of all views it is for.
    pub(super) id: u64,
    /// Which need of its own view.
    pub(super) place: usize,
    pub(super) inbox: Arc<Inbox>,
    pub(super) report: Arc<WatchReport>,
    selection: Option<Selection>,
    is_touched: bool,
}

/// What a reader sees of a wider watch.
struct Selection {
    filter: Filter,
    members: HashSet<ObjectKey, FxBuildHasher>,
}

// === impl Fanout ===

impl Fanout {
    pub(super) fn new(kind: ObjectKind, keeper: Arc<Notify>) -> Self {
        Self {
            kind,
            readers: Vec::new(),
            is_synced: false,
            problem: None,
            heard: None,
            is_refused: false,
            keeper,
        }
    }

    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.readers.is_empty()
    }

    /// A reader that knows nothing of the watch's objects yet: it is told all that is known.
    pub(super) fn join(&mut self, mut reader: Reader, store: &Store) {
        for (key, record, _) in store.iter() {
            if reader.wants(key, record) {
                reader.inbox.put(self.kind, key, Some(record));
            }
        }
        self.welcome(reader);
    }

    /// A reader that is told already what it needs of the watch.
    pub(super) fn welcome(&mut self, reader: Reader) {
        if self.is_synced {
            reader.inbox.wake(Instant::now());
            reader.inbox.synced(reader.place);
        }
        match &self.problem {
            Some(problem) => reader.report.problem(problem.clone()),
            None if self.is_synced => reader.report.success(),
            None => {}
        }
        self.readers.push(reader);
    }

    /// Takes a reader out.
    pub(super) fn leave(&mut self, id: u64) -> Option<Reader> {
        let at = self.readers.iter().position(|reader| reader.id == id)?;
        Some(self.readers.swap_remove(at))
    }

    /// Looks at a reader without taking it out.
    pub(super) fn reader(&self, id: u64) -> Option<&Reader> {
        self.readers.iter().find(|reader| reader.id == id)
    }
}

impl Consumer for Fanout {
    fn changed(&mut self, key: &ObjectKey, record: &Record) {
        for reader in &mut self.readers {
            if reader.wants(key, record) {
                reader.inbox.put(self.kind, key, Some(record));
                reader.is_touched = true;
            } else if reader.forgets(key) {
                reader.inbox.put(self.kind, key, None);
                reader.is_touched = true;
            }
        }
    }

    fn gone(&mut self, key: &ObjectKey) {
        for reader in &mut self.readers {
            if reader.selection.is_none() || reader.forgets(key) {
                reader.inbox.put(self.kind, key, None);
                reader.is_touched = true;
            }
        }
    }

    fn publish(&mut self, read_at: Instant) {
        self.heard = Some(read_at);
        for reader in &mut self.readers {
            if std::mem::take(&mut reader.is_touched) {
                reader.inbox.wake(read_at);
            }
        }
    }

    fn synced(&mut self) {
        if !std::mem::replace(&mut self.is_synced, true) {
            for reader in &self.readers {
                reader.inbox.synced(reader.place);
            }
        }
        self.is_refused = false;
        self.heard = Some(Instant::now());
        self.keeper.notify_one();
    }

    fn answered(&mut self) {
        self.heard = Some(Instant::now());
        self.problem = None;
        for reader in &self.readers {
            reader.report.success();
        }
    }

    fn failed(&mut self, problem: &Problem) {
        self.problem = Some(problem.text.clone());
        for reader in &self.readers {
            reader.report.problem(problem.text.clone());
        }
        if problem.is_forbidden && !self.is_synced {
            self.is_refused = true;
            self.keeper.notify_one();
        }
    }
}

// === impl Reader ===

impl Reader {
    /// A reader of a watch that is seen through `filter`.
    pub(super) fn new(
        id: u64,
        place: usize,
        inbox: Arc<Inbox>,
        report: Arc<WatchReport>,
        filter: Option<Filter>,
    ) -> Self {
        let selection = filter.map(|filter| Selection {
            filter,
            members: HashSet::default(),
        });
        Self {
            id,
            place,
            inbox,
            report,
            selection,
            is_touched: false,
        }
    }

    /// Whether the object is one of those that the reader was told of.
    pub(super) fn knows(&self, key: &ObjectKey) -> bool {
        let selection = self.selection.as_ref();
        selection.is_none_or(|selection| selection.members.contains(key))
    }

    /// Whether the reader is to be told of an object as it is now; remembers that it was.
    pub(super) fn wants(&mut self, key: &ObjectKey, record: &Record) -> bool {
        let Some(Selection { filter, members }) = &mut self.selection else {
            return true;
        };
        let is_match = filter.is_match(key, record);
        if is_match && !members.contains(key) {
            members.insert(key.clone());
        }
        is_match
    }

    /// Whether the reader was told of an object, which it no longer sees.
    fn forgets(&mut self, key: &ObjectKey) -> bool {
        let selection = self.selection.as_mut();
        selection.is_some_and(|selection| selection.members.remove(key))
    }
}
