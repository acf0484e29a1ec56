//! `http_sd_configs`: groups that a server hands out.
//!
//! Whatever goes wrong, the last list stays: the server that cannot be reached, that answers with
//! an error, or with something that is no list. An empty list is the way to say that there is
//! nothing.

mod fetch;
mod list;
mod schedule;

use async_trait::async_trait;
use periplus_config::HttpSection;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::fetch::{Answer, FetchError, Fetcher};
pub(super) use self::list::read as read_list;
use self::schedule::Schedule;
use crate::discoverer::Discoverer;
use crate::metrics::{DiscoveryMetrics, MechanismLabel};
use crate::updates::Updates;

/// Fetches a list at once, and then again and again.
pub(super) struct Http {
    fetcher: Fetcher,
    schedule: Schedule,
    metrics: DiscoveryMetrics,
}

// === impl Http ===

impl Http {
    /// Fails if the settings can never work. Reaches nothing outside.
    pub(super) fn new(section: &HttpSection, metrics: DiscoveryMetrics) -> Result<Self, String> {
        Ok(Self {
            fetcher: Fetcher::new(section)?,
            schedule: Schedule::new(section.refresh_interval),
            metrics,
        })
    }

    async fn work(mut self, updates: &Updates) {
        let mut last_error = String::new();
        loop {
            let started = Instant::now();
            let outcome = self.fetcher.fetch().await;
            let label = MechanismLabel::new("http");
            self.metrics
                .refresh_duration
                .0
                .get_or_create(&label)
                .observe(started.elapsed().as_secs_f64());
            let next = match outcome {
                Ok(answer) => {
                    if let Answer::List { groups, at } = answer {
                        updates.observed_at(at);
                        updates.replace(groups);
                    }
                    updates.success();
                    last_error.clear();
                    self.schedule.after_success(started)
                }
                Err(error) => {
                    self.metrics.http_failures.inc();
                    self.metrics.refresh_failures.get_or_create(&label).inc();
                    self.tell(&error, updates, &mut last_error);
                    self.schedule
                        .after_failure(started, Instant::now(), error.retry)
                }
            };
            updates.until(next).await;
        }
    }

    /// Says what failed; in the log once, as long as it is the same.
    fn tell(&self, error: &FetchError, updates: &Updates, last_error: &mut String) {
        let message = format!("`{}`: {}", self.fetcher.shown(), error.message);
        if message != *last_error {
            tracing::warn!(error = message, "Failed to refresh target groups");
            last_error.clone_from(&message);
        }
        if !self.fetcher.has_list() {
            updates.waiting_for(Some(message.clone()));
        }
        updates.failure(message);
    }
}

#[async_trait]
impl Discoverer for Http {
    async fn run(self: Box<Self>, updates: Updates, stop: CancellationToken) {
        stop.run_until_cancelled(self.work(&updates)).await;
    }
}
