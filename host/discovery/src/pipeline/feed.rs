//! From the manager to one generation of one job: what changed in one provider.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use imbl::OrdMap;
use periplus_core::ContentHash;
use rustc_hash::FxHashMap;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::discovered::Discovered;
use crate::group::{GroupKey, SectionKey};
use crate::state::Stale;
use crate::updates::{Delta, Entry, FRESH_AT_MOST, Mailbox, Wake};

/// A generation's hold on a provider: as long as one exists, the provider runs.
#[derive(Debug)]
pub(crate) struct Feed {
    section: Arc<SectionKey>,
    provider: Arc<Mailbox>,
    manager: Arc<Wake>,
    shared: Arc<Shared>,
}

/// The manager's end of a [`Feed`].
#[derive(Debug)]
pub(crate) struct FeedSender(Weak<Shared>);

/// One changed group on its way into a pipeline; without an entry, it is gone.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) key: GroupKey,
    pub(crate) entry: Option<Entry>,
    /// When the event behind it arrived; none for what was known before this generation.
    pub(crate) observed: Option<Instant>,
}

/// How well a provider's groups are known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    /// They are a complete state, be it of the source or from disk.
    pub(crate) is_whole: bool,
    /// They come from disk.
    pub(crate) stale: Option<Stale>,
}

#[derive(Debug)]
struct Shared {
    /// Of the generation: one for all its feeds.
    wake: Arc<Notify>,
    state: Mutex<State>,
}

/// Keyed by source like the provider's own pending map, so that the manager never waits for a
/// pipeline either.
#[derive(Debug)]
struct State {
    pending: FxHashMap<Arc<str>, (Option<Entry>, Option<Instant>)>,
    known: Known,
}

// === impl Feed ===

impl Feed {
    /// A feed that begins with what is known of the provider.
    pub(crate) fn new(
        section: ContentHash,
        provider: Arc<Mailbox>,
        manager: Arc<Wake>,
        groups: &OrdMap<Arc<str>, Discovered>,
        known: Known,
        wake: Arc<Notify>,
    ) -> (Self, FeedSender) {
        let pending = groups.iter().map(|(source, group)| {
            let entry = Entry::from(group.clone());
            (Arc::clone(source), (Some(entry), None))
        });
        let state = State {
            pending: pending.collect(),
            known,
        };
        let shared = Arc::new(Shared {
            wake,
            state: Mutex::new(state),
        });
        let sender = FeedSender(Arc::downgrade(&shared));
        let section = Arc::new(SectionKey {
            mechanism: Arc::clone(provider.mechanism()),
            identity: section,
        });
        (
            Self {
                section,
                provider,
                manager,
                shared,
            },
            sender,
        )
    }

    /// Takes all changes, and how well the provider is known with them.
    pub(crate) fn take(&self) -> (Vec<Change>, Known) {
        let mut state = self.shared.lock();
        let pending = std::mem::take(&mut state.pending);
        let known = state.known;
        drop(state);
        let changes = pending
            .into_iter()
            .map(|(source, (entry, observed))| Change {
                key: GroupKey {
                    section: Arc::clone(&self.section),
                    source,
                },
                entry,
                observed,
            });
        (changes.collect(), known)
    }

    /// Why the provider has not delivered, in words; nothing if it has.
    pub(crate) fn missing(&self) -> Option<String> {
        self.provider.missing()
    }

    pub(crate) fn mechanism(&self) -> &str {
        self.provider.mechanism()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        // The manager looks for feeds that are gone: this one must be, before it is told.
        self.shared = Arc::new(Shared {
            wake: Arc::clone(&self.shared.wake),
            state: Mutex::new(State {
                pending: FxHashMap::default(),
                known: Known::default(),
            }),
        });
        self.manager.release();
    }
}

// === impl FeedSender ===

impl FeedSender {
    /// Hands over changes and wakes the generation, also if only the provider's status changed.
    /// The last state of a group wins, and the oldest event decides its latency.
    pub(crate) fn deliver(&self, deltas: &[Delta], known: Known) {
        let Some(shared) = self.0.upgrade() else {
            return;
        };
        let mut state = shared.lock();
        state.known = known;
        for Delta {
            source,
            entry,
            observed,
        } in deltas
        {
            let is_full = state.pending.len() >= FRESH_AT_MOST;
            let slot = state.pending.entry(Arc::clone(source)).or_default();
            slot.0 = if is_full {
                entry.clone().map(Entry::without_group)
            } else {
                entry.clone()
            };
            slot.1 = Some(slot.1.map_or(*observed, |earlier| earlier.min(*observed)));
        }
        drop(state);
        shared.wake.notify_one();
    }

    /// Whether the generation still needs the provider.
    pub(crate) fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }
}

// === impl Shared ===

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
