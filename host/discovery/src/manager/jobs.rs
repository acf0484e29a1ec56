//! From a configuration to running generations of jobs.

use std::collections::BTreeSet;
use std::sync::Arc;

use periplus_config::{Config, Job};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{ApplyReport, Manager};
use crate::metrics::ConfigLabel;
use crate::pipeline::{Chain, Feed, Generation, Link, Publisher};
use crate::snapshot::{Directory, JobHandle};

/// What the manager knows of a job.
pub(super) struct JobState {
    job: Arc<Job>,
    /// Whether its newest generation could be made whole.
    is_whole: bool,
    pub(super) publisher: Arc<Publisher>,
}

// === impl Manager ===

impl Manager {
    pub(super) fn apply(&mut self, config: &Config) -> ApplyReport {
        let mut report = ApplyReport::default();
        for job in &config.jobs {
            match self.jobs.get_mut(&job.name) {
                Some(state) if state.is_whole && same_targets(&state.job, job) => {
                    state.job = Arc::clone(job);
                    state.publisher.describe(job);
                }
                _ => self.begin(job, &mut report),
            }
        }
        let wanted: BTreeSet<&str> = config.jobs.iter().map(|job| job.name.as_str()).collect();
        let removed: Vec<String> = self
            .jobs
            .keys()
            .filter(|name| !wanted.contains(name.as_str()))
            .cloned()
            .collect();
        for name in &removed {
            if let Some(state) = self.jobs.remove(name) {
                state.publisher.end();
            }
            self.metrics.forget_job(name);
        }
        self.announce(removed);
        self.metrics
            .failed_configs
            .set(report.failed_sections.len() as i64);
        report
    }

    /// Starts a new generation of a job beside the one that is served.
    fn begin(&mut self, job: &Arc<Job>, report: &mut ApplyReport) {
        let failed_before = report.failed_sections.len();
        let wake = Arc::new(Notify::new());
        let feeds = self.feeds(job, &wake, report);
        let chain = self.chain(job, report);
        let failed = &report.failed_sections[failed_before..];
        let state = self
            .jobs
            .entry(job.name.clone())
            .or_insert_with(|| JobState {
                job: Arc::clone(job),
                is_whole: true,
                publisher: Arc::new(Publisher::new(Arc::clone(job))),
            });
        state.job = Arc::clone(job);
        state.is_whole = failed.is_empty();
        self.generations += 1;
        let generation = Generation {
            number: self.generations,
            job: Arc::clone(job),
            feeds,
            broken: failed
                .iter()
                .map(|(path, why)| format!("`{path}`: {why}"))
                .collect(),
            chain,
            publisher: Arc::clone(&state.publisher),
            wake,
            metrics: self.metrics.clone(),
        };
        // The series is there from the beginning, as upstream's.
        let label = ConfigLabel {
            config: job.name.clone(),
        };
        drop(self.metrics.discovered_targets.get_or_create(&label));
        let stop = CancellationToken::new();
        state
            .publisher
            .begin(generation.number, Arc::clone(job), stop.clone());
        self.tasks.spawn(generation.run(stop));
    }

    fn feeds(
        &mut self,
        job: &Job,
        generation: &Arc<Notify>,
        report: &mut ApplyReport,
    ) -> Vec<Feed> {
        let mut seen = BTreeSet::new();
        let mut feeds = Vec::new();
        for section in &job.sections {
            // Equal sections of one job would only bring every target twice.
            if !seen.insert(section.identity) {
                continue;
            }
            let mechanisms = &*self.mechanisms;
            match self
                .providers
                .feed(section, &job.name, generation, mechanisms, &mut self.tasks)
            {
                Ok(feed) => feeds.push(feed),
                Err(error) => {
                    let section = &section.key_path;
                    tracing::error!(section, error, "Cannot create service discovery");
                    report.failed_sections.push((section.clone(), error));
                }
            }
        }
        feeds
    }

    fn chain(&self, job: &Job, report: &mut ApplyReport) -> Chain {
        let mut links = Vec::new();
        for config in &job.transformers {
            match self.mechanisms.transformer(config) {
                Ok(transformer) => {
                    links.push(Link::new(
                        transformer,
                        config.plugin.clone(),
                        config.on_error,
                    ));
                }
                Err(error) => {
                    let section = &config.key_path;
                    tracing::error!(section, error, "Cannot create transformer");
                    report.failed_sections.push((section.clone(), error));
                }
            }
        }
        Chain::new(links)
    }

    fn announce(&self, removed: Vec<String>) {
        let jobs = self.jobs.iter().map(|(name, state)| {
            let snapshots = state.publisher.subscribe();
            (
                name.clone(),
                JobHandle {
                    name: name.as_str().into(),
                    snapshots,
                    publisher: Arc::clone(&state.publisher),
                },
            )
        });
        let mut directory = Directory {
            applied: true,
            jobs: jobs.collect(),
            removed: self.directory.borrow().removed.clone(),
        };
        let now = Instant::now();
        directory
            .removed
            .extend(removed.into_iter().map(|name| (name, now)));
        directory
            .removed
            .retain(|name, _| !directory.jobs.contains_key(name));
        self.directory.send_replace(Arc::new(directory));
    }
}

/// Whether two configurations of a job make the same targets of the same sections.
fn same_targets(old: &Job, new: &Job) -> bool {
    let sections = |job: &Job| {
        job.sections
            .iter()
            .map(|s| s.identity)
            .collect::<BTreeSet<_>>()
    };
    let transformers = |job: &Job| {
        job.transformers
            .iter()
            .map(|t| t.identity)
            .collect::<Vec<_>>()
    };
    old.defaults == new.defaults
        && old.explicit == new.explicit
        && old.limits == new.limits
        && old.relabel_rules == new.relabel_rules
        && sections(old) == sections(new)
        && transformers(old) == transformers(new)
}
