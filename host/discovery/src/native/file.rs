//! `file_sd_configs`: groups that others write into files.
//!
//! A file that cannot be read or understood keeps the groups that it had, and so does an empty
//! one: a writer that truncates first has not finished. A file that is gone takes its groups along.

mod pattern;
mod read;
mod scan;
mod watch;

use std::time::Duration;

use async_trait::async_trait;
use periplus_config::FileSection;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::scan::{Scan, Scanner};
use self::watch::Watch;
use crate::discoverer::Discoverer;
use crate::metrics::DiscoveryMetrics;
use crate::updates::Updates;

/// Writers come in bursts; reading begins this long after the first event.
const DEBOUNCE: Duration = Duration::from_millis(20);
/// How often files are read when they cannot be watched, if not more often anyway.
const POLL_UNWATCHED: Duration = Duration::from_secs(5);

/// Reads files when they change, and now and then in any case.
pub(super) struct File {
    scanner: Scanner,
    refresh_interval: Duration,
    metrics: DiscoveryMetrics,
}

// === impl File ===

impl File {
    pub(super) fn new(section: &FileSection, metrics: DiscoveryMetrics) -> Self {
        Self {
            scanner: Scanner::new(&section.patterns, metrics.clone()),
            refresh_interval: section.refresh_interval,
            metrics,
        }
    }

    async fn work(self, updates: &Updates) {
        let Self {
            mut scanner,
            refresh_interval,
            metrics,
        } = self;
        let mut watch = Watch::new(metrics);
        let mut is_synced = false;
        loop {
            // First the watch: what changes after it was read must be noticed.
            let scanning = tokio::task::spawn_blocking(move || {
                let is_watching = watch.cover(&scanner.directories());
                let scan = scanner.scan();
                ((watch, scanner), is_watching, scan)
            });
            let (kept, is_watching, scan) = match scanning.await {
                Ok(parts) => parts,
                Err(error) => {
                    updates.failure(format!("reading files failed: {error}"));
                    return;
                }
            };
            (watch, scanner) = kept;
            is_synced |= scan.never_read.is_empty();
            report(updates, scan, is_synced);
            let poll = if is_watching {
                refresh_interval
            } else {
                refresh_interval.min(POLL_UNWATCHED)
            };
            tokio::select! {
                () = watch.changed() => {
                    updates.observed_at(Instant::now());
                    tokio::time::sleep(DEBOUNCE).await;
                }
                () = updates.until(Instant::now() + poll) => {}
            }
        }
    }
}

#[async_trait]
impl Discoverer for File {
    async fn run(self: Box<Self>, updates: Updates, stop: CancellationToken) {
        stop.run_until_cancelled(self.work(&updates)).await;
        // Reading files fails for good only if it panicked: the last targets stay until the end.
        stop.cancelled().await;
    }
}

fn report(updates: &Updates, scan: Scan, is_synced: bool) {
    let Scan {
        groups,
        errors,
        never_read,
    } = scan;
    // Later, a new file that cannot be read takes nothing away from what is served.
    if is_synced {
        updates.replace(groups);
    } else {
        // Part of the state is unknown: what is known is no complete state.
        updates.waiting_for(Some(never_read.join(", ")));
        updates.apply_all(groups);
    }
    if errors.is_empty() {
        updates.success();
    } else {
        updates.failure(errors.join("; "));
    }
}
