//! The state machine of a watch: pure, without clock or connection.
//!
//! ```text
//!              cut, bounced: again                        closed, silent, cut: resume
//!                   +------+                                      +------+
//!                   v      |      the state is complete           v      |
//! start -------> Streaming -+----------------------------------> Watching -+
//!    ^              |                                             ^      |
//!    |              | not offered, refused, failed too often      |      |
//!    |              v           last page                         |      |
//!    |           Listing -+--------------------------------------+       |
//!    |              ^     |                                              |
//!    |              +-----+ page with more to come                       |
//!    +-------------------------------------------------------------------+
//!                   version expired, rewound, or fruitless too often
//! ```

use std::time::Duration;

use crate::api::ApiError;
use crate::frame::ListEnd;

mod listing;
mod streaming;
mod watching;

pub(crate) use self::listing::Listing;
pub(crate) use self::streaming::Streaming;
pub(crate) use self::watching::Watching;

/// What the driver does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing is known of the newest state, or not enough: have it streamed, and the changes
    /// after it.
    Streaming(Streaming),
    /// The same where the server does not stream: list it.
    Listing(Listing),
    /// A state was complete: follow what changed after it.
    Watching(Watching),
}

/// How one request ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// No state was asked for, since the server is known not to stream any.
    NotStreamed,
    /// A state was streamed whole, up to this version; the changes after it follow.
    Streamed(String),
    /// A stream ended before the state was whole.
    StreamEnded(WatchEnd),
    /// A page was read whole.
    Page(ListEnd),
    /// A page was not read whole.
    PageFailed(ApiError),
    /// A watch ended.
    WatchEnded {
        /// The version of its last event; the one it began with if there was none.
        resource_version: String,
        /// Whether it brought anything that could be read.
        fruitful: bool,
        /// How it ended.
        end: WatchEnd,
    },
}

/// How a watch ended.
#[derive(Debug)]
pub(crate) enum WatchEnd {
    /// The server closed it, as it does when its time is over.
    Closed,
    /// The server closed it as soon as it was open.
    ClosedAtOnce,
    /// Nothing came for so long that the connection must be dead.
    Silent,
    /// It could not be opened.
    NotOpened(ApiError),
    /// It broke, by the connection or by what came over it.
    Broken(ApiError),
    /// An error came as an event.
    ErrorEvent(ApiError),
    /// An event was older than the version that the watch began with: the server's history is
    /// not the one that we know.
    Rewound,
    /// A state was asked for, and the server does not say where it ends: it does not know of
    /// streamed states.
    Endless,
}

/// What to wait for before the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    /// Nothing.
    None,
    /// Back-off, but none for the first time in a while.
    Surprise,
    /// Back-off.
    Failure,
    /// Back-off, and at least so long.
    AtLeast(Duration),
}

/// Why the server did not answer as it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// For an operator.
    pub(crate) text: String,
    /// Whether the account lacks a permission.
    pub(crate) is_forbidden: bool,
}

/// Where an outcome leads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// What to do next.
    pub(crate) state: State,
    /// When.
    pub(crate) pause: Pause,
    /// What an operator should see, if it was a failure.
    pub(crate) problem: Option<Problem>,
    /// The list is complete, up to this version: what it did not show is gone.
    pub(crate) complete: Option<String>,
    /// The server does not stream states of this resource: worth remembering.
    pub(crate) lists_only: bool,
}

// === impl State ===

impl State {
    /// Where every watch begins, and begins again when it cannot go on. `known` is a version that
    /// was reached before and still means something to the server; empty if there is none.
    pub(crate) fn start(known: impl Into<String>) -> Self {
        Self::Streaming(Streaming::new(known.into()))
    }

    /// Where an outcome leads.
    pub(crate) fn step(self, outcome: Outcome) -> Step {
        match (self, outcome) {
            (Self::Streaming(_), Outcome::NotStreamed) => Listing::anew(Pause::None),
            (Self::Streaming(_), Outcome::Streamed(version)) => Streaming::complete(version),
            (Self::Streaming(streaming), Outcome::StreamEnded(end)) => streaming.ended(end),
            (Self::Listing(listing), Outcome::Page(end)) => listing.page(end),
            (Self::Listing(listing), Outcome::PageFailed(error)) => listing.failed(&error),
            (
                Self::Watching(watching),
                Outcome::WatchEnded {
                    resource_version,
                    fruitful,
                    end,
                },
            ) => watching.after(resource_version, fruitful).ended(end),
            // An outcome of another request than the state asks for: begin anew.
            (_, _) => Step::to(Self::start(""), Pause::Failure),
        }
    }
}

// === impl Problem ===

impl From<&ApiError> for Problem {
    fn from(error: &ApiError) -> Self {
        Self {
            text: error.to_string(),
            is_forbidden: error.is_forbidden(),
        }
    }
}

impl From<&str> for Problem {
    fn from(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            is_forbidden: false,
        }
    }
}

// === impl Step ===

impl Step {
    fn to(state: State, pause: Pause) -> Self {
        Self {
            state,
            pause,
            problem: None,
            complete: None,
            lists_only: false,
        }
    }

    fn because(self, problem: impl Into<Problem>) -> Self {
        Self {
            problem: Some(problem.into()),
            ..self
        }
    }
}

/// Whether a version can be watched from. Without one nothing can be watched, and the next watch
/// would show everything again.
fn is_version(version: &str) -> bool {
    !version.is_empty() && version != "0"
}

fn pause_after(error: &ApiError) -> Pause {
    match error.refusal().and_then(|refusal| refusal.retry_after) {
        Some(asked) => Pause::AtLeast(asked),
        None => Pause::Failure,
    }
}

#[cfg(test)]
mod tests;
