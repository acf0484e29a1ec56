//! One thing that is asked for over and over: its index, its request under way, and when to ask next.

use std::time::{Duration, Instant};

use periplus_sdk::http::{self, Request, Ticket};

/// After a failure.
const RETRY: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(crate) struct Watch {
    /// 0: asked without waiting.
    index: u64,
    under_way: Option<Ticket>,
    /// When the last request began.
    began: Instant,
    due: Instant,
}

// === impl Watch ===

impl Watch {
    /// One that is due at once.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            index: 0,
            under_way: None,
            began: now,
            due: now,
        }
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.under_way.is_none() && self.due <= now
    }

    /// When it is to be asked next; nothing while a request is under way.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.under_way.is_none().then_some(self.due)
    }

    /// The index to wait for; none: the answer is wanted at once.
    pub(crate) fn index(&self) -> Option<u64> {
        (self.index != 0).then_some(self.index)
    }

    pub(crate) fn start(&mut self, request: Request, now: Instant) {
        self.began = now;
        self.under_way = Some(request.start());
    }

    pub(crate) fn is(&self, ticket: Ticket) -> bool {
        self.under_way == Some(ticket)
    }

    /// Whether there is news. An index that went back means that the server began anew: the next request does not wait
    /// for what may never come.
    pub(crate) fn answered(&mut self, index: u64, interval: Duration, now: Instant) -> bool {
        self.under_way = None;
        self.due = (self.began + interval).max(now);
        let is_news = index == 0 || index != self.index;
        self.index = if index < self.index { 0 } else { index };
        is_news
    }

    pub(crate) fn failed(&mut self, now: Instant) {
        self.under_way = None;
        self.due = now + RETRY;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(ticket) = self.under_way {
            http::abandon(ticket);
        }
    }
}
