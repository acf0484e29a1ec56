//! What one watch keeps, and who is told of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Consumer;
use super::store::Store;

/// The records of a watch with the consumer that is told what changes in them.
///
/// Both stand behind one lock: who joins a watch sees a state and then every change after it.
pub(crate) struct Kept<C> {
    /// The records as the API server has them.
    pub(crate) store: Store,
    /// Is told what changes.
    pub(crate) consumer: C,
}

/// Shared between the driver of a watch and those who join it. The lock is held for one object
/// at a time, and never across an await.
pub(crate) struct SharedKept<C>(Arc<Mutex<Kept<C>>>);

// === impl SharedKept ===

impl<C: Consumer> SharedKept<C> {
    /// Nothing is known yet.
    pub(crate) fn new(consumer: C) -> Self {
        let store = Store::default();
        Self(Arc::new(Mutex::new(Kept { store, consumer })))
    }

    /// Records and consumer, for a moment.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Kept<C>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Clone for SharedKept<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
