//! Notices that files change.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use super::pattern::or_here;
use crate::metrics::DiscoveryMetrics;

/// Watches directories, and what stands in for them while they do not exist.
pub(super) struct Watch {
    /// None if the system cannot watch.
    watcher: Option<RecommendedWatcher>,
    shared: Arc<Shared>,
}

struct Shared {
    changed: Notify,
    /// The directories whose files matter, absolute.
    directories: Mutex<BTreeSet<PathBuf>>,
    metrics: DiscoveryMetrics,
}

// === impl Watch ===

impl Watch {
    pub(super) fn new(metrics: DiscoveryMetrics) -> Self {
        let shared = Arc::new(Shared {
            changed: Notify::new(),
            directories: Mutex::default(),
            metrics,
        });
        let on_event = {
            let shared = Arc::clone(&shared);
            move |event: notify::Result<Event>| shared.take(event)
        };
        let watcher = notify::recommended_watcher(on_event)
            .inspect_err(|error| {
                shared.metrics.file_watcher_errors.inc();
                tracing::warn!(%error, "Failed to watch files, reading them now and then instead");
            })
            .ok();
        Self { watcher, shared }
    }

    /// Watches these directories from now on; whether that is possible for all of them. To be
    /// called before each reading: a directory that was replaced has to be watched anew.
    pub(super) fn cover(&mut self, directories: &BTreeSet<PathBuf>) -> bool {
        let absolute = directories
            .iter()
            .map(|path| std::path::absolute(or_here(path)));
        let absolute: BTreeSet<PathBuf> = absolute.filter_map(Result::ok).collect();
        // A directory is replaced in its parent, as by a link that is swapped.
        let mut watched: BTreeSet<&Path> = BTreeSet::new();
        for directory in &absolute {
            watched.extend(directory.ancestors().find(|path| path.is_dir()));
            let parents = directory.parent().into_iter().flat_map(Path::ancestors);
            watched.extend(parents.into_iter().find(|path| path.is_dir()));
        }
        let mut is_watching = self.watcher.is_some();
        if let Some(watcher) = &mut self.watcher {
            for path in watched {
                if let Err(error) = watcher.watch(path, RecursiveMode::NonRecursive) {
                    self.shared.metrics.file_watcher_errors.inc();
                    tracing::warn!(path = %path.display(), %error, "Failed to watch directory");
                    is_watching = false;
                }
            }
        }
        *self
            .shared
            .directories
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = absolute;
        is_watching
    }

    /// Until something changed that matters, also if it did before this call.
    pub(super) async fn changed(&self) {
        self.shared.changed.notified().await;
    }
}

// === impl Shared ===

impl Shared {
    /// On the watcher's own thread.
    fn take(&self, event: notify::Result<Event>) {
        let matters = match event {
            Ok(event) => self.matters(&event),
            Err(error) => {
                self.metrics.file_watcher_errors.inc();
                tracing::warn!(%error, "Failed to watch files");
                true
            }
        };
        if matters {
            self.changed.notify_one();
        }
    }

    fn matters(&self, event: &Event) -> bool {
        // Our own reading opens files.
        let is_reading = matches!(event.kind, EventKind::Access(kind)
            if kind != AccessKind::Close(AccessMode::Write));
        if is_reading {
            return false;
        }
        let directories = self
            .directories
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        event.need_rescan()
            || event.paths.iter().any(|path| {
                path.parent()
                    .is_some_and(|parent| directories.contains(parent))
                    || directories
                        .iter()
                        .any(|directory| directory.starts_with(path))
            })
    }
}
