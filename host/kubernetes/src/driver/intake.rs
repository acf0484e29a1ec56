//! From the bytes of objects to records, and to what changed.

use std::collections::HashSet;
use std::sync::MutexGuard;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::Consumer;
use super::kept::{Kept, SharedKept};
use super::state::WatchEnd;
use super::store::Put;
use crate::api::ApiError;
use crate::api::error::Refusal;
use crate::frame::Frame;
use crate::metrics::{EventKind, KubernetesMetrics};
use crate::record::Writer;
use crate::resource::{ObjectNames, Resource};
use crate::wire::{Named, Text};

/// Of how many objects it is remembered that a warning was logged.
const WARNED_OBJECTS: usize = 1024;

/// Takes objects as bytes, keeps their records, and tells the consumer what changed.
///
/// An object that cannot be read is skipped and counted; what is known of it stays.
pub(crate) struct Intake<R, C> {
    resource: R,
    kept: SharedKept<C>,
    metrics: KubernetesMetrics,
    writer: Writer,
    key: String,
    told: bool,
    /// Whether this list held something that cannot be told apart from any known object.
    unidentified: bool,
    warned: HashSet<String>,
}

/// How far a watch has got.
#[derive(Debug)]
pub(crate) struct Cursor {
    /// The version of the last event.
    pub(crate) version: String,
    /// Whether any event could be read.
    pub(crate) fruitful: bool,
    /// The version at the beginning, where it is a number.
    began: Option<u64>,
}

/// What the place of an object among the others says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Nothing: it is part of a state.
    None,
    /// Every change before it was told.
    Event,
}

/// One line of a watch, when it is not in the form that the API server gives it.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    object: &'a RawValue,
}

// === impl Cursor ===

impl Cursor {
    /// A watch that begins after `version`.
    pub(crate) fn new(version: &str) -> Self {
        Self {
            version: version.to_owned(),
            fruitful: false,
            began: version.parse().ok(),
        }
    }

    /// Goes on to the version of an event. False if it lies before the beginning: versions of a
    /// watch only grow, so the server has another history than the one that was listed.
    fn advance(&mut self, version: &str) -> bool {
        let rewound = match (self.began, version.parse::<u64>()) {
            (Some(began), Ok(version)) => version < began,
            _ => false,
        };
        if rewound {
            return false;
        }
        self.fruitful = true;
        if !version.is_empty() {
            self.version.clear();
            self.version.push_str(version);
        }
        true
    }
}

// === impl Intake ===

impl<R: Resource, C: Consumer> Intake<R, C> {
    pub(super) fn new(resource: R, kept: SharedKept<C>, metrics: KubernetesMetrics) -> Self {
        Self {
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
        self.kept().store.begin();
        self.unidentified = false;
        self.metrics.list_began(self.role());
    }

    /// A list is complete: what it did not show is gone.
    pub(super) fn list_complete(&mut self, version: &str) {
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
            self.metrics.event(self.role(), EventKind::Delete);
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
                if self.read_key(bytes).is_some() {
                    self.kept.lock().store.touch(&self.key);
                } else {
                    self.unidentified = true;
                    self.key.clear();
                }
                let key = std::mem::take(&mut self.key);
                self.reject(&key, &error.to_string());
                self.key = key;
            }
        }
    }

    /// One line of a watch. `Some` if the watch cannot go on after it.
    pub(super) fn event(&mut self, line: Frame<'_>, cursor: &mut Cursor) -> Option<WatchEnd> {
        let Frame::Whole(line) = line else {
            self.reject("", "larger than 8 MiB");
            return None;
        };
        let handled = match split_usual(line) {
            Some((kind, object)) => self.split_event(kind, object, cursor),
            None => match split_any(line) {
                Ok((kind, object)) => self.split_event(&kind, object, cursor),
                Err(error) => Err(error.to_string()),
            },
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
            "ADDED" | "MODIFIED" => self.modified(object, cursor),
            "DELETED" => {
                let version = self
                    .read_key(object)
                    .ok_or("no names in a deleted object")?;
                if !cursor.advance(&version) {
                    return Ok(Some(WatchEnd::Rewound));
                }
                self.metrics.event(self.role(), EventKind::Delete);
                let mut kept = self.kept.lock();
                kept.store.advance_to(number(&version));
                if let Some(key) = kept.store.remove(&self.key) {
                    kept.consumer.gone(&key);
                    self.told = true;
                }
                Ok(None)
            }
            "BOOKMARK" => {
                let named: Named<'_> = parse(object)?;
                let version = named.metadata.resource_version;
                if !cursor.advance(version.as_str()) {
                    return Ok(Some(WatchEnd::Rewound));
                }
                self.kept().store.advance_to(number(version.as_str()));
                Ok(None)
            }
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

    fn modified(&mut self, object: &[u8], cursor: &mut Cursor) -> Result<Option<WatchEnd>, String> {
        let wire = match serde_json::from_slice::<R::Wire<'_>>(object) {
            Ok(wire) => wire,
            Err(error) => {
                let _: serde::de::IgnoredAny = parse(object)?;
                let version = self.read_key(object);
                let key = version.as_ref().map_or(String::new(), |_| self.key.clone());
                self.reject(&key, &error.to_string());
                let went_on = cursor.advance(version.as_deref().unwrap_or_default());
                return Ok((!went_on).then_some(WatchEnd::Rewound));
            }
        };
        if !cursor.advance(self.resource.names(&wire).resource_version) {
            return Ok(Some(WatchEnd::Rewound));
        }
        if !self.apply(&wire, Order::Event) {
            self.reject("", "no name");
        }
        Ok(None)
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
        let put = store.put(&self.key, &mut self.writer, version);
        if order == Order::Event {
            store.advance_to(version);
        }
        if put != Put::Unchanged
            && let Some((key, record)) = store.get(&self.key)
        {
            consumer.changed(key, record);
            self.told = true;
        }
        drop(kept);
        let role = self.role();
        let kind = if put == Put::Added {
            EventKind::Add
        } else {
            EventKind::Update
        };
        self.metrics.event(role, kind);
        if put == Put::Unchanged {
            self.metrics.unchanged(role);
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
        self.metrics.rejected(self.role());
        if self.warned.len() < WARNED_OBJECTS && self.warned.insert(key.to_owned()) {
            tracing::warn!(resource = %self.resource.kind().plural, object = key, reason, "Object skipped");
        } else {
            tracing::debug!(resource = %self.resource.kind().plural, object = key, reason, "Object skipped");
        }
    }
}

/// A version as a number; 0 if it is none.
fn number(version: &str) -> u64 {
    version.parse().unwrap_or(0)
}

fn parse<'a, T: Deserialize<'a>>(object: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(object).map_err(|error| error.to_string())
}

/// Splits a line as the API server writes it, without parsing the object twice.
fn split_usual(line: &[u8]) -> Option<(&str, &[u8])> {
    let rest = line.strip_prefix(br#"{"type":""#)?;
    let (kind, rest) = rest.split_at(memchr::memchr(b'"', rest)?);
    let object = rest
        .strip_prefix(br#"","object":"#)?
        .trim_ascii_end()
        .strip_suffix(b"}")?;
    Some((std::str::from_utf8(kind).ok()?, object))
}

/// Splits a line in any form.
fn split_any(line: &[u8]) -> Result<(String, &[u8]), serde_json::Error> {
    let line: Line<'_> = serde_json::from_slice(line)?;
    Ok((line.kind.0.into_owned(), line.object.get().as_bytes()))
}

#[cfg(test)]
mod tests;
