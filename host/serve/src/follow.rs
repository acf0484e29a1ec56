//! A job as it changes, for answers that wait or go on.

use std::future::pending;
use std::sync::Arc;

use periplus_discovery::{Directory, Snapshot};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::error::ApiError;
use crate::jobs::{self, Found};
use crate::state::App;

/// Cancelled when the listener stops, in the extensions of its requests: answers that wait end
/// then, instead of holding up the end of the process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stopping(pub(crate) CancellationToken);

/// So many answers may wait or go on at a time: fewer than there are connections, so that lists are
/// served whatever else happens.
const MOST_HELD: usize = 3072;

/// The places of answers that wait or go on.
#[derive(Clone, Debug)]
pub(crate) struct Held(Arc<Semaphore>);

/// One reader's eyes on one job.
pub(crate) struct Follow {
    app: Arc<App>,
    job: String,
    directory: watch::Receiver<Arc<Directory>>,
    snapshots: Option<watch::Receiver<Arc<Snapshot>>>,
}

// === impl Held ===

impl Held {
    /// A place, if one is free.
    pub(crate) fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }
}

impl Default for Held {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_HELD)))
    }
}

// === impl Follow ===

impl Follow {
    pub(crate) fn new(app: &Arc<App>, job: String) -> Self {
        Self {
            app: Arc::clone(app),
            job,
            directory: app.manager.directory(),
            snapshots: None,
        }
    }

    /// What there is to say now.
    pub(crate) fn look(&mut self) -> Result<Found, ApiError> {
        let directory = Arc::clone(&self.directory.borrow_and_update());
        self.snapshots = directory.jobs.get(&self.job).map(|it| it.snapshots.clone());
        // Marked as seen before it is read, so that no change falls between.
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.mark_unchanged();
        }
        jobs::find_in(&directory, self.app.removed_grace, &self.job)
    }

    /// Returns when [`look`](Self::look) may say something else.
    pub(crate) async fn changed(&mut self) {
        let snapshots = async {
            let is_changed = match &mut self.snapshots {
                Some(snapshots) => snapshots.changed().await.is_ok(),
                None => false,
            };
            if !is_changed {
                // The job is gone, which the directory will tell.
                pending::<()>().await;
            }
        };
        tokio::select! {
            () = snapshots => {}
            changed = self.directory.changed() => if changed.is_err() {
                // The host is stopping, and so is the listener.
                pending::<()>().await;
            },
        }
    }
}
