//! What can go wrong on demand.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast;

use crate::requests::Verb;

/// Which requests a fault befalls, how often, and how.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Only this verb.
    pub verb: Option<Verb>,
    /// Only this resource, such as `pods`.
    pub resource: Option<String>,
    /// Only requests whose path names this namespace.
    pub namespace: Option<String>,
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
    /// Refused by authorisation: `403`, with the text of the real thing.
    Forbidden,
    /// Never answered; the connection stays open.
    Hang,
    /// Answered after this long.
    Delay(Duration),
    /// The connection is cut before an answer.
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
    /// The connection is cut after so many bytes of the body.
    TruncateBody(usize),
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

/// What happens to a running watch.
#[derive(Clone, Debug)]
pub enum WatchFault {
    /// It ends in good order.
    End,
    /// The connection is cut between two lines.
    Cut,
    /// The connection is cut in the middle of a line.
    CutMidLine,
    /// Nothing arrives any more; the connection stays open.
    Stall,
    /// This line arrives, and the watch goes on.
    Line(String),
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
}

// === impl Rule ===

impl Rule {
    /// A fault for every request.
    pub fn new(fault: Fault) -> Self {
        Self {
            verb: None,
            resource: None,
            namespace: None,
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

    /// Only requests whose path names this namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
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
            && self.times != Some(0)
            && (subject.verb != Verb::Other || self.verb == Some(Verb::Other))
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
