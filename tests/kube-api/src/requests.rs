//! What the server has been asked, for tests that care how a client behaves.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Objects of a resource.
    List,
    /// Changes to objects of a resource.
    Watch,
    /// One object.
    Get,
    /// A new object.
    Create,
    /// A whole object replaced.
    Update,
    /// A part of an object replaced.
    Patch,
    /// An object removed.
    Delete,
    /// Anything that is not about objects: versions, health, discovery.
    Other,
}

impl Verb {
    /// As messages of the API name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Watch => "watch",
            Self::Get | Self::Other => "get",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

/// One request and how it was answered.
#[derive(Clone, Debug)]
pub struct Request {
    /// Counts from 1, in order of arrival.
    pub number: u64,
    /// The version of HTTP.
    pub version: http::Version,
    /// The connection that it came over; they count from 1.
    pub connection: u64,
    /// Whether the client showed a certificate, good or not.
    pub client_certificate: bool,
    /// What it wanted.
    pub verb: Verb,
    /// HTTP method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// The query, decoded; a repeated key keeps its last value.
    pub query: BTreeMap<String, String>,
    /// Resource in the path, such as `pods`; empty for [`Verb::Other`].
    pub resource: String,
    /// Namespace in the path; empty if it has none.
    pub namespace: String,
    /// Value of `user-agent`.
    pub user_agent: String,
    /// Value of `authorization`.
    pub authorization: String,
    /// Value of `accept`.
    pub accept: String,
    /// Value of `accept-encoding`.
    pub accept_encoding: String,
    /// Status code of the answer; 0 while there is none and for a connection that was cut.
    pub status: u16,
}

#[derive(Debug)]
pub(crate) struct RequestLog {
    records: Mutex<VecDeque<Request>>,
    last: AtomicU64,
    changed: watch::Sender<u64>,
}

/// More than any test sends; a soak must not grow without bound.
const KEPT: usize = 100_000;

impl RequestLog {
    pub(crate) fn new() -> Self {
        Self {
            records: Mutex::new(VecDeque::new()),
            last: AtomicU64::new(0),
            changed: watch::channel(0).0,
        }
    }

    pub(crate) fn add(&self, mut request: Request) -> u64 {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        request.number = number;
        {
            let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
            if records.len() == KEPT {
                records.pop_front();
            }
            records.push_back(request);
        }
        self.changed.send_modify(|n| *n += 1);
        number
    }

    pub(crate) fn answered(&self, number: u64, status: u16) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(record) = records.iter_mut().rev().find(|r| r.number == number) {
            record.status = status;
        }
        drop(records);
        self.changed.send_modify(|n| *n += 1);
    }

    pub(crate) fn all(&self) -> Vec<Request> {
        self.records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    pub(crate) fn clear(&self) {
        self.records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// Waits until the log satisfies `condition`; false if it does not within `patience`.
    pub(crate) async fn wait_for(
        &self,
        patience: Duration,
        condition: impl Fn(&[Request]) -> bool,
    ) -> bool {
        let mut changed = self.changed.subscribe();
        let reached = async {
            loop {
                changed.borrow_and_update();
                if condition(&self.all()) || changed.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(patience, reached).await.is_ok()
    }
}
