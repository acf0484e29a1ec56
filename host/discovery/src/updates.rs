//! A provider's only way out: a pending map keyed by source, in which the last state wins.
//!
//! A reader of a source never waits for what comes after it. What is pending is bounded by the
//! number of groups, so a burst of changes to one group costs one pass.

mod mailbox;
mod probe;
mod store;

use std::sync::Arc;
use std::time::SystemTime;

use periplus_core::TargetGroup;
use tokio::time::Instant;

use crate::discovered::GroupOrigin;

pub use probe::UpdatesProbe;

pub(crate) use mailbox::{Drained, Mailbox, Wake};
pub(crate) use store::{Delta, Entry, FRESH_AT_MOST, GroupStore};

/// Where a [`Discoverer`](crate::Discoverer) puts what it finds. Cheap to clone; no call blocks.
#[derive(Clone, Debug)]
pub struct Updates {
    mailbox: Arc<Mailbox>,
}

// === impl Updates ===

impl Updates {
    /// A way out that leads to a probe instead of a manager: for tests of providers.
    pub fn testing() -> (Self, UpdatesProbe) {
        let wake = Arc::new(Wake::default());
        let mailbox = Arc::new(Mailbox::new(0, "testing/0", "testing", Arc::clone(&wake)));
        (
            Self::new(Arc::clone(&mailbox)),
            UpdatesProbe::new(mailbox, wake),
        )
    }

    pub(crate) fn new(mailbox: Arc<Mailbox>) -> Self {
        Self { mailbox }
    }

    /// One group, new or changed. A group without targets is gone.
    pub fn apply(&self, group: Arc<TargetGroup>) {
        self.apply_all([group]);
    }

    /// Several groups, published together.
    pub fn apply_all(&self, groups: impl IntoIterator<Item = Arc<TargetGroup>>) {
        self.post(groups.into_iter().map(Entry::new).collect());
    }

    /// Several groups, published together, each with a way to make it again: nothing keeps the
    /// groups then. A group without targets is gone, whatever its origin says.
    pub fn apply_derived(
        &self,
        groups: impl IntoIterator<Item = (Arc<TargetGroup>, Arc<dyn GroupOrigin>)>,
    ) {
        let entries = groups
            .into_iter()
            .map(|(group, origin)| Entry::derived(group, origin));
        self.post(entries.collect());
    }

    /// The complete state: every source that is not in it is gone. Marks the provider as synced.
    pub fn replace(&self, groups: Vec<Arc<TargetGroup>>) {
        self.replace_except(groups, &[]);
    }

    /// The complete state but for `lapsed`, sources that could not be read: they stay as they
    /// were. Marks the provider as synced.
    pub fn replace_except(&self, groups: Vec<Arc<TargetGroup>>, lapsed: &[Arc<str>]) {
        let entries = groups.into_iter().map(Entry::new).collect();
        self.mailbox.post(|pending| pending.reset(entries, lapsed));
        self.synced();
    }

    /// The first complete state was delivered. More calls change nothing.
    pub fn synced(&self) {
        self.mailbox.note(|status| {
            status.waiting_for = None;
            status.stale = None;
            !std::mem::replace(&mut status.synced, true)
        });
    }

    /// The source answered: updates the time of the last success and clears the last error.
    pub fn success(&self) {
        self.mailbox.note(|status| {
            status.last_success = Some(SystemTime::now());
            status.last_error.take().is_some()
        });
    }

    /// The source failed. Its targets stay; the message is shown in the provider's status.
    pub fn failure(&self, message: impl Into<String>) {
        let message = message.into();
        self.mailbox.note(|status| {
            let changed = status
                .last_error
                .as_ref()
                .is_none_or(|(_, last)| *last != message);
            status.last_error = Some((SystemTime::now(), message));
            changed
        });
    }

    /// What readiness should name while the provider is not synced, such as ``list of `pods` in
    /// `team-a`: 403``.
    pub fn waiting_for(&self, what: Option<String>) {
        self.mailbox.note(|status| {
            let changed = status.waiting_for != what;
            status.waiting_for = what;
            changed
        });
    }

    /// When the event behind the next change arrived, for the latency histogram. Without it, that
    /// is when the change is handed over.
    pub fn observed_at(&self, at: Instant) {
        self.mailbox.observe(at);
    }

    /// When the source is asked next; none while that is under way, or if nobody can say. Providers
    /// that tell this can be asked for a refresh: they listen to [`Updates::asked`].
    pub fn schedule(&self, next: Option<Instant>) {
        let next = next.map(|at| SystemTime::now() + at.saturating_duration_since(Instant::now()));
        self.mailbox.note(|status| {
            status.is_polled = true;
            status.next_refresh = next;
            false
        });
    }

    /// Until somebody wants the source to be asked now, also if they did before this call.
    pub async fn asked(&self) {
        self.mailbox.asked().await;
    }

    /// Waits until it is time to ask the source, or somebody wants it earlier.
    pub async fn until(&self, next: Instant) {
        self.schedule(Some(next));
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            () = self.asked() => {}
        }
        self.schedule(None);
    }

    fn post(&self, entries: Vec<(Arc<str>, Entry)>) {
        if !entries.is_empty() {
            self.mailbox.post(|pending| pending.merge(entries));
        }
    }
}
