//! From the bytes of objects to records, and to what changed.

use std::collections::HashSet;
use std::sync::MutexGuard;

use serde::Deserialize;
use tokio::time::Instant;

mod cursor;
mod line;

pub(super) use self::cursor::Cursor;
use self::line::Bookmark;
use super::Consumer;
use super::kept::{Kept, SharedKept};
use super::state::WatchEnd;
use super::store::Put;
use crate::api::ApiError;
use crate::api::error::Refusal;
use crate::frame::Frame;
use crate::metrics::{EventKind, KubernetesMetrics, ObjectMetrics};
use crate::record::Writer;
use crate::resource::{ObjectNames, Resource};
use crate::wire::Named;

/// Of how many objects it is remembered that a warning was logged.
const WARNED_OBJECTS: usize = 1024;

/// Takes objects as bytes, keeps their records, and tells the consumer what changed.
///
/// An object that cannot be read is skipped and counted; what is known of it stays.
pub(crate) struct Intake<R, C> {
    resource: R,
    kept: SharedKept<C>,
    metrics: KubernetesMetrics,
    objects: ObjectMetrics,
    writer: Writer,
    key: String,
    told: bool,
    /// Whether this list held something that cannot be told apart from any known object.
    unidentified: bool,
    warned: HashSet<String>,
}

/// Which event brought an object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Added,
    Modified,
}

/// What the place of an object among the others says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Nothing: it is part of a state.
    None,
    /// It changed while a state was told.
    Change,
    /// Every change before it was told.
    Event,
}

// === impl Intake ===

impl<R: Resource, C: Consumer> Intake<R, C> {
    pub(super) fn new(resource: R, kept: SharedKept<C>, metrics: KubernetesMetrics) -> Self {
        Self {
            objects: metrics.objects(resource.kind().role),
            resource,
            kept,
            metrics,
            writer: Writer::default(),
            key: String::new(),
            told: false,
            unidentified: false,
            warned: HashSet::new(),
        }
    }

    /// Records and consumer, for a moment.
    pub(super) fn kept(&self) -> MutexGuard<'_, Kept<C>> {
        self.kept.lock()
    }

    fn role(&self) -> &'static str {
        self.resource.kind().role
    }

    /// A list begins at its first page.
    pub(super) fn list_begins(&mut self) {
        self.state_begins();
        self.metrics.list_began(self.role());
    }

    /// A streamed state begins.
    pub(super) fn stream_begins(&mut self) {
        self.state_begins();
        self.metrics.stream_began(self.role());
    }

    fn state_begins(&mut self) {
        self.kept().store.begin();
        self.unidentified = false;
    }

    /// A state is complete, up to `version`: what it did not show is gone.
    pub(super) fn complete(&mut self, version: &str) {
        self.kept().store.complete_to(number(version));
        if self.unidentified {
            // Any object could be the one that was not readable: better one too many than one
            // that vanishes. A later list, or the event of its deletion, takes it.
            tracing::warn!(
                resource = %self.resource.kind().plural,
                "Objects without a name in the list: nothing removed"
            );
            return;
        }
        let mut kept = self.kept.lock();
        for key in kept.store.sweep() {
            self.objects.event(EventKind::Delete);
            kept.consumer.gone(&key);
            self.told = true;
        }
        drop(kept);
        self.publish(Instant::now());
    }

    /// Lets the consumer show what it was told.
    pub(super) fn publish(&mut self, read_at: Instant) {
        if std::mem::take(&mut self.told) {
            self.kept().consumer.publish(read_at);
        }
    }

    /// One item of a list.
    pub(super) fn item(&mut self, item: Frame<'_>) {
        let Frame::Whole(bytes) = item else {
            self.unidentified = true;
            self.reject("", "larger than 8 MiB");
            return;
        };
        match serde_json::from_slice::<R::Wire<'_>>(bytes) {
            Ok(wire) => {
                if !self.apply(&wire, Order::None) {
                    self.unidentified = true;
                    self.reject("", "no name");
                }
            }
            Err(error) => {
                let is_named = self.read_key(bytes).is_some();
                self.seen_unread(is_named);
                let key = if is_named {
                    self.key.clone()
                } else {
                    String::new()
                };
                self.reject(&key, &error.to_string());
            }
        }
    }

    /// One line of a watch. `Some` if the watch cannot go on after it.
    pub(super) fn event(&mut self, frame: Frame<'_>, cursor: &mut Cursor) -> Option<WatchEnd> {
        let Frame::Whole(line) = frame else {
            self.unidentified |= cursor.initial;
            self.reject("", "larger than 8 MiB");
            return None;
        };
        let handled = match line::split(line) {
            Ok((kind, object)) => self.split_event(&kind, object, cursor),
            Err(error) => Err(error.to_string()),
        };
        match handled {
            Ok(end) => end,
            // The line itself is broken. Which object it was about is not known, so the events
            // after the last good one are asked for again.
            Err(error) => Some(WatchEnd::Broken(ApiError::Garbled(format!(
                "a line of the watch is not readable: {error}"
            )))),
        }
    }

    /// `Err` if the object is no JSON.
    fn split_event(
        &mut self,
        kind: &str,
        object: &[u8],
        cursor: &mut Cursor,
    ) -> Result<Option<WatchEnd>, String> {
        match kind {
            "ADDED" => self.put(object, cursor, Kind::Added),
            "MODIFIED" => {
                cursor.saw_change = true;
                self.put(object, cursor, Kind::Modified)
            }
            "DELETED" => {
                cursor.saw_change = true;
                self.deleted(object, cursor)
            }
            "BOOKMARK" => self.bookmark(object, cursor),
            "ERROR" => {
                let refusal = Refusal::parse(500, object);
                Ok(Some(WatchEnd::ErrorEvent(ApiError::Refused(refusal))))
            }
            other => {
                self.reject("", &format!("event of unknown type {other:?}"));
                Ok(None)
            }
        }
    }

    fn deleted(&mut self, object: &[u8], cursor: &mut Cursor) -> Result<Option<WatchEnd>, String> {
        let version = self
            .read_key(object)
            .ok_or("no names in a deleted object")?;
        if !cursor.advance(&version) {
            return Ok(Some(WatchEnd::Rewound));
        }
        self.objects.event(EventKind::Delete);
        let mut kept = self.kept.lock();
        if !cursor.initial {
            kept.store.advance_to(number(&version));
        }
        if let Some(key) = kept.store.remove(&self.key) {
            kept.consumer.gone(&key);
            self.told = true;
        }
        Ok(None)
    }

    /// A bookmark says how far the watch is, and the one that is marked so, that the state which
    /// was asked for is whole.
    fn bookmark(&mut self, object: &[u8], cursor: &mut Cursor) -> Result<Option<WatchEnd>, String> {
        let Bookmark { metadata } = parse(object)?;
        let version = metadata.resource_version.as_str();
        if cursor.initial {
            if !metadata.ends_state() {
                // A server that knows of streamed states sends no other before that one.
                return Ok(Some(WatchEnd::Endless));
            }
            cursor.complete(version);
            self.complete(version);
            return Ok(None);
        }
        if !cursor.advance(version) {
            return Ok(Some(WatchEnd::Rewound));
        }
        self.kept().store.advance_to(number(version));
        Ok(None)
    }

    fn put(
        &mut self,
        object: &[u8],
        cursor: &mut Cursor,
        kind: Kind,
    ) -> Result<Option<WatchEnd>, String> {
        let wire = match serde_json::from_slice::<R::Wire<'_>>(object) {
            Ok(wire) => wire,
            Err(error) => {
                let _: serde::de::IgnoredAny = parse(object)?;
                let version = self.read_key(object);
                let key = version.as_ref().map_or(String::new(), |_| self.key.clone());
                if cursor.initial {
                    self.seen_unread(version.is_some());
                }
                self.reject(&key, &error.to_string());
                let went_on = cursor.advance(version.as_deref().unwrap_or_default());
                return Ok((!went_on).then_some(WatchEnd::Rewound));
            }
        };
        let version = self.resource.names(&wire).resource_version;
        if !cursor.advance(version) {
            if kind == Kind::Added && self.is_known_at(&wire, number(version)) {
                // A state that is told twice.
                return Ok(None);
            }
            return Ok(Some(WatchEnd::Rewound));
        }
        let order = match (cursor.initial, kind) {
            (false, _) => Order::Event,
            (true, Kind::Added) => Order::None,
            (true, Kind::Modified) => Order::Change,
        };
        if !self.apply(&wire, order) {
            self.unidentified |= cursor.initial;
            self.reject("", "no name");
        }
        Ok(None)
    }

    /// Whether the very same version of an object is kept.
    fn is_known_at(&mut self, wire: &R::Wire<'_>, version: u64) -> bool {
        let names = self.resource.names(wire);
        names.write_key(self.resource.kind(), &mut self.key)
            && version != 0
            && self.kept().store.version(&self.key) == Some(version)
    }

    /// An object of a state whose content cannot be read: what is known of it stays. Without its
    /// name, nothing can be told apart from it.
    fn seen_unread(&mut self, is_named: bool) {
        if is_named {
            self.kept.lock().store.touch(&self.key);
        } else {
            self.unidentified = true;
        }
    }

    /// Puts an object. False if it has no names.
    fn apply(&mut self, wire: &R::Wire<'_>, order: Order) -> bool {
        let names = self.resource.names(wire);
        if !names.write_key(self.resource.kind(), &mut self.key) {
            return false;
        }
        let version = number(names.resource_version);
        self.resource.pack(wire, &mut self.writer);
        let mut kept = self.kept.lock();
        let Kept { store, consumer } = &mut *kept;
        if order == Order::None && store.is_newer(&self.key, version) {
            // It changed while the state was told.
            self.writer.reset();
            return true;
        }
        let put = store.put(&self.key, &mut self.writer, version);
        if order == Order::Event {
            store.advance_to(version);
        }
        let mut remark = None;
        if put != Put::Unchanged
            && let Some((key, record)) = store.get(&self.key)
        {
            remark = self.resource.remark(record);
            consumer.changed(key, record);
            self.told = true;
        }
        drop(kept);
        if let Some(reason) = remark
            && self.is_news(&self.key.clone())
        {
            tracing::warn!(resource = %self.resource.kind().plural, object = %self.key, reason, "Object cut");
        }
        self.objects.event(if put == Put::Added {
            EventKind::Add
        } else {
            EventKind::Update
        });
        if put == Put::Unchanged {
            self.objects.unchanged();
        }
        true
    }

    /// Reads the key of an object of which no more can be read; its version.
    fn read_key(&mut self, object: &[u8]) -> Option<String> {
        let Named { metadata } = serde_json::from_slice(object).ok()?;
        let names = ObjectNames {
            namespace: metadata.namespace.as_str(),
            name: metadata.name.as_str(),
            resource_version: "",
        };
        names
            .write_key(self.resource.kind(), &mut self.key)
            .then(|| metadata.resource_version.as_str().to_owned())
    }

    fn reject(&mut self, key: &str, reason: &str) {
        self.objects.rejected();
        if self.is_news(key) {
            tracing::warn!(resource = %self.resource.kind().plural, object = key, reason, "Object skipped");
        } else {
            tracing::debug!(resource = %self.resource.kind().plural, object = key, reason, "Object skipped");
        }
    }

    /// Whether nothing was said of an object yet.
    fn is_news(&mut self, key: &str) -> bool {
        self.warned.len() < WARNED_OBJECTS && self.warned.insert(key.to_owned())
    }
}

/// A version as a number; 0 if it is none.
fn number(version: &str) -> u64 {
    version.parse().unwrap_or(0)
}

fn parse<'a, T: Deserialize<'a>>(object: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(object).map_err(|error| error.to_string())
}
