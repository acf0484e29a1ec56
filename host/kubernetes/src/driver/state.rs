//! The state machine of a watch: pure, without clock or connection.
//!
//! ```text
//!             page with more to come                 closed, silent, cut: resume
//!                 +------+                                +------+
//!                 v      |        last page               v      |
//! start ------> Listing -+---------------------------> Watching -+
//!                 ^                                          |
//!                 +------------------------------------------+
//!                   version expired, rewound, or fruitless too often
//! ```

use std::time::Duration;

use crate::api::ApiError;
use crate::frame::ListEnd;

/// How many objects a page has.
pub(crate) const PAGE_SIZE: u32 = 500;
/// How often a list that expired between pages is begun again by pages. Then it is asked for
/// whole, as client-go does: with so many objects no page token lives long enough.
const PAGED_ATTEMPTS: u32 = 2;
/// How often one page is asked for before the list begins anew.
const PAGE_ATTEMPTS: u32 = 5;
/// How many watches from one version may fail without a single readable event before the state
/// is listed again: the version, or the event behind it, may be what they fail at.
const FRUITLESS_WATCHES: u32 = 3;

/// What the driver does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing is known of the newest state, or not enough: list it.
    Listing(Listing),
    /// A list was complete: follow what changed after it.
    Watching(Watching),
}

/// A list, and how far it got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Where the next page begins; `None` for the first.
    pub(crate) continue_token: Option<String>,
    /// How often this page was asked for in vain.
    failures: u32,
    /// How often a page token expired since the last complete list.
    expired: u32,
}

/// A watch, and how far it got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watching {
    /// Changes after this version are still to come.
    pub(crate) resource_version: String,
    /// How many watches from this version failed without an event.
    fruitless: u32,
}

/// How one request ended.
#[derive(Debug)]
pub(crate) enum Outcome {
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
}

// === impl Problem ===

impl From<&ApiError> for Problem {
    fn from(error: &ApiError) -> Self {
        Self {
            text: error.to_string(),
            is_forbidden: error.refusal().is_some_and(|refusal| refusal.code == 403),
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

// === impl State ===

impl State {
    /// Where every watch begins.
    pub(crate) fn start() -> Self {
        Self::Listing(Listing::default())
    }

    /// Where an outcome leads.
    pub(crate) fn step(self, outcome: Outcome) -> Step {
        match (self, outcome) {
            (Self::Listing(listing), Outcome::Page(end)) => listing.page(end),
            (Self::Listing(listing), Outcome::PageFailed(error)) => listing.failed(&error),
            (
                Self::Watching(watching),
                Outcome::WatchEnded {
                    resource_version,
                    fruitful,
                    end,
                },
            ) => {
                let fruitless = if fruitful { 0 } else { watching.fruitless };
                Watching {
                    resource_version,
                    fruitless,
                }
                .ended(end)
            }
            // An outcome of another request than the state asks for: begin anew.
            (_, _) => Step::to(Self::start(), Pause::Failure),
        }
    }
}

impl Step {
    fn to(state: State, pause: Pause) -> Self {
        Self {
            state,
            pause,
            problem: None,
            complete: None,
        }
    }

    fn because(self, problem: impl Into<Problem>) -> Self {
        Self {
            problem: Some(problem.into()),
            ..self
        }
    }
}

// === impl Listing ===

impl Listing {
    /// How many objects to ask for; `None` for all.
    pub(crate) fn limit(&self) -> Option<u32> {
        (self.expired <= PAGED_ATTEMPTS).then_some(PAGE_SIZE)
    }

    /// Whether this is the first page: each attempt at it shows a newer state than the one before,
    /// while the pages that follow show the state of the first.
    pub(crate) fn begins(&self) -> bool {
        self.continue_token.is_none()
    }

    fn page(self, end: ListEnd) -> Step {
        let ListEnd {
            resource_version,
            continue_token,
        } = end;
        if continue_token.is_some() {
            if continue_token == self.continue_token {
                let step = Step::to(State::start(), Pause::Failure);
                return step.because("the server continues the list where it already was");
            }
            let next = Self {
                continue_token,
                failures: 0,
                ..self
            };
            return Step::to(State::Listing(next), Pause::None);
        }
        if resource_version.is_empty() || resource_version == "0" {
            // Without it nothing can be watched, and the next watch would show everything again.
            let step = Step::to(State::start(), Pause::Failure);
            return step.because("the list has no resource version");
        }
        let watching = State::Watching(Watching {
            resource_version: resource_version.clone(),
            fruitless: 0,
        });
        Step {
            complete: Some(resource_version),
            ..Step::to(watching, Pause::None)
        }
    }

    fn failed(self, error: &ApiError) -> Step {
        if self.continue_token.is_some() && error.is_expired() {
            let anew = Self {
                expired: self.expired + 1,
                ..Self::default()
            };
            return Step::to(State::Listing(anew), Pause::Surprise);
        }
        let failures = self.failures + 1;
        let next = if self.continue_token.is_some() && failures >= PAGE_ATTEMPTS {
            Self {
                expired: self.expired,
                ..Self::default()
            }
        } else {
            Self { failures, ..self }
        };
        Step::to(State::Listing(next), pause_after(error)).because(error)
    }
}

// === impl Watching ===

impl Watching {
    /// Whether nothing failed since this version.
    pub(crate) fn is_fresh(&self) -> bool {
        self.fruitless == 0
    }

    fn ended(self, end: WatchEnd) -> Step {
        match end {
            WatchEnd::Closed | WatchEnd::Silent => self.resume(Pause::None),
            WatchEnd::ClosedAtOnce => self
                .retry(Pause::Failure)
                .because("the server closes the watch at once"),
            WatchEnd::NotOpened(error) => self.not_opened(&error),
            WatchEnd::Broken(error) => {
                let text = format!("the watch broke: {error}");
                self.retry(Pause::Surprise).because(text.as_str())
            }
            WatchEnd::ErrorEvent(error) if error.is_expired() => Self::relist(),
            WatchEnd::ErrorEvent(error) => self.retry(pause_after(&error)).because(&error),
            WatchEnd::Rewound => Step::to(State::start(), Pause::Surprise)
                .because("the server's versions went back; listing again"),
        }
    }

    fn not_opened(self, error: &ApiError) -> Step {
        if error.is_expired() {
            return Self::relist();
        }
        let Some(refusal) = error.refusal() else {
            return self.resume(pause_after(error)).because(error);
        };
        let version_refused = refusal.is_too_new() || matches!(refusal.code, 400 | 404 | 422);
        let pause = pause_after(error);
        let step = if version_refused {
            Step::to(State::start(), pause)
        } else {
            self.resume(pause)
        };
        step.because(error)
    }

    /// The version is gone: list again. No problem; it happens to every quiet watch.
    fn relist() -> Step {
        Step::to(State::start(), Pause::Surprise)
    }

    /// Watch on from where the last one ended.
    fn resume(self, pause: Pause) -> Step {
        Step::to(State::Watching(self), pause)
    }

    /// Watch on, unless that has failed too often.
    fn retry(self, pause: Pause) -> Step {
        let fruitless = self.fruitless + 1;
        if fruitless >= FRUITLESS_WATCHES {
            return Step::to(State::start(), Pause::Failure);
        }
        Step::to(State::Watching(Self { fruitless, ..self }), pause)
    }
}

fn pause_after(error: &ApiError) -> Pause {
    match error.refusal().and_then(|refusal| refusal.retry_after) {
        Some(asked) => Pause::AtLeast(asked),
        None => Pause::Failure,
    }
}

#[cfg(test)]
mod tests;
