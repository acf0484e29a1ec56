//! A state that is listed page by page.

use super::{Pause, State, Step, Watching, is_version, pause_after};
use crate::api::ApiError;
use crate::frame::ListEnd;

/// How many objects a page has.
pub(crate) const PAGE_SIZE: u32 = 500;
/// How often a list that expired between pages is begun again by pages. Then it is asked for
/// whole, as client-go does: with so many objects no page token lives long enough.
pub(super) const PAGED_ATTEMPTS: u32 = 2;
/// How often one page is asked for before the list begins anew.
pub(super) const PAGE_ATTEMPTS: u32 = 5;
/// How often a list goes on by the token that the server gives for one that expired.
pub(super) const PATCHES: u32 = 100;
/// More pages than these are no list of objects: etcd holds fewer.
pub(super) const MOST_PAGES: u32 = 20_000;

/// A list, and how far it got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Where the next page begins; `None` for the first.
    pub(crate) continue_token: Option<String>,
    /// The version of the first page. A watch goes on from there, whatever the later pages show:
    /// what they show too early comes again, and nothing is missed.
    version: String,
    /// How many pages were read.
    pages: u32,
    /// How often this page was asked for in vain.
    failures: u32,
    /// How often a page token expired since the last complete list.
    expired: u32,
    /// How often the list went on with a newer state than it began with.
    patches: u32,
}

// === impl Listing ===

impl Listing {
    /// A list from its first page.
    pub(super) fn anew(pause: Pause) -> Step {
        Step::to(State::Listing(Self::default()), pause)
    }

    /// A list of all objects at once.
    pub(super) fn whole() -> Self {
        Self {
            expired: PAGED_ATTEMPTS + 1,
            ..Self::default()
        }
    }

    /// How many objects to ask for; `None` for all.
    pub(crate) fn limit(&self) -> Option<u32> {
        (self.expired <= PAGED_ATTEMPTS).then_some(PAGE_SIZE)
    }

    /// Whether this is the first page: each attempt at it shows a newer state than the one before,
    /// while the pages that follow show the state of the first.
    pub(crate) fn begins(&self) -> bool {
        self.continue_token.is_none()
    }

    pub(super) fn page(mut self, end: ListEnd) -> Step {
        if self.begins() {
            self.version = end.resource_version;
        }
        self.pages += 1;
        if end.continue_token.is_some() {
            if end.continue_token == self.continue_token {
                return Self::anew(Pause::Failure)
                    .because("the server continues the list where it already was");
            }
            if self.pages >= MOST_PAGES {
                return Self::anew(Pause::Failure).because("the list does not end");
            }
            let next = Self {
                continue_token: end.continue_token,
                failures: 0,
                ..self
            };
            return Step::to(State::Listing(next), Pause::None);
        }
        if !is_version(&self.version) {
            return Self::anew(Pause::Failure).because("the list has no resource version");
        }
        let watching = Watching::new(self.version.clone(), self.patches > 0);
        Step {
            complete: Some(self.version),
            ..Step::to(State::Watching(watching), Pause::None)
        }
    }

    pub(super) fn failed(self, error: &ApiError) -> Step {
        if !self.begins() && error.is_expired() {
            return self.expired(error);
        }
        let failures = self.failures + 1;
        let next = if !self.begins() && failures >= PAGE_ATTEMPTS {
            Self {
                expired: self.expired,
                ..Self::default()
            }
        } else {
            Self { failures, ..self }
        };
        Step::to(State::Listing(next), pause_after(error)).because(error)
    }

    /// The page token expired. The server may say how to go on with the newest state, which is
    /// not the one of the pages before: the changes between them come by the watch.
    fn expired(self, error: &ApiError) -> Step {
        let token = error
            .refusal()
            .and_then(|refusal| refusal.continue_token.clone());
        let next = match token {
            Some(token)
                if self.patches < PATCHES && Some(&token) != self.continue_token.as_ref() =>
            {
                Self {
                    continue_token: Some(token),
                    patches: self.patches + 1,
                    failures: 0,
                    ..self
                }
            }
            _ => Self {
                expired: self.expired + 1,
                ..Self::default()
            },
        };
        Step::to(State::Listing(next), Pause::Surprise)
    }
}
