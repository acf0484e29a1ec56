//! Stands in for the manager in tests of providers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use periplus_core::TargetGroup;

use super::mailbox::{Mailbox, Wake};
use super::store::GroupStore;
use crate::status::ProviderStatus;

/// What a provider under test has said so far.
#[derive(Debug)]
pub struct UpdatesProbe {
    mailbox: Arc<Mailbox>,
    wake: Arc<Wake>,
    store: Mutex<GroupStore>,
}

// === impl UpdatesProbe ===

impl UpdatesProbe {
    pub(super) fn new(mailbox: Arc<Mailbox>, wake: Arc<Wake>) -> Self {
        Self {
            mailbox,
            wake,
            store: Mutex::default(),
        }
    }

    /// The groups as they are now, by source; those with an origin are made by it.
    pub fn groups(&self) -> BTreeMap<Arc<str>, Arc<TargetGroup>> {
        self.absorb();
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let groups = store.groups().clone();
        drop(store);
        let groups = groups.iter();
        groups
            .map(|(source, discovered)| (Arc::clone(source), discovered.group()))
            .collect()
    }

    /// The status as it is now.
    pub fn status(&self) -> ProviderStatus {
        self.absorb();
        self.mailbox.status()
    }

    /// Has the source asked now; whether it is one that is asked at all.
    pub fn ask(&self) -> bool {
        self.mailbox.ask()
    }

    /// Waits until the provider has said something that was not seen yet: groups, that it is
    /// synced, or another status.
    pub async fn changed(&self) {
        self.wake.notified().await;
    }

    /// Waits until the condition holds; tests put a deadline around it.
    pub async fn wait_until(&self, mut condition: impl FnMut(&Self) -> bool) {
        while !condition(self) {
            self.changed().await;
        }
    }

    fn absorb(&self) {
        self.wake.take_dirty();
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.absorb(self.mailbox.drain());
        self.mailbox.count(store.groups().len(), store.targets());
    }
}
