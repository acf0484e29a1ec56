//! Writes what changed, now and then, without holding up the manager.

use std::sync::Arc;
use std::time::Duration;

use imbl::OrdMap;
use periplus_core::ContentHash;
use rustc_hash::FxHashMap;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::StateDir;
use crate::discovered::Discovered;
use crate::metrics::DiscoveryMetrics;

/// How often states are written at most: what a crash may cost.
const PERIOD: Duration = Duration::from_mins(1);
/// After a write that took long the next waits so many times as long, so that a large state takes half a percent
/// of a core.
const PAUSE_PER_COST: u32 = 200;

/// What a section knows at one moment.
pub(crate) struct Moment {
    pub(crate) section: ContentHash,
    /// Counts changes.
    pub(crate) revision: u64,
    pub(crate) groups: OrdMap<Arc<str>, Discovered>,
    /// Whether the source answered last time: what is known is good as of now, also if nothing
    /// changed.
    pub(crate) is_confirmed: bool,
}

/// Saves the states of all sections, one write at a time.
pub(crate) struct Saver {
    dir: Arc<StateDir>,
    metrics: DiscoveryMetrics,
    /// Revisions that are on disk, by section.
    saved: FxHashMap<ContentHash, u64>,
    next: Instant,
    writing: Option<JoinHandle<Written>>,
}

/// What became of a round of writes.
struct Written {
    saved: FxHashMap<ContentHash, u64>,
    cost: Duration,
}

// === impl Saver ===

impl Saver {
    pub(crate) fn new(dir: Arc<StateDir>, metrics: DiscoveryMetrics) -> Self {
        Self {
            dir,
            metrics,
            saved: FxHashMap::default(),
            next: Instant::now() + PERIOD,
            writing: None,
        }
    }

    /// Until it is time to call [`Saver::begin`]; ends the round before.
    pub(crate) async fn due(&mut self) {
        self.settle().await;
        sleep_until(self.next).await;
    }

    /// Begins to write what changed.
    pub(crate) fn begin(&mut self, moments: Vec<Moment>) {
        self.next = Instant::now() + PERIOD;
        let (dir, metrics) = (Arc::clone(&self.dir), self.metrics.clone());
        let saved = std::mem::take(&mut self.saved);
        self.writing = Some(tokio::task::spawn_blocking(move || {
            write(&dir, &metrics, saved, &moments)
        }));
    }

    /// Writes what changed, for the last time.
    pub(crate) async fn finish(mut self, moments: Vec<Moment>) {
        self.settle().await;
        self.begin(moments);
        self.settle().await;
    }

    async fn settle(&mut self) {
        // By reference, so that it can be awaited again if this was cancelled meanwhile.
        let Some(writing) = &mut self.writing else {
            return;
        };
        let written = writing.await;
        self.writing = None;
        if let Ok(Written { saved, cost }) = written {
            self.saved = saved;
            self.next = self.next.max(Instant::now() + cost * PAUSE_PER_COST);
        }
    }
}

fn write(
    dir: &StateDir,
    metrics: &DiscoveryMetrics,
    saved: FxHashMap<ContentHash, u64>,
    moments: &[Moment],
) -> Written {
    let started = std::time::Instant::now();
    let mut now_saved = FxHashMap::default();
    for moment in moments {
        let Moment {
            section,
            revision,
            groups,
            is_confirmed,
        } = moment;
        let outcome = if saved.get(section) != Some(revision) {
            dir.save(*section, groups)
        } else if *is_confirmed {
            dir.confirm(*section)
        } else {
            Ok(())
        };
        match outcome {
            Ok(()) => _ = now_saved.insert(*section, *revision),
            Err(error) => {
                metrics.state_failures.inc();
                tracing::warn!(%section, %error, "Failed to write the last known good state");
            }
        }
    }
    Written {
        saved: now_saved,
        cost: started.elapsed(),
    }
}
