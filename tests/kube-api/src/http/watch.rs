//! WATCH: one line of JSON per event, for as long as the client and the clock allow.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::header::{CONTENT_TYPE, HeaderValue};
use tokio::sync::{broadcast, mpsc};
use tokio::time::Instant;

use super::body::Body;
use super::{Call, Response, Running, Shared};
use crate::faults::{Command, Fault, WatchFault};
use crate::object::{Object, wire};
use crate::resource::Resource;
use crate::selector::Selector;
use crate::status::Problem;
use crate::store::{Event, Gone};

/// Lines on their way to a client that reads slowly; more wait in the history.
const LINES_AHEAD: usize = 64;
/// The real server sends a bookmark this long before it ends a watch.
const LAST_BOOKMARK: Duration = Duration::from_secs(2);

/// A running watch. Its task ends when the client goes away or `deadline` is reached.
struct Watch {
    shared: Arc<Shared>,
    resource: Arc<Resource>,
    id: String,
    namespace: String,
    selector: Selector,
    /// Everything up to this version has been sent.
    position: u64,
    bookmarks: bool,
    deadline: Instant,
    /// The version that was asked for is gone, to be said by an event.
    expired: Option<Gone>,
    faults: Vec<Fault>,
    sent: usize,
    lines: mpsc::Sender<io::Result<Bytes>>,
    _running: Running,
}

/// Why a watch ends.
enum End {
    /// In good order, or because nobody reads any more.
    Close,
    /// The connection is to be cut.
    Cut,
    /// Nothing more is sent, and nothing closed, until the client leaves.
    Stall,
}

pub(super) fn watch(call: &Call<'_>) -> Result<Response, Problem> {
    if call.query.contains_key("sendInitialEvents") {
        // As servers do whose WatchList feature is off. A later version of this server may offer it.
        let message = "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: \
                       sendInitialEvents is forbidden for watch unless the WatchList feature gate \
                       is enabled";
        return Err(Problem::new(422, "Invalid", message));
    }
    let selector = call.selector()?;
    let store = &call.shared.store;
    // Subscribed before the state is read, so that no command or event falls between.
    let commands = call.shared.faults.commands();
    let asked = call.number("resourceVersion")?.unwrap_or(0);
    let (initial, position) = if asked == 0 {
        let snapshot = store.snapshot(&call.resource);
        (snapshot.objects.to_vec(), snapshot.version)
    } else {
        (Vec::new(), asked)
    };
    if asked > store.version() {
        return Err(Problem::too_new(asked, store.version()));
    }
    let expired = store.reaches(position).err();
    if call.shared.settings.gone_as_status
        && let Some(gone) = &expired
    {
        return Err(Problem::too_old(asked, gone.oldest));
    }
    let timeout = call.number("timeoutSeconds")?.map(Duration::from_secs);
    let (lines, receiver) = mpsc::channel(LINES_AHEAD);
    let watch = Watch {
        shared: call.shared.clone(),
        resource: call.resource.clone(),
        id: call.resource.id(),
        namespace: call.namespace.clone(),
        selector,
        position,
        bookmarks: call
            .query
            .get("allowWatchBookmarks")
            .is_some_and(|b| b == "true" || b == "1"),
        deadline: Instant::now() + timeout.unwrap_or(call.shared.settings.watch_timeout),
        expired,
        faults: call.faults.clone(),
        sent: 0,
        lines,
        _running: Running::new(call.shared.clone(), &call.resource.plural),
    };
    tokio::spawn(watch.run(initial, commands));
    let pieces = stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|piece| (piece, receiver))
    });
    let mut response = Response::new(Body::stream(pieces));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

// === impl Watch ===

impl Watch {
    async fn run(mut self, initial: Vec<Arc<Object>>, commands: broadcast::Receiver<Command>) {
        match self.serve(initial, commands).await {
            Err(End::Close) | Ok(()) => {}
            Err(End::Cut) => {
                let error = io::Error::new(io::ErrorKind::ConnectionAborted, "cut on demand");
                let _ = self.lines.send(Err(error)).await;
            }
            Err(End::Stall) => self.lines.closed().await,
        }
    }

    async fn serve(
        &mut self,
        initial: Vec<Arc<Object>>,
        mut commands: broadcast::Receiver<Command>,
    ) -> Result<(), End> {
        let mut newest = self.shared.store.subscribe();
        let every = self.shared.settings.bookmark_interval;
        let mut ticks = tokio::time::interval_at(Instant::now() + every, every);
        let farewell = self
            .deadline
            .checked_sub(LAST_BOOKMARK)
            .unwrap_or(self.deadline);
        let mut farewell = Box::pin(tokio::time::sleep_until(farewell));
        let mut said_farewell = false;

        if let Some(gone) = self.expired.take() {
            return self.gone(gone).await;
        }
        for object in initial {
            if self.selects(&object) {
                self.object("ADDED", &object).await?;
            }
        }
        loop {
            newest.borrow_and_update();
            self.catch_up().await?;
            tokio::select! {
                _ = newest.changed() => {}
                command = commands.recv() => match command {
                    Ok(command) if command.resource == self.resource.plural => {
                        self.catch_up().await?;
                        self.fault(&command.what).await?;
                    }
                    Ok(_) => {}
                    Err(_) => return Err(End::Close),
                },
                _ = ticks.tick() => self.bookmark(self.position).await?,
                () = &mut farewell, if !said_farewell => {
                    said_farewell = true;
                    self.bookmark(self.position).await?;
                }
                () = tokio::time::sleep_until(self.deadline) => return Err(End::Close),
                () = self.lines.closed() => return Err(End::Close),
            }
        }
    }

    /// Sends what has happened since.
    async fn catch_up(&mut self) -> Result<(), End> {
        match self.shared.store.events(&self.id, self.position) {
            Ok((events, position)) => {
                for event in &events {
                    if let Some((kind, object)) = self.seen(event) {
                        self.object(kind, &object).await?;
                    }
                    self.position = event.version;
                }
                self.position = position;
                Ok(())
            }
            Err(gone) => self.gone(gone).await,
        }
    }

    async fn gone(&mut self, gone: Gone) -> Result<(), End> {
        let status = Problem::too_old(self.position, gone.oldest).status;
        self.line(format!(r#"{{"type":"ERROR","object":{status}}}"#).into_bytes())
            .await?;
        Err(End::Close)
    }

    fn selects(&self, object: &Object) -> bool {
        (self.namespace.is_empty() || self.namespace == object.namespace)
            && self.selector.matches(object)
    }

    /// An event as this watch sees it: what leaves its selection is deleted, what enters is added.
    fn seen(&self, event: &Event) -> Option<(&'static str, Arc<Object>)> {
        let before = event.previous.as_ref().is_some_and(|o| self.selects(o));
        let after = !event.deleted && self.selects(&event.object);
        let kind = match (before, after) {
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
            (false, false) => return None,
        };
        Some((kind, event.object.clone()))
    }

    async fn object(&mut self, kind: &str, object: &Object) -> Result<(), End> {
        let replaced = self.faults.iter().find_map(|fault| match fault {
            Fault::Replace {
                namespace,
                name,
                json,
            } if *namespace == object.namespace && *name == object.name => Some(json.as_bytes()),
            _ => None,
        });
        let prefix = self.prefix(kind);
        let mut line = match replaced {
            // Text that is not an object is sent as it is, in the place of the object.
            Some(json) if !json.starts_with(b"{") => {
                [br#"{"type":""#, kind.as_bytes(), br#"","object":"#, json].concat()
            }
            Some(json) => wire(&prefix, json),
            None => object.wire(&prefix),
        };
        line.push(b'}');
        self.line(line).await
    }

    /// A line up to the place where the object's own JSON goes on.
    fn prefix(&self, kind: &str) -> String {
        format!(
            r#"{{"type":"{kind}","object":{{"kind":"{}","apiVersion":"{}","#,
            self.resource.kind,
            self.resource.api_version()
        )
    }

    async fn bookmark(&mut self, version: u64) -> Result<(), End> {
        if !self.bookmarks {
            return Ok(());
        }
        let prefix = self.prefix("BOOKMARK");
        // As the real server sends it: an object of the kind with every required field empty.
        let rest = r#""metadata":{"resourceVersion":"VERSION","creationTimestamp":null}}}"#;
        let rest = rest.replace("VERSION", &version.to_string());
        self.line(format!("{prefix}{rest}").into_bytes()).await
    }

    /// Sends one line, or what the faults make of it.
    async fn line(&mut self, mut line: Vec<u8>) -> Result<(), End> {
        let due: Vec<WatchFault> = self
            .faults
            .iter()
            .filter_map(|fault| match fault {
                Fault::Watch { after, what } if *after == self.sent => Some(what.clone()),
                _ => None,
            })
            .collect();
        self.sent += 1;
        for what in due {
            if matches!(what, WatchFault::CutMidLine) {
                line.truncate(line.len() / 2);
                self.send(line).await?;
                return Err(End::Cut);
            }
            Box::pin(self.fault(&what)).await?;
        }
        line.push(b'\n');
        self.send(line).await
    }

    async fn send(&self, bytes: Vec<u8>) -> Result<(), End> {
        self.lines
            .send(Ok(Bytes::from(bytes)))
            .await
            .map_err(|_| End::Close)
    }

    async fn fault(&mut self, what: &WatchFault) -> Result<(), End> {
        match what {
            WatchFault::End => Err(End::Close),
            WatchFault::Cut => Err(End::Cut),
            WatchFault::CutMidLine => {
                self.send(br#"{"type":"MODIFIED","object":{"kind":"#.to_vec())
                    .await?;
                Err(End::Cut)
            }
            WatchFault::Stall => Err(End::Stall),
            WatchFault::Line(text) => self.send(format!("{text}\n").into_bytes()).await,
            WatchFault::Error(code) => {
                let status = Problem::new(*code, super::reason(*code), "fault on demand").status;
                let line = format!("{{\"type\":\"ERROR\",\"object\":{status}}}\n");
                self.send(line.into_bytes()).await?;
                Err(End::Close)
            }
            WatchFault::Bookmark => Box::pin(self.bookmark(self.position)).await,
            WatchFault::BookmarkAt(version) => Box::pin(self.bookmark(*version)).await,
        }
    }
}
