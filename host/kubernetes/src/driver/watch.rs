//! Reading streams: a state with the changes behind it, or the changes alone.

use std::time::Duration;

use futures::StreamExt;
use rand::Rng;
use tokio::time::{Instant, timeout_at};

use super::intake::Cursor;
use super::state::{Outcome, Streaming, WatchEnd, Watching};
use super::turn::Turn;
use super::{Consumer, Driver};
use crate::api::{ApiError, Body, Call};
use crate::frame::Lines;
use crate::resource::Resource;

/// How long the server is asked to keep a watch open, drawn anew for each, so that watches that
/// began together do not end together.
pub(super) const WATCH_SECONDS: std::ops::Range<u64> = 300..600;
/// How much longer than asked a watch may stay open.
pub(super) const WATCH_GRACE: Duration = Duration::from_secs(10);
/// Bookmarks come about every minute: a watch that is silent for this long has lost its server.
/// They are not promised, so this costs one new watch and never a state.
pub(super) const SILENCE: Duration = Duration::from_secs(150);
/// After a watch that was open for so long, the waits begin anew: something on the way may cut
/// connections every minute, and that must not add up to ever longer blindness.
const STABLE: Duration = Duration::from_secs(10);
/// A watch that ends sooner, without an event, was refused in disguise.
const AT_ONCE: Duration = Duration::from_secs(1);
/// How long a streamed state may keep us waiting for its first object, or for its end where there
/// is none.
pub(super) const FIRST_EVENT: Duration = Duration::from_secs(30);
/// How long it may pause after that, and how long its end may take once changes come. A server
/// that does not know of streamed states never says where this one ends.
pub(super) const STATE_STALL: Duration = Duration::from_secs(10);
/// How long a streamed state may take in all.
pub(super) const STATE_TIME: Duration = Duration::from_mins(15);

/// A watch whose head was read.
pub(super) struct OpenWatch {
    body: Body,
    lines: Lines,
    opened: Instant,
    /// What came behind the state in one piece with its end, and ended the stream.
    ended: Option<WatchEnd>,
    /// When we give it up, whatever comes.
    deadline: Instant,
}

/// How far a streamed state may go on.
struct Bounds {
    opened: Instant,
    first_change: Option<Instant>,
}

// === impl OpenWatch ===

impl OpenWatch {
    fn new(body: Body, timeout: Duration) -> Self {
        let opened = Instant::now();
        Self {
            body,
            lines: Lines::default(),
            opened,
            ended: None,
            deadline: opened + timeout + WATCH_GRACE,
        }
    }
}

// === impl Bounds ===

impl Bounds {
    fn new(opened: Instant) -> Self {
        Self {
            opened,
            first_change: None,
        }
    }

    /// When there must be something new, or the end.
    fn next(&self, cursor: &Cursor) -> Duration {
        let now = Instant::now();
        let stall = if cursor.fruitful {
            STATE_STALL
        } else {
            FIRST_EVENT
        };
        let mut until = (now + stall).min(self.opened + STATE_TIME);
        if let Some(first_change) = self.first_change {
            until = until.min(first_change + STATE_STALL);
        }
        until.saturating_duration_since(now)
    }

    fn note(&mut self, cursor: &Cursor) {
        if cursor.saw_change {
            self.first_change.get_or_insert_with(Instant::now);
        }
    }
}

// === impl Driver ===

impl<R: Resource, C: Consumer> Driver<R, C> {
    /// Asks for a state as a stream, and takes it. The stream is kept for the watch that follows.
    pub(super) async fn stream(&mut self, streaming: &Streaming) -> Outcome {
        if !self.api.capabilities().streams(&self.collection) {
            return Outcome::NotStreamed;
        }
        self.intake.stream_begins();
        let timeout = self.watch_time();
        let not_older_than = streaming.not_older_than().to_owned();
        let call = Call::Stream {
            not_older_than,
            timeout,
        };
        let end = match self.send(call).await {
            Ok(body) => {
                let mut turn = Turn::wait(&self.gate).await;
                let watch = OpenWatch::new(body, timeout);
                match self.read_state(watch, &mut turn).await {
                    Ok(version) => return Outcome::Streamed(version),
                    Err(end) => end,
                }
            }
            Err(error) => WatchEnd::NotOpened(error),
        };
        self.metrics.watch_ended(&end);
        Outcome::StreamEnded(end)
    }

    /// Reads a stream until its state is whole; the version of that state.
    async fn read_state(
        &mut self,
        mut watch: OpenWatch,
        turn: &mut Turn,
    ) -> Result<String, WatchEnd> {
        let mut cursor = Cursor::initial();
        let mut bounds = Bounds::new(watch.opened);
        while cursor.initial {
            let piece = match turn.next(&mut watch.body, bounds.next(&cursor)).await {
                Err(_) => return Err(WatchEnd::Endless),
                Ok(None) => return Err(WatchEnd::Closed),
                Ok(Some(Err(error))) => return Err(WatchEnd::Broken(error)),
                Ok(Some(Ok(piece))) => piece,
            };
            watch.ended = self.take(&piece, &mut watch.lines, &mut cursor);
            if cursor.initial
                && let Some(end) = watch.ended
            {
                return Err(end);
            }
            bounds.note(&cursor);
        }
        self.answered();
        self.intake.kept().consumer.synced();
        self.open = Some(watch);
        Ok(cursor.version)
    }

    /// Follows the changes after a version, by the stream that is open already if there is one.
    pub(super) async fn watch(&mut self, watching: &Watching) -> Outcome {
        let mut cursor = Cursor::new(&watching.resource_version);
        let end = match self.open_watch(watching).await {
            Ok(watch) => {
                let opened = watch.opened;
                let end = self.read_watch(watch, &mut cursor).await;
                if opened.elapsed() >= STABLE {
                    self.backoff.forgive();
                }
                end
            }
            Err(end) => end,
        };
        self.metrics.watch_ended(&end);
        let Cursor {
            version, fruitful, ..
        } = cursor;
        Outcome::WatchEnded {
            resource_version: version,
            fruitful,
            end,
        }
    }

    async fn open_watch(&mut self, watching: &Watching) -> Result<OpenWatch, WatchEnd> {
        if let Some(watch) = self.open.take() {
            return Ok(watch);
        }
        let timeout = self.watch_time();
        let resource_version = watching.resource_version.clone();
        let call = Call::Watch {
            resource_version,
            timeout,
        };
        let opened = self.send(call).await;
        let is_forbidden = opened.as_ref().is_err_and(ApiError::is_forbidden);
        if self.unconfirmed && !is_forbidden {
            self.unconfirmed = false;
            self.intake.kept().consumer.synced();
        }
        let body = opened.map_err(WatchEnd::NotOpened)?;
        // After a watch that failed by an event, being open again says little.
        if watching.is_fresh() {
            self.answered();
        }
        Ok(OpenWatch::new(body, timeout))
    }

    async fn read_watch(&mut self, mut watch: OpenWatch, cursor: &mut Cursor) -> WatchEnd {
        if let Some(end) = watch.ended {
            return end;
        }
        loop {
            let silent = Instant::now() + SILENCE;
            let piece = match timeout_at(watch.deadline.min(silent), watch.body.next()).await {
                Err(_) => return WatchEnd::Silent,
                Ok(None) if !cursor.fruitful && watch.opened.elapsed() < AT_ONCE => {
                    return WatchEnd::ClosedAtOnce;
                }
                Ok(None) => return WatchEnd::Closed,
                Ok(Some(Err(error))) => return WatchEnd::Broken(error),
                Ok(Some(Ok(piece))) => piece,
            };
            if let Some(end) = self.take(&piece, &mut watch.lines, cursor) {
                return end;
            }
            self.answered();
        }
    }

    /// Takes the events of one piece. `Some` if the stream cannot go on after it.
    fn take(&mut self, piece: &[u8], lines: &mut Lines, cursor: &mut Cursor) -> Option<WatchEnd> {
        let read_at = Instant::now();
        let mut end = None;
        lines.feed(piece, |line| {
            if end.is_none() {
                end = self.intake.event(line, cursor);
            }
        });
        self.intake.publish(read_at);
        end
    }

    fn watch_time(&mut self) -> Duration {
        Duration::from_secs(self.jitter.random_range(WATCH_SECONDS))
    }
}
