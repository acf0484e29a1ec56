//! Lists as bodies: ready bytes where that pays, else rendered while they are sent.
//!
//! To render a list costs about as much as to copy it a few times, so bytes are kept only of lists
//! that are small, or that are asked for again within seconds. Whatever is kept is let go when
//! nobody has asked for it for a minute. Compressed lists and parts of lists are kept in segments.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use periplus_core::ContentHash;
use periplus_discovery::{BodyPieces, Shard, Snapshot, Stage, View};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::encoding::Encoding;
use crate::metrics::ServeMetrics;

/// More groups than this are measured or compressed on a blocking thread.
pub(crate) const BLOCKING_GROUPS: usize = 256;
/// Bodies up to this size are always kept: they cost more to make than to have.
const SMALL: usize = 256 << 10;
/// A larger one is kept when the same content is asked for again within this time: then more than
/// one reader has use for it. A lone reader asks less often.
const AGAIN: Duration = Duration::from_secs(10);
/// What nobody has asked for in this time is let go.
const KEPT: Duration = Duration::from_mins(1);

/// Plain bodies, bounded in bytes; the least recently used go first. Of each job and stage only the
/// newest content is kept.
#[derive(Debug)]
pub(crate) struct BodyCache {
    limit: usize,
    metrics: ServeMetrics,
    entries: Mutex<Entries>,
}

/// A list on its way to a reader.
#[derive(Debug)]
pub(crate) enum Made {
    /// All of it.
    Ready(Bytes),
    /// Its pieces, which are as long as this together.
    Pieces(BodyPieces, usize),
    /// Its pieces, which are there already.
    Packed(Vec<Bytes>),
}

/// Names a body; its content is named by [`Snapshot::stage_version`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    job: Arc<str>,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    /// The list of a stage.
    List(Stage),
    /// The assignment of a job, or of a part of it.
    Assignment(Option<Shard>),
}

#[derive(Debug, Default)]
struct Entries {
    by_key: HashMap<Key, Entry>,
    /// The sum of all entries' sizes.
    bytes: usize,
    /// Counts uses.
    clock: u64,
    /// Whether a task looks for what nobody asks for.
    is_swept: bool,
}

#[derive(Debug)]
struct Entry {
    version: ContentHash,
    cell: Arc<OnceCell<Bytes>>,
    /// 0 until the body was made.
    bytes: usize,
    used: u64,
    asked: Instant,
}

/// Pieces as an HTTP body, rendered or ready.
struct PiecesBody<I> {
    pieces: I,
    left: usize,
}

/// A body could not be made because the host is stopping.
#[derive(Debug, thiserror::Error)]
#[error("the host is stopping")]
pub(crate) struct Stopping(#[from] tokio::task::JoinError);

// === impl BodyCache ===

impl BodyCache {
    pub(crate) fn new(limit: usize, metrics: ServeMetrics) -> Arc<Self> {
        Arc::new(Self {
            limit,
            metrics,
            entries: Mutex::default(),
        })
    }

    /// The body of a job's stage. Requests that come together for the same content make what is kept
    /// of it once.
    pub(crate) async fn body(
        self: &Arc<Self>,
        job: &Arc<str>,
        stage: Stage,
        snapshot: &Arc<Snapshot>,
    ) -> Result<Made, Stopping> {
        let key = Key {
            job: Arc::clone(job),
            what: What::List(stage),
        };
        let (cell, is_again) = self.cell(&key, snapshot.stage_version(stage));
        if let Some(body) = cell.get() {
            return Ok(Made::Ready(body.clone()));
        }
        let length = length(snapshot, stage).await?;
        if length > SMALL && !(is_again && length <= self.limit) {
            self.metrics.body_built(Encoding::Identity);
            return Ok(Made::Pieces(snapshot.body(View::of(stage)), length));
        }
        let join = || {
            self.metrics.body_built(Encoding::Identity);
            aside(snapshot, move |list| join(list, stage, length))
        };
        let body = cell.get_or_try_init(join).await?;
        self.account(&key, &cell, body.len());
        Ok(Made::Ready(body.clone()))
    }

    /// The assignment of a job or of a part of it, which `make` makes: once for all readers that
    /// waited for it.
    pub(crate) async fn assignment(
        self: &Arc<Self>,
        job: &Arc<str>,
        shard: Option<Shard>,
        version: &str,
        snapshot: &Arc<Snapshot>,
        make: impl FnOnce(&Arc<Snapshot>) -> Bytes + Send + 'static,
    ) -> Result<Bytes, Stopping> {
        let key = Key {
            job: Arc::clone(job),
            what: What::Assignment(shard),
        };
        let (cell, _) = self.cell(&key, ContentHash::of(version.as_bytes()));
        let make = || {
            self.metrics.body_built(Encoding::Identity);
            aside(snapshot, make)
        };
        let body = cell.get_or_try_init(make).await?.clone();
        self.account(&key, &cell, body.len());
        Ok(body)
    }

    /// The place of a body, which other requests share, and whether the same was asked for a moment
    /// ago.
    fn cell(&self, key: &Key, version: ContentHash) -> (Arc<OnceCell<Bytes>>, bool) {
        let now = Instant::now();
        let mut entries = self.lock();
        entries.clock += 1;
        let used = entries.clock;
        if let Some(entry) = entries.by_key.get_mut(key)
            && entry.version == version
        {
            entry.used = used;
            let before = std::mem::replace(&mut entry.asked, now);
            return (Arc::clone(&entry.cell), now < before + AGAIN);
        }
        let cell = Arc::<OnceCell<Bytes>>::default();
        let entry = Entry {
            version,
            cell: Arc::clone(&cell),
            bytes: 0,
            used,
            asked: now,
        };
        if let Some(old) = entries.by_key.insert(key.clone(), entry) {
            entries.bytes -= old.bytes;
        }
        self.metrics.set_cache_bytes(entries.bytes);
        (cell, false)
    }

    /// Counts a body that was made, and makes room for it.
    fn account(self: &Arc<Self>, key: &Key, cell: &Arc<OnceCell<Bytes>>, bytes: usize) {
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
        if entries.bytes > 0 && !std::mem::replace(&mut entries.is_swept, true) {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// Lets go of what nobody asks for any more; whether nothing is left.
    fn sweep(&self) -> bool {
        let now = Instant::now();
        let mut entries = self.lock();
        entries.by_key.retain(|_, entry| now < entry.asked + KEPT);
        entries.bytes = entries.by_key.values().map(|entry| entry.bytes).sum();
        entries.is_swept = !entries.by_key.is_empty();
        self.metrics.set_cache_bytes(entries.bytes);
        !entries.is_swept
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn sweep(cache: std::sync::Weak<BodyCache>) {
    loop {
        tokio::time::sleep(KEPT / 2).await;
        match cache.upgrade() {
            Some(cache) if !cache.sweep() => {}
            _ => return,
        }
    }
}

// === impl Made ===

impl Made {
    /// The length of the whole body.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Ready(body) => body.len(),
            Self::Pieces(_, length) => *length,
            Self::Packed(pieces) => pieces.iter().map(Bytes::len).sum(),
        }
    }
}

impl From<Made> for Body {
    fn from(made: Made) -> Self {
        let left = made.len();
        match made {
            Made::Ready(body) => body.into(),
            Made::Pieces(pieces, _) => Self::new(PiecesBody { pieces, left }),
            Made::Packed(pieces) => Self::new(PiecesBody {
                pieces: pieces.into_iter(),
                left,
            }),
        }
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

// === impl PiecesBody ===

impl<I: Iterator<Item = Bytes> + Unpin> http_body::Body for PiecesBody<I> {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let piece = self.pieces.next();
        let piece = piece.inspect(|piece| self.left -= piece.len().min(self.left));
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}

/// The length of a list.
async fn length(snapshot: &Arc<Snapshot>, stage: Stage) -> Result<usize, Stopping> {
    match snapshot.body_length(stage, BLOCKING_GROUPS) {
        Some(length) => Ok(length),
        None => {
            aside(snapshot, move |list| {
                let length = list.body_length(stage, usize::MAX);
                length.expect("there is no bound")
            })
            .await
        }
    }
}

/// Does what takes long for large lists on a blocking thread.
async fn aside<T: Send + 'static>(
    snapshot: &Arc<Snapshot>,
    work: impl FnOnce(&Arc<Snapshot>) -> T + Send + 'static,
) -> Result<T, Stopping> {
    if snapshot.groups.len() <= BLOCKING_GROUPS {
        return Ok(work(snapshot));
    }
    let snapshot = Arc::clone(snapshot);
    Ok(tokio::task::spawn_blocking(move || work(&snapshot)).await?)
}

fn join(snapshot: &Arc<Snapshot>, stage: Stage, length: usize) -> Bytes {
    let mut body = Vec::with_capacity(length);
    for piece in snapshot.body(View::of(stage)) {
        body.extend_from_slice(&piece);
    }
    body.into()
}
