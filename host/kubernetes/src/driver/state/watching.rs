//! Changes after a complete state.

use super::{Listing, Pause, State, Step, WatchEnd, pause_after};
use crate::api::ApiError;

/// How many watches from one version may fail without a single readable event before the state
/// is asked for again: the version, or the event behind it, may be what they fail at.
pub(super) const FRUITLESS_WATCHES: u32 = 3;

/// A watch, and how far it got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watching {
    /// Changes after this version are still to come.
    pub(crate) resource_version: String,
    /// How many watches from this version failed without an event.
    fruitless: u32,
    /// The list before it was patched, and nothing has come since: should the version be too old
    /// already, pages are too slow for this server.
    patched: bool,
}

// === impl Watching ===

impl Watching {
    /// A watch after a complete state. `patched`: its pages show different states.
    pub(super) fn new(resource_version: String, patched: bool) -> Self {
        Self {
            resource_version,
            fruitless: 0,
            patched,
        }
    }

    /// Whether nothing failed since this version.
    pub(crate) fn is_fresh(&self) -> bool {
        self.fruitless == 0
    }

    /// How far a watch got.
    pub(super) fn after(self, resource_version: String, fruitful: bool) -> Self {
        Self {
            resource_version,
            fruitless: if fruitful { 0 } else { self.fruitless },
            patched: self.patched && !fruitful,
        }
    }

    pub(super) fn ended(self, end: WatchEnd) -> Step {
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
            WatchEnd::ErrorEvent(error) if error.is_expired() => self.expired(),
            WatchEnd::ErrorEvent(error) => self.retry(pause_after(&error)).because(&error),
            // `Endless` never comes of a watch that asked for no state.
            WatchEnd::Rewound | WatchEnd::Endless => Step::to(State::start(""), Pause::Surprise)
                .because("the server's versions went back; asking for the state again"),
        }
    }

    fn not_opened(self, error: &ApiError) -> Step {
        if error.is_expired() {
            return self.expired();
        }
        let pause = pause_after(error);
        let step = match error.refusal() {
            Some(refusal) if refusal.is_too_new() => Step::to(State::start(""), pause),
            Some(refusal) if matches!(refusal.code, 400 | 404 | 422) => {
                Step::to(State::start(""), pause)
            }
            _ => self.resume(pause),
        };
        step.because(error)
    }

    /// The version is gone: ask for the state again. No problem; it happens to every quiet watch.
    fn expired(self) -> Step {
        let next = if self.patched {
            State::Listing(Listing::whole())
        } else {
            State::start(self.resource_version)
        };
        Step::to(next, Pause::Surprise)
    }

    /// Watch on from where the last one ended.
    fn resume(self, pause: Pause) -> Step {
        Step::to(State::Watching(self), pause)
    }

    /// Watch on, unless that has failed too often.
    fn retry(self, pause: Pause) -> Step {
        let fruitless = self.fruitless + 1;
        if fruitless >= FRUITLESS_WATCHES {
            return Step::to(State::start(self.resource_version), Pause::Failure);
        }
        Step::to(State::Watching(Self { fruitless, ..self }), pause)
    }
}
