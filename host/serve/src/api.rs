//! `/api/v1/...`: what Prometheus' API shows of discovery, and what it has no place for.

pub(crate) mod explain;
mod limits;
pub(crate) mod targets;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use periplus_config::TargetLimits;
use periplus_core::target::{FinalTarget, Outcome};
use periplus_discovery::{PluginStatus, ProviderStatus, Snapshot};
use serde::Serialize;

use crate::state::App;

/// An answer that is no error.
#[derive(Serialize)]
struct Success<T> {
    status: &'static str,
    data: T,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ScrapePools {
    scrape_pools: Vec<String>,
}

#[derive(Serialize)]
struct Providers {
    providers: Vec<ProviderStatus>,
}

#[derive(Serialize)]
struct Plugins {
    plugins: Vec<PluginStatus>,
}

#[derive(Serialize)]
struct BuildInfo<'a> {
    version: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RuntimeInfo {
    start_time: String,
    config_file: String,
    ready: bool,
    missing: Vec<String>,
}

#[derive(Serialize)]
struct Jobs {
    jobs: Vec<JobStatus>,
}

/// One job in numbers.
#[derive(Serialize)]
pub(crate) struct JobStatus {
    pub(crate) name: String,
    pub(crate) known: bool,
    pub(crate) missing: Vec<String>,
    /// When targets were last good that come from disk and are not confirmed.
    #[serde(rename = "staleSince")]
    pub(crate) stale_since: Option<String>,
    /// Since when an operator holds the targets as they are.
    #[serde(rename = "frozenSince")]
    pub(crate) frozen_since: Option<String>,
    pub(crate) version: String,
    pub(crate) groups: usize,
    pub(crate) discovered: usize,
    pub(crate) transformed: usize,
    #[serde(rename = "final")]
    pub(crate) last: usize,
    /// `target_limit`, if there is one.
    #[serde(rename = "targetLimit")]
    pub(crate) target_limit: Option<u64>,
    /// Whether there are more: the scraper refuses them all.
    #[serde(rename = "overTargetLimit")]
    pub(crate) over_target_limit: bool,
    /// Targets whose own labels pass a `label_*` limit already: every scrape of them fails.
    #[serde(rename = "overLabelLimits")]
    pub(crate) over_label_limits: usize,
    /// Upstream's text for one of them.
    #[serde(rename = "overLabelLimitsExample")]
    pub(crate) over_label_limits_example: Option<String>,
    pub(crate) invalid: usize,
    /// Upstream's text for one of the invalid targets.
    #[serde(rename = "invalidExample")]
    pub(crate) invalid_example: Option<String>,
}

// === impl JobStatus ===

impl JobStatus {
    pub(crate) fn of(name: &str, snapshot: &Snapshot) -> Self {
        let mut status = Self {
            name: name.to_owned(),
            known: snapshot.known,
            missing: snapshot.missing.clone(),
            stale_since: snapshot
                .stale
                .map(|stale| humantime::format_rfc3339_seconds(stale.since).to_string()),
            frozen_since: snapshot
                .frozen
                .map(|since| humantime::format_rfc3339_seconds(since).to_string()),
            version: snapshot.version.to_string(),
            groups: snapshot.groups.len(),
            discovered: 0,
            transformed: 0,
            last: 0,
            target_limit: Some(snapshot.job.limits.targets).filter(|limit| *limit > 0),
            over_target_limit: false,
            over_label_limits: 0,
            over_label_limits_example: None,
            invalid: 0,
            invalid_example: None,
        };
        for result in snapshot.groups.values() {
            status.discovered += result.discovered().len();
            status.transformed += result.targets.len();
            for (index, target) in result.targets.iter().enumerate() {
                match &target.outcome {
                    Outcome::Active(last) if !result.is_copy(index) => {
                        status.last += 1;
                        status.check_labels(last, &snapshot.job.limits);
                    }
                    Outcome::Active(_) | Outcome::Dropped => {}
                    Outcome::Invalid(text) => {
                        status.invalid += 1;
                        status.invalid_example.get_or_insert_with(|| text.clone());
                    }
                }
            }
        }
        let limit = status.target_limit;
        status.over_target_limit = limit.is_some_and(|limit| status.last as u64 > limit);
        status
    }

    fn check_labels(&mut self, target: &FinalTarget, limits: &TargetLimits) {
        if let Some(text) = limits::broken(target, limits) {
            self.over_label_limits += 1;
            self.over_label_limits_example.get_or_insert(text);
        }
    }
}

/// The names of all jobs, sorted.
pub(crate) async fn scrape_pools(State(app): State<Arc<App>>) -> Response {
    let scrape_pools = app.directory().jobs.keys().cloned().collect();
    success(&ScrapePools { scrape_pools })
}

/// How each provider is doing.
pub(crate) async fn providers(State(app): State<Arc<App>>) -> Response {
    success(&Providers {
        providers: app.manager.providers(),
    })
}

/// How each plugin is doing.
pub(crate) async fn plugins(State(app): State<Arc<App>>) -> Response {
    success(&Plugins {
        plugins: app.plugins.plugins(),
    })
}

/// What this binary is.
pub(crate) async fn build_info(State(app): State<Arc<App>>) -> Response {
    success(&BuildInfo {
        version: &app.about.version,
    })
}

/// What this process runs.
pub(crate) async fn runtime_info(State(app): State<Arc<App>>) -> Response {
    let (ready, missing) = app.readiness.check(&app.directory());
    success(&RuntimeInfo {
        start_time: humantime::format_rfc3339_seconds(app.about.started).to_string(),
        config_file: app.about.config_file.display().to_string(),
        ready,
        missing,
    })
}

/// Each job in numbers.
pub(crate) async fn jobs(State(app): State<Arc<App>>) -> Response {
    success(&Jobs {
        jobs: job_statuses(&app),
    })
}

/// All jobs, sorted by name.
pub(crate) fn job_statuses(app: &App) -> Vec<JobStatus> {
    let directory = app.directory();
    let snapshots = directory
        .jobs
        .iter()
        .map(|(name, job)| (name, job.snapshots.borrow().clone()));
    snapshots
        .map(|(name, snapshot)| JobStatus::of(name, &snapshot))
        .collect()
}

fn success<T: Serialize>(data: &T) -> Response {
    json(encode(data))
}

fn encode<T: Serialize>(data: &T) -> Vec<u8> {
    serde_json::to_vec(&Success {
        status: "success",
        data,
    })
    .expect("names and texts are valid JSON, and a Vec takes every byte")
}

fn json(body: Vec<u8>) -> Response {
    const TYPE: HeaderValue = HeaderValue::from_static("application/json");
    const CACHE: HeaderValue = HeaderValue::from_static("no-store");
    (
        [(header::CONTENT_TYPE, TYPE), (header::CACHE_CONTROL, CACHE)],
        body,
    )
        .into_response()
}
