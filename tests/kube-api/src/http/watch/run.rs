//! The task of a watch: one line per event, for as long as the client and the clock allow.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::time::Instant;

use super::super::{Running, Shared, reason};
use super::line::Lines;
use crate::faults::{Command, Fault, InitialFault, WatchFault};
use crate::load::Random;
use crate::object::Object;
use crate::resource::Resource;
use crate::selector::Selector;
use crate::status::Problem;
use crate::store::Event;

/// The real server sends a bookmark this long before it ends a watch.
const LAST_BOOKMARK: Duration = Duration::from_secs(2);

/// A running watch. Its task ends when the client goes away or `deadline` is reached.
pub(super) struct Watch {
    pub(super) shared: Arc<Shared>,
    pub(super) resource: Arc<Resource>,
    pub(super) id: String,
    pub(super) namespace: String,
    pub(super) selector: Selector,
    /// Everything up to this version has been sent.
    pub(super) position: u64,
    pub(super) bookmarks: bool,
    pub(super) deadline: Instant,
    pub(super) faults: Vec<Fault>,
    pub(super) lines: Lines,
    pub(super) _running: Running,
}

/// Why a watch ends.
pub(super) enum End {
    /// In good order, or because nobody reads any more.
    Close,
    /// The connection is to be cut.
    Cut,
    /// Nothing more is sent, and nothing closed, until the client leaves.
    Stall,
}

// === impl Watch ===

impl Watch {
    /// Sends the state, then changes. A `problem` comes instead of both.
    pub(super) async fn run(
        mut self,
        initial: Vec<Arc<Object>>,
        says_end: bool,
        problem: Option<Problem>,
        commands: broadcast::Receiver<Command>,
    ) {
        let end = match problem {
            Some(problem) => self.lines.error(&problem.status).await,
            None => match self.begin(initial, says_end).await {
                Ok(()) => self.follow(commands).await,
                end => end,
            },
        };
        match end {
            Err(End::Close) | Ok(()) => {}
            Err(End::Cut) => self.lines.cut().await,
            Err(End::Stall) => self.lines.closed().await,
        }
    }

    async fn begin(&mut self, initial: Vec<Arc<Object>>, says_end: bool) -> Result<(), End> {
        let faults: Vec<InitialFault> = self
            .faults
            .iter()
            .filter_map(|fault| match fault {
                Fault::Initial(what) if says_end => Some(*what),
                _ => None,
            })
            .collect();
        let has = |what| faults.contains(&what);
        let mut initial: Vec<_> = initial.into_iter().filter(|o| self.selects(o)).collect();
        if has(InitialFault::Duplicated) {
            initial = initial.into_iter().flat_map(|o| [o.clone(), o]).collect();
        }
        if has(InitialFault::Shuffled) {
            shuffle(&mut initial, self.position);
        }
        let rounds = if has(InitialFault::Twice) { 2 } else { 1 };
        for _ in 0..rounds {
            for object in &initial {
                self.object("ADDED", object).await?;
            }
            if has(InitialFault::CutBeforeBookmark) {
                return Err(End::Cut);
            }
            if says_end && self.bookmarks && !has(InitialFault::NoBookmark) {
                let line = self.lines.bookmark(self.position, true);
                self.line(line).await?;
            }
        }
        // The real server sends no other bookmark before that one either.
        self.bookmarks &= !has(InitialFault::NoBookmark);
        Ok(())
    }

    async fn follow(&mut self, mut commands: broadcast::Receiver<Command>) -> Result<(), End> {
        let mut newest = self.shared.store.subscribe();
        let every = self.shared.settings.bookmark_interval;
        let mut ticks = tokio::time::interval_at(Instant::now() + every, every);
        let farewell = self
            .deadline
            .checked_sub(LAST_BOOKMARK)
            .unwrap_or(self.deadline);
        let mut farewell = Box::pin(tokio::time::sleep_until(farewell));
        let mut said_farewell = false;
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
            Ok((events, reached)) => {
                for event in &events {
                    if let Some((kind, object)) = self.seen(event) {
                        self.object(kind, &object).await?;
                    }
                    self.position = event.version;
                }
                // A watch from a version still to come stays there.
                self.position = self.position.max(reached);
                Ok(())
            }
            Err(gone) => {
                let status = Problem::too_old(self.position, gone.oldest).status;
                self.lines.error(&status).await?;
                Err(End::Close)
            }
        }
    }

    fn selects(&self, object: &Object) -> bool {
        (self.namespace.is_empty() || self.namespace == object.namespace)
            && self.selector.matches(object)
    }

    /// An event as this watch sees it: what enters its selection is added; what leaves it is deleted, and
    /// shown as it last was in it.
    fn seen(&self, event: &Event) -> Option<(&'static str, Arc<Object>)> {
        let before = event.previous.as_ref().filter(|o| self.selects(o));
        let after = !event.deleted && self.selects(&event.object);
        match (before, after) {
            (None, true) => Some(("ADDED", event.object.clone())),
            (Some(_), true) => Some(("MODIFIED", event.object.clone())),
            (Some(before), false) => Some(("DELETED", Arc::new(before.at_version(event.version)))),
            (None, false) => None,
        }
    }

    async fn object(&mut self, kind: &str, object: &Object) -> Result<(), End> {
        let line = self.lines.event(kind, object, &self.faults);
        self.lines.last.clone_from(&line);
        self.line(line).await
    }

    async fn bookmark(&mut self, version: u64) -> Result<(), End> {
        let ahead = self.position > self.shared.store.version();
        if !self.bookmarks || ahead {
            return Ok(());
        }
        let line = self.lines.bookmark(version, false);
        self.line(line).await
    }

    /// Sends one line, or what the faults make of it.
    async fn line(&mut self, mut line: Vec<u8>) -> Result<(), End> {
        let due: Vec<WatchFault> = self
            .faults
            .iter()
            .filter_map(|fault| match fault {
                Fault::Watch { after, what } if *after == self.lines.sent => Some(what.clone()),
                _ => None,
            })
            .collect();
        self.lines.sent += 1;
        for what in due {
            if matches!(what, WatchFault::CutMidLine) {
                line.truncate(line.len() / 2);
                self.lines.send(line).await?;
                return Err(End::Cut);
            }
            Box::pin(self.fault(&what)).await?;
        }
        line.push(b'\n');
        self.lines.send(line).await
    }

    async fn fault(&mut self, what: &WatchFault) -> Result<(), End> {
        match what {
            WatchFault::End => Err(End::Close),
            WatchFault::Cut => Err(End::Cut),
            WatchFault::CutMidLine => {
                let half = br#"{"type":"MODIFIED","object":{"kind":"#;
                self.lines.send(half.to_vec()).await?;
                Err(End::Cut)
            }
            WatchFault::Stall => Err(End::Stall),
            WatchFault::Line(text) => self.lines.send(format!("{text}\n").into_bytes()).await,
            WatchFault::Repeat if self.lines.last.is_empty() => Ok(()),
            WatchFault::Repeat => {
                let mut line = self.lines.last.clone();
                line.push(b'\n');
                self.lines.send(line).await
            }
            WatchFault::Error(code) => {
                let status = Problem::new(*code, reason(*code), "fault on demand").status;
                self.lines.error(&status).await?;
                Err(End::Close)
            }
            WatchFault::Bookmark => Box::pin(self.bookmark(self.position)).await,
            WatchFault::BookmarkAt(version) => Box::pin(self.bookmark(*version)).await,
        }
    }
}

/// An order that follows from the version and from nothing else.
fn shuffle(objects: &mut [Arc<Object>], version: u64) {
    let mut random = Random::for_object(version, "watch", 0);
    for last in (1..objects.len()).rev() {
        objects.swap(last, random.below(last + 1));
    }
}
