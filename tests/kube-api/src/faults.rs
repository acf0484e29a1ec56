//! What can go wrong on demand.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast;

use crate::object::Object;
use crate::options::WatchList;
use crate::requests::Verb;

/// Which requests a fault befalls, how often, and how.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Only this verb.
    pub verb: Option<Verb>,
    /// Only this resource, such as `pods`.
    pub resource: Option<String>,
    /// Only requests whose path names this namespace; empty: only those whose path names none.
    pub namespace: Option<String>,
    /// Only watches that ask for initial events, or only requests that do not.
    pub initial_events: Option<bool>,
    /// How many requests; every one if `None`.
    pub times: Option<u32>,
    /// What happens to them.
    pub fault: Fault,
}

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answered with this status code and a `Status` object.
    Status {
        /// HTTP status code.
        code: u16,
        /// Seconds in the `Retry-After` header.
        retry_after: Option<u32>,
    },
    /// Refused by priority and fairness: 429 in plain text, not a `Status`, as the real server does.
    Busy {
        /// Seconds in the `Retry-After` header; the real server always says 1.
        retry_after: Option<u32>,
    },
    /// Refused by authorisation: `403`, with the text of the real thing.
    Forbidden,
    /// Never answered; the connection stays open.
    Hang,
    /// Answered after this long.
    Delay(Duration),
    /// The connection is cut before an answer, with everything else that is on it.
    Disconnect,
    /// Answered `200` with this body.
    Body(String),
    /// The body arrives in pieces of `chunk` bytes with pauses between them.
    SlowBody {
        /// Bytes per piece.
        chunk: usize,
        /// Time between pieces.
        pause: Duration,
    },
    /// The connection is cut after so many bytes of the body; over HTTP/2, the stream.
    TruncateBody(usize),
    /// A continue token counts as expired. Requests without one go on as ever.
    ExpiredToken,
    /// A list whose pages never end: each names a next one, which begins at the same place again.
    EndlessPages,
    /// The request is answered as by a server with another setting, as happens when several stand behind
    /// one address.
    WatchList(WatchList),
    /// The initial events of a watch that asks for them go wrong.
    Initial(InitialFault),
    /// A list that claims to be of this version.
    ListVersion(u64),
    /// In lists and watches, this object's JSON (without `kind` and `apiVersion`) is replaced by this text.
    Replace {
        /// Namespace of the object.
        namespace: String,
        /// Name of the object.
        name: String,
        /// What is sent instead; not necessarily JSON.
        json: String,
    },
    /// A watch that goes wrong after so many lines.
    Watch {
        /// Lines sent before.
        after: usize,
        /// How it goes wrong.
        what: WatchFault,
    },
}

/// What happens to the initial events of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitialFault {
    /// Each comes twice.
    Duplicated,
    /// They come in no order, neither of names nor of versions.
    Shuffled,
    /// All of them come twice, each time with the bookmark at their end.
    Twice,
    /// Their bookmark never comes, nor any other; changes do.
    NoBookmark,
    /// The connection is cut where the bookmark should come; over HTTP/2, the stream.
    CutBeforeBookmark,
}

/// What happens to a running watch.
#[derive(Clone, Debug)]
pub enum WatchFault {
    /// It ends in good order.
    End,
    /// The connection is cut between two lines; over HTTP/2, the stream.
    Cut,
    /// The connection is cut in the middle of a line; over HTTP/2, the stream.
    CutMidLine,
    /// Nothing arrives any more; the connection stays open.
    Stall,
    /// This line arrives, and the watch goes on.
    Line(String),
    /// The last event arrives once more.
    Repeat,
    /// An `ERROR` event with this status code, then the end.
    Error(u16),
    /// A bookmark arrives now.
    Bookmark,
    /// A bookmark that claims this version.
    BookmarkAt(u64),
}

/// A command to all running watches of one resource.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) resource: String,
    pub(crate) what: WatchFault,
}

/// The faults in force. Shared with the running server: a change holds for the next request.
#[derive(Debug)]
pub struct Faults {
    rules: Mutex<Vec<(u64, Rule)>>,
    next: std::sync::atomic::AtomicU64,
    commands: broadcast::Sender<Command>,
}

/// A request as faults see it.
pub(crate) struct Subject<'a> {
    pub(crate) verb: Verb,
    pub(crate) resource: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) initial_events: bool,
}

// === impl Rule ===

impl Rule {
    /// A fault for every request.
    pub fn new(fault: Fault) -> Self {
        Self {
            verb: None,
            resource: None,
            namespace: None,
            initial_events: None,
            times: None,
            fault,
        }
    }

    /// Only this verb.
    #[must_use]
    pub fn verb(mut self, verb: Verb) -> Self {
        self.verb = Some(verb);
        self
    }

    /// Only this resource, such as `pods`.
    #[must_use]
    pub fn resource(mut self, resource: &str) -> Self {
        self.resource = Some(resource.to_owned());
        self
    }

    /// Only requests whose path names this namespace; empty: only those whose path names none.
    #[must_use]
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Only watches that ask for initial events (`true`), or only requests that do not (`false`).
    #[must_use]
    pub fn initial_events(mut self, asked: bool) -> Self {
        self.initial_events = Some(asked);
        self
    }

    /// Only so many requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    fn befalls(&self, subject: &Subject<'_>) -> bool {
        self.verb.is_none_or(|v| v == subject.verb)
            && self
                .resource
                .as_deref()
                .is_none_or(|r| r == subject.resource)
            && self
                .namespace
                .as_deref()
                .is_none_or(|n| n == subject.namespace)
            && self
                .initial_events
                .is_none_or(|i| i == subject.initial_events)
            && self.times != Some(0)
            && (subject.verb != Verb::Other || self.verb == Some(Verb::Other))
    }
}

// === impl Fault ===

impl Fault {
    /// The text that stands in for an object.
    pub(crate) fn replaces(&self, object: &Object) -> Option<&str> {
        match self {
            Self::Replace {
                namespace,
                name,
                json,
            } if *namespace == object.namespace && *name == object.name => Some(json),
            _ => None,
        }
    }
}

// === impl Faults ===

impl Faults {
    pub(crate) fn new() -> Self {
        Self {
            rules: Mutex::default(),
            next: std::sync::atomic::AtomicU64::default(),
            // Commands come one by one from a test; a watch that lags this far behind is ended by it.
            commands: broadcast::channel(64).0,
        }
    }

    /// Puts a fault in force. Later ones are added to earlier ones. The number takes it back.
    pub fn add(&self, rule: Rule) -> u64 {
        let id = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.rules
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((id, rule));
        id
    }

    /// Takes one fault back.
    pub fn remove(&self, id: u64) {
        self.rules
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|(i, _)| *i != id);
    }

    /// Takes all faults back. What happened to running watches stays.
    pub fn clear(&self) {
        self.rules
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// Something happens to every running watch of `resource`, after what it has still to send.
    pub fn watches(&self, resource: &str, what: WatchFault) {
        // Without any watch there is nobody to tell.
        let _ = self.commands.send(Command {
            resource: resource.to_owned(),
            what,
        });
    }

    pub(crate) fn commands(&self) -> broadcast::Receiver<Command> {
        self.commands.subscribe()
    }

    /// What befalls this request; counts it.
    pub(crate) fn take(&self, subject: &Subject<'_>) -> Vec<Fault> {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let befallen = rules.iter_mut().filter(|(_, rule)| rule.befalls(subject));
        befallen
            .map(|(_, rule)| {
                rule.times = rule.times.map(|n| n - 1);
                rule.fault.clone()
            })
            .collect()
    }
}
