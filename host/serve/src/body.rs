//! Joined bodies: made once per content, kept while there is room.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use periplus_core::ContentHash;
use periplus_discovery::{Snapshot, Stage};
use tokio::sync::OnceCell;

use crate::encoding::{self, Encoding};
use crate::metrics::ServeMetrics;

/// Bodies beyond this size are compressed on a blocking thread: at 700 MB/s it is 1.5 ms.
const BLOCKING_BYTES: usize = 1 << 20;
/// Snapshots with more groups are joined on a blocking thread, since segments that nobody has read
/// yet are rendered by it.
const BLOCKING_GROUPS: usize = 256;

/// Joined bodies, bounded in bytes; the least recently used go first. Of each job, stage and
/// encoding only the newest content is kept.
#[derive(Debug)]
pub(crate) struct BodyCache {
    limit: usize,
    metrics: ServeMetrics,
    entries: Mutex<Entries>,
}

/// Names a body; its content is named by [`Snapshot::stage_version`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    job: Arc<str>,
    stage: Stage,
    encoding: Encoding,
}

#[derive(Debug, Default)]
struct Entries {
    by_key: HashMap<Key, Entry>,
    /// The sum of all entries' sizes.
    bytes: usize,
    /// Counts uses.
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    version: ContentHash,
    cell: Arc<OnceCell<Bytes>>,
    /// 0 until the body was made.
    bytes: usize,
    used: u64,
}

/// A body could not be made because the host is stopping.
#[derive(Debug, thiserror::Error)]
#[error("the host is stopping")]
pub(crate) struct Stopping(#[from] tokio::task::JoinError);

// === impl BodyCache ===

impl BodyCache {
    pub(crate) fn new(limit: usize, metrics: ServeMetrics) -> Self {
        Self {
            limit,
            metrics,
            entries: Mutex::default(),
        }
    }

    /// The body of a job's stage. Requests that come together for the same content make it once.
    pub(crate) async fn body(
        &self,
        job: &Arc<str>,
        stage: Stage,
        encoding: Encoding,
        snapshot: &Arc<Snapshot>,
    ) -> Result<Bytes, Stopping> {
        let key = Key {
            job: Arc::clone(job),
            stage,
            encoding,
        };
        let cell = self.cell(&key, snapshot.stage_version(stage));
        let body = match encoding {
            Encoding::Identity => cell.get_or_try_init(|| self.join(snapshot, stage)).await?,
            Encoding::Gzip => {
                let pack = async || {
                    let identity = Encoding::Identity;
                    let plain = Box::pin(self.body(job, stage, identity, snapshot)).await?;
                    self.pack(plain).await
                };
                cell.get_or_try_init(pack).await?
            }
        };
        self.account(&key, &cell, body.len());
        Ok(body.clone())
    }

    async fn join(&self, snapshot: &Arc<Snapshot>, stage: Stage) -> Result<Bytes, Stopping> {
        self.metrics.body_built(Encoding::Identity);
        if snapshot.groups.len() <= BLOCKING_GROUPS {
            return Ok(join(snapshot, stage));
        }
        let snapshot = Arc::clone(snapshot);
        Ok(tokio::task::spawn_blocking(move || join(&snapshot, stage)).await?)
    }

    async fn pack(&self, plain: Bytes) -> Result<Bytes, Stopping> {
        self.metrics.body_built(Encoding::Gzip);
        if plain.len() <= BLOCKING_BYTES {
            return Ok(encoding::gzip(&plain));
        }
        Ok(tokio::task::spawn_blocking(move || encoding::gzip(&plain)).await?)
    }

    /// The place of a body, which other requests share.
    fn cell(&self, key: &Key, version: ContentHash) -> Arc<OnceCell<Bytes>> {
        let mut entries = self.lock();
        entries.clock += 1;
        let used = entries.clock;
        if let Some(entry) = entries.by_key.get_mut(key)
            && entry.version == version
        {
            entry.used = used;
            return Arc::clone(&entry.cell);
        }
        let cell = Arc::<OnceCell<Bytes>>::default();
        let entry = Entry {
            version,
            cell: Arc::clone(&cell),
            bytes: 0,
            used,
        };
        if let Some(old) = entries.by_key.insert(key.clone(), entry) {
            entries.bytes -= old.bytes;
        }
        self.metrics.set_cache_bytes(entries.bytes);
        cell
    }

    /// Counts a body that was made, and makes room for it.
    fn account(&self, key: &Key, cell: &Arc<OnceCell<Bytes>>, bytes: usize) {
        let mut entries = self.lock();
        let Some(entry) = entries.by_key.get_mut(key) else {
            return;
        };
        if !Arc::ptr_eq(&entry.cell, cell) || entry.bytes != 0 {
            return;
        }
        entry.bytes = bytes;
        entries.bytes += bytes;
        if bytes > self.limit {
            // It would push out everything else and still not fit.
            entries.remove(key);
        }
        while entries.bytes > self.limit {
            let finished = entries.by_key.iter().filter(|(_, entry)| entry.bytes > 0);
            let Some((oldest, _)) = finished.min_by_key(|(_, entry)| entry.used) else {
                break;
            };
            let oldest = oldest.clone();
            entries.remove(&oldest);
        }
        self.metrics.set_cache_bytes(entries.bytes);
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Entries ===

impl Entries {
    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.by_key.remove(key) {
            self.bytes -= entry.bytes;
        }
    }
}

/// All segments of a stage as one JSON list, in the order of the groups' keys.
fn join(snapshot: &Snapshot, stage: Stage) -> Bytes {
    let segments = snapshot.groups.values().map(|group| group.segment(stage));
    let segments: Vec<Bytes> = segments.filter(|segment| !segment.is_empty()).collect();
    let length: usize = segments.iter().map(|segment| segment.len() + 1).sum();
    let mut body = Vec::with_capacity(length + 2);
    body.push(b'[');
    for (index, segment) in segments.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(segment);
    }
    body.push(b']');
    body.into()
}
