//! Views that are kept between requests, so that only what changed is made anew.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use periplus_discovery::{Snapshot, View};
use tokio::time::Instant;

use crate::body::{BLOCKING_GROUPS, Stopping};
use crate::encoding::Encoding;
use crate::metrics::ServeMetrics;
use crate::segments::{Segments, Summary};

/// What nobody has asked for in this time is let go.
const KEPT: Duration = Duration::from_mins(2);

/// Views in segments, bounded in bytes; the least recently used go first. Views with selectors are
/// made for each request: their number has no bound.
#[derive(Debug)]
pub(crate) struct ViewCache {
    limit: usize,
    metrics: ServeMetrics,
    entries: Mutex<Entries>,
}

/// A list, ready to be sent.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) summary: Summary,
    /// Its gzip member in pieces, if it was asked for.
    pub(crate) packed: Option<Vec<Bytes>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    job: Arc<str>,
    view: View,
}

#[derive(Debug, Default)]
struct Entries {
    by_key: HashMap<Key, Entry>,
    is_swept: bool,
}

#[derive(Debug)]
struct Entry {
    /// Held while they are brought up to a snapshot, so that requests that come together do it once.
    segments: Arc<tokio::sync::Mutex<Segments>>,
    bytes: usize,
    asked: Instant,
}

// === impl ViewCache ===

impl ViewCache {
    pub(crate) fn new(limit: usize, metrics: ServeMetrics) -> Arc<Self> {
        Arc::new(Self {
            limit,
            metrics,
            entries: Mutex::default(),
        })
    }

    /// What a view shows of a snapshot.
    pub(crate) async fn list(
        self: &Arc<Self>,
        job: &Arc<str>,
        view: &View,
        encoding: Encoding,
        snapshot: &Arc<Snapshot>,
    ) -> Result<Listed, Stopping> {
        if !view.selectors.is_empty() {
            let segments = tokio::sync::Mutex::new(Segments::new(view.clone()));
            return self
                .make(Arc::new(segments), encoding, snapshot)
                .await
                .map(|made| made.0);
        }
        let key = Key {
            job: Arc::clone(job),
            view: view.clone(),
        };
        let segments = self.segments(&key);
        let (listed, bytes) = self.make(Arc::clone(&segments), encoding, snapshot).await?;
        self.account(&key, &segments, bytes);
        Ok(listed)
    }

    async fn make(
        &self,
        segments: Arc<tokio::sync::Mutex<Segments>>,
        encoding: Encoding,
        snapshot: &Arc<Snapshot>,
    ) -> Result<(Listed, usize), Stopping> {
        let (snapshot, metrics) = (Arc::clone(snapshot), self.metrics.clone());
        let mut segments = segments.lock_owned().await;
        let is_large = snapshot.groups.len() > BLOCKING_GROUPS;
        let mut work = move || {
            let is_packed = encoding == Encoding::Gzip;
            let made = segments.update(&snapshot, is_packed);
            if made > 0 {
                metrics.body_built(encoding);
                metrics.segments_built(made);
            }
            let listed = Listed {
                summary: segments.summary(),
                packed: is_packed.then(|| segments.packed()),
            };
            (listed, segments.size())
        };
        if is_large {
            return Ok(tokio::task::spawn_blocking(work).await?);
        }
        Ok(work())
    }

    fn segments(self: &Arc<Self>, key: &Key) -> Arc<tokio::sync::Mutex<Segments>> {
        let mut entries = self.lock();
        if let Some(entry) = entries.by_key.get_mut(key) {
            entry.asked = Instant::now();
            return Arc::clone(&entry.segments);
        }
        let segments = Segments::new(key.view.clone());
        let segments = Arc::new(tokio::sync::Mutex::new(segments));
        let entry = Entry {
            segments: Arc::clone(&segments),
            bytes: 0,
            asked: Instant::now(),
        };
        entries.by_key.insert(key.clone(), entry);
        if !std::mem::replace(&mut entries.is_swept, true) {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
        segments
    }

    /// Counts what a view takes, and makes room for it.
    fn account(&self, key: &Key, segments: &Arc<tokio::sync::Mutex<Segments>>, bytes: usize) {
        let mut entries = self.lock();
        let Some(entry) = entries.by_key.get_mut(key) else {
            return;
        };
        if !Arc::ptr_eq(&entry.segments, segments) {
            return;
        }
        entry.bytes = bytes;
        if bytes > self.limit {
            // It would push out everything else and still not fit.
            entries.by_key.remove(key);
        }
        let mut total: usize = entries.by_key.values().map(|entry| entry.bytes).sum();
        while total > self.limit {
            let oldest = entries.by_key.iter().min_by_key(|(_, entry)| entry.asked);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                break;
            };
            total -= entries
                .by_key
                .remove(&oldest)
                .map_or(0, |entry| entry.bytes);
        }
        self.metrics.set_view_bytes(total);
    }

    /// Lets go of what nobody asks for any more; whether nothing is left.
    fn sweep(&self) -> bool {
        let now = Instant::now();
        let mut entries = self.lock();
        entries.by_key.retain(|_, entry| now < entry.asked + KEPT);
        let bytes = entries.by_key.values().map(|entry| entry.bytes).sum();
        self.metrics.set_view_bytes(bytes);
        entries.is_swept = !entries.by_key.is_empty();
        !entries.is_swept
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn sweep(cache: std::sync::Weak<ViewCache>) {
    loop {
        tokio::time::sleep(KEPT / 2).await;
        match cache.upgrade() {
            Some(cache) if !cache.sweep() => {}
            _ => return,
        }
    }
}
