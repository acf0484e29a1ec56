//! A state that comes as a stream of objects, one at a time, with the changes behind it.

use super::{Listing, Pause, State, Step, WatchEnd, Watching, is_version, pause_after};
use crate::api::ApiError;

/// How many streams of one state may fail before it is listed.
pub(super) const STREAM_ATTEMPTS: u32 = 3;

/// A streamed state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Streaming {
    /// A version that was reached before; empty if there is none.
    known: String,
    /// Whether the server could not show its very newest state: its cache lies behind. Asking for
    /// that again would move the mark each time.
    bounced: bool,
    /// How many streams failed.
    failures: u32,
}

// === impl Streaming ===

impl Streaming {
    pub(super) fn new(known: String) -> Self {
        Self {
            known,
            ..Self::default()
        }
    }

    /// The version that the state must not be older than: empty for the very newest, `0` for any
    /// that the server has at hand.
    pub(crate) fn not_older_than(&self) -> &str {
        match (self.bounced, self.known.is_empty()) {
            (false, _) => "",
            (true, true) => "0",
            (true, false) => &self.known,
        }
    }

    pub(super) fn complete(version: String) -> Step {
        if !is_version(&version) {
            let step = Listing::anew(Pause::Failure);
            return step.because("the streamed state has no resource version");
        }
        Step::to(State::Watching(Watching::new(version, false)), Pause::None)
    }

    pub(super) fn ended(self, end: WatchEnd) -> Step {
        match end {
            WatchEnd::NotOpened(error) | WatchEnd::ErrorEvent(error) => self.refused(&error),
            WatchEnd::Broken(error) => {
                let text = format!("the stream of the state broke: {error}");
                self.failed(Pause::Surprise).because(text.as_str())
            }
            WatchEnd::Closed | WatchEnd::ClosedAtOnce => self
                .failed(Pause::Surprise)
                .because("the stream of the state ended too early"),
            // A server that does not know of streamed states begins with those that are at hand,
            // or with nothing, and never says that this was all.
            WatchEnd::Silent | WatchEnd::Rewound | WatchEnd::Endless => Self::not_offered(),
        }
    }

    fn refused(self, error: &ApiError) -> Step {
        let pause = pause_after(error);
        let Some(refusal) = error.refusal() else {
            // Away: what it offers will be seen when it is back.
            return Step::to(State::Streaming(self), pause).because(error);
        };
        let code = refusal.code;
        if error.is_expired() || refusal.is_too_new() {
            // What we know means nothing to this server.
            let anew = Self {
                known: String::new(),
                bounced: false,
                ..self
            };
            return anew.failed(Pause::Surprise).because(error);
        }
        match code {
            429 => {
                let bounced = Self {
                    bounced: true,
                    ..self
                };
                bounced.failed(pause).because(error)
            }
            401 => Step::to(State::Streaming(self), pause).because(error),
            // Whether listing alone is allowed, the list will say.
            403 => Listing::anew(Pause::None),
            code if code < 500 => Self::not_offered(),
            _ => self.failed(pause).because(error),
        }
    }

    /// Once more, unless that has failed too often: then list, for this time.
    fn failed(self, pause: Pause) -> Step {
        let failures = self.failures + 1;
        if failures >= STREAM_ATTEMPTS {
            return Listing::anew(pause);
        }
        Step::to(State::Streaming(Self { failures, ..self }), pause)
    }

    fn not_offered() -> Step {
        Step {
            lists_only: true,
            ..Listing::anew(Pause::None)
        }
    }
}
