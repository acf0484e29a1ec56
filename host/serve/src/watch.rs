//! `GET /api/v1/watch/{job}`: a job's targets as a stream of changes, as server-sent events or as
//! JSON lines.
//!
//! A stream says `snapshot` where the reader is to forget what it had, `group` for each group that
//! the view shows or no longer shows, and `version` where all groups since the last one together
//! are a state of the job: a reader applies them then. What a stream has not sent it does not
//! buffer: it is made when the reader takes it, from the newest state, so a slow reader skips
//! states and pins two of them. A reader that comes back with a version gets what has changed since,
//! if the state is remembered, and a snapshot if not.

mod events;
mod history;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::uri::Uri;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use imbl::OrdMap;
use periplus_core::ContentHash;
use periplus_discovery::{GroupKey, GroupResult, Snapshot, View};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::ApiError;
use crate::follow::{Follow, Stopping};
use crate::jobs::{self, Found};
use crate::readings::{self, Told};
use crate::sd;
use crate::state::App;
use events::{Event, Format};
pub(crate) use history::History;

const PREFIX: &str = "/api/v1/watch/";
/// So often a stream that has nothing to say shows that it is alive: far more often than the
/// listener cuts off an answer without progress.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// Seconds after which a place may be free.
const RETRY_AFTER: u16 = 5;
/// A piece ends with the group that makes it this long.
const PIECE: usize = 64 << 10;

/// One reader's stream.
struct Watching {
    app: Arc<App>,
    follow: Follow,
    stop: CancellationToken,
    view: View,
    format: Format,
    /// Distinguishes versions of this view from those of others.
    view_hash: u32,
    /// The last state that the reader was sent whole, or said that it has.
    sent: Option<JobState>,
    sending: Option<Sending>,
    /// When the reader was last sent something.
    alive: Instant,
    _place: OwnedSemaphorePermit,
}

/// The groups of a job as of a version; none of a job that was removed.
#[derive(Clone, Debug)]
struct JobState {
    version: ContentHash,
    snapshot: Option<Arc<Snapshot>>,
}

/// A state on its way to the reader.
struct Sending {
    to: JobState,
    left: Left,
    /// Whether anything was said yet.
    has_begun: bool,
}

/// The groups that are still to be looked at.
enum Left {
    /// All behind this one.
    Behind(Option<GroupKey>),
    /// These, which may have changed.
    Keys(VecDeque<GroupKey>),
}

/// Begins a stream.
pub(crate) async fn watch(
    State(app): State<Arc<App>>,
    stopping: Option<Extension<Stopping>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (view, from) = sd::watched_view(uri.query())?;
    let job = jobs::decode(uri.path().strip_prefix(PREFIX).unwrap_or_default())?;
    let mut follow = Follow::new(&app, job.clone());
    // An error is an answer of its own as long as there is no stream.
    let found = follow.look()?;
    let place = app.held.take().ok_or_else(|| {
        ApiError::unavailable("too many streams and long polls are open").retry_after(RETRY_AFTER)
    })?;
    let Extension(Stopping(stop)) = stopping.unwrap_or_default();
    let format = Format::of(&headers);
    let told = Told::of("watch", &job, readings::part(&view), None);
    let view_hash = ContentHash::of(format!("{view:?}").as_bytes()).0 as u32;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let from = last.map(str::to_owned).or(from);
    let mut watching = Watching {
        sent: from.and_then(|from| remembered(&app, &job, &from, view_hash)),
        app,
        follow,
        stop,
        view,
        format,
        view_hash,
        sending: None,
        alive: Instant::now(),
        _place: place,
    };
    watching.turn_to(found);
    let events = stream::unfold(watching, |mut watching| async move {
        let piece = watching.next().await?;
        watching.alive = Instant::now();
        Some((Ok::<Bytes, Infallible>(piece), watching))
    });
    let head = [
        (header::CONTENT_TYPE, format.content_type()),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::VARY, HeaderValue::from_static("accept")),
    ];
    let mut response = (head, Body::from_stream(events)).into_response();
    response.extensions_mut().extend(told);
    Ok(response)
}

/// The state that a reader says it has.
fn remembered(app: &App, job: &str, from: &str, view_hash: u32) -> Option<JobState> {
    let version = events::parse_version(from, view_hash)?;
    let snapshot = app.watched.find(job, version)?;
    Some(JobState {
        version,
        snapshot: Some(snapshot),
    })
}

// === impl Watching ===

impl Watching {
    /// What the reader is to be told next; none at the end of the stream.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(sending) = self.sending.take()
                && let Some(piece) = self.piece(sending)
            {
                return Some(piece);
            }
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                // First, since changes that the view does not show may never pause.
                () = tokio::time::sleep_until(self.alive + HEARTBEAT) => {
                    return Some(self.format.heartbeat());
                }
                () = self.follow.changed() => {}
            }
            match self.follow.look() {
                Ok(found) => self.turn_to(found),
                // It was removed and is back, but not known yet: nothing to say.
                Err(error) if error.is_unavailable() => {}
                Err(_) => return None,
            }
        }
    }

    /// Begins to send the newest state, unless the reader has it.
    fn turn_to(&mut self, found: Found) {
        let to = match found {
            Found::Removed => JobState {
                version: ContentHash::default(),
                snapshot: None,
            },
            Found::Known(handle, snapshot) => {
                self.app.watched.remember(&handle.name, &snapshot);
                JobState {
                    version: snapshot.version,
                    snapshot: Some(snapshot),
                }
            }
        };
        let left = match &self.sent {
            Some(sent) if sent.version == to.version => return,
            Some(JobState {
                snapshot: Some(sent),
                ..
            }) => match &to.snapshot {
                Some(snapshot) => Left::Keys(snapshot.changes_from(sent).cloned().collect()),
                None => Left::Behind(None),
            },
            _ => Left::Behind(None),
        };
        self.sending = Some(Sending {
            to,
            left,
            has_begun: false,
        });
    }

    /// The next piece of a state; none if it has nothing that the reader does not have.
    fn piece(&mut self, mut sending: Sending) -> Option<Bytes> {
        let mut piece = Vec::new();
        let is_whole = matches!(sending.left, Left::Behind(_));
        if is_whole && !sending.has_begun {
            self.format.write(&Event::Snapshot, &mut piece);
        }
        let is_done = match &mut sending.left {
            Left::Behind(last) => match &sending.to.snapshot {
                Some(snapshot) => self.groups_behind(&snapshot.groups, last, &mut piece),
                None => true,
            },
            Left::Keys(keys) => self.changes(&sending.to, keys, &mut piece),
        };
        sending.has_begun |= !piece.is_empty();
        if !is_done {
            self.sending = Some(sending);
            return Some(piece.into());
        }
        if !sending.has_begun {
            // A change that the view does not show. The reader's version stays the one it has.
            if let Some(sent) = &mut self.sent {
                sent.snapshot = sending.to.snapshot;
            }
            return None;
        }
        let version = events::version(sending.to.version, self.view_hash);
        self.format.write(&Event::Version(&version), &mut piece);
        self.sent = Some(sending.to);
        Some(piece.into())
    }

    /// Writes groups that show something; whether these were the last ones.
    fn groups_behind(
        &self,
        groups: &OrdMap<GroupKey, Arc<GroupResult>>,
        last: &mut Option<GroupKey>,
        piece: &mut Vec<u8>,
    ) -> bool {
        let from = last.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut reached = None;
        for (key, result) in groups.range::<_, GroupKey>((from, Bound::Unbounded)) {
            let targets = self.targets(Some(result));
            if !targets.is_empty() {
                self.format.write(&Event::Group(key, &targets), piece);
            }
            if piece.len() >= PIECE {
                reached = Some(key.clone());
                break;
            }
        }
        let is_done = reached.is_none();
        *last = reached;
        is_done
    }

    /// Writes those of the groups that show something else than before; whether these were the last
    /// ones.
    fn changes(&self, to: &JobState, keys: &mut VecDeque<GroupKey>, piece: &mut Vec<u8>) -> bool {
        let groups = |state: Option<&JobState>, key: &GroupKey| {
            let snapshot = state.and_then(|state| state.snapshot.as_ref());
            snapshot.and_then(|snapshot| snapshot.groups.get(key).cloned())
        };
        while piece.len() < PIECE {
            let Some(key) = keys.pop_front() else {
                return true;
            };
            let before = self.targets(groups(self.sent.as_ref(), &key).as_deref());
            let now = self.targets(groups(Some(to), &key).as_deref());
            if now != before {
                self.format.write(&Event::Group(&key, &now), piece);
            }
        }
        keys.is_empty()
    }

    /// What the view shows of a group; empty if there is none.
    fn targets(&self, result: Option<&GroupResult>) -> Vec<u8> {
        let mut json = Vec::new();
        if let Some(result) = result {
            result.render_view(&self.view, &mut json);
        }
        json
    }
}
