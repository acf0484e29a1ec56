//! Which job a reader means, and what there is to say about it: the same on every front.
//!
//! A job that is not known yet is 503: its reader keeps what it has. A job that a good reload
//! removed is empty for a while, so that its readers forget its targets. Only a job that no
//! configuration had is 404, and before any configuration was applied everything is 503.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use periplus_discovery::{Directory, JobHandle, Snapshot, Stale};
use tokio::time::Instant;

use crate::error::ApiError;
use crate::state::App;

/// Seconds after which a job that is not known yet may be.
const RETRY_AFTER: u16 = 5;
/// At most so many names or reasons are put into one error.
const MOST_LISTED: usize = 20;

/// When targets were last good that come from disk and that their source has not confirmed.
const STALE_SINCE: HeaderName = HeaderName::from_static("periplus-stale-since");

/// What there is to say about a job.
pub(crate) enum Found {
    /// Its targets.
    Known(JobHandle, Arc<Snapshot>),
    /// A reload removed it a short while ago: its readers shall forget its targets.
    Removed,
}

// === impl Found ===

impl Found {
    /// Says that targets come from disk, if any do.
    pub(crate) fn stale_since(&self) -> Option<(HeaderName, HeaderValue)> {
        let Self::Known(_, snapshot) = self else {
            return None;
        };
        let since = humantime::format_rfc3339_seconds(snapshot.stale?.since).to_string();
        Some((STALE_SINCE, HeaderValue::from_str(&since).ok()?))
    }
}

/// A job's name as it stands in a path: decoded once, so that slashes may be raw or escaped, and a
/// name with a percent sign is asked for with `%25`.
pub(crate) fn decode(raw: &str) -> Result<String, ApiError> {
    let decoded = percent_decode_str(raw).decode_utf8();
    let name = decoded.map_err(|_| ApiError::bad_data("the job's name is not valid UTF-8"))?;
    Ok(name.into_owned())
}

/// What there is to say about a job now.
pub(crate) fn find(app: &App, job: &str) -> Result<Found, ApiError> {
    find_in(&app.directory(), app.removed_grace, job)
}

/// What a directory says about a job; one that was removed is empty for so long.
pub(crate) fn find_in(
    directory: &Directory,
    removed_grace: Duration,
    job: &str,
) -> Result<Found, ApiError> {
    if let Some(handle) = directory.jobs.get(job) {
        let snapshot = Arc::clone(&handle.snapshots.borrow());
        if snapshot.is_servable() {
            return Ok(Found::Known(handle.clone(), snapshot));
        }
        if let Some(stale) = snapshot.stale {
            return Err(too_old(job, stale));
        }
        return Err(not_known_yet(job, &snapshot.missing));
    }
    if !directory.applied {
        return Err(
            ApiError::unavailable("no configuration was applied yet").retry_after(RETRY_AFTER)
        );
    }
    match directory.removed.get(job) {
        Some(at) if Instant::now().duration_since(*at) < removed_grace => Ok(Found::Removed),
        _ => Err(unknown(format!("there is no job `{job}`"), directory)),
    }
}

fn too_old(job: &str, stale: Stale) -> ApiError {
    let since = humantime::format_rfc3339_seconds(stale.since);
    let message = format!(
        "the last known targets of job `{job}` are of {since}, too old to be served, and no newer \
         ones have come"
    );
    ApiError::unavailable(message).retry_after(RETRY_AFTER)
}

fn not_known_yet(job: &str, missing: &[String]) -> ApiError {
    let mut message = format!("the targets of job `{job}` are not known yet");
    if !missing.is_empty() {
        message.push_str(": ");
        message.push_str(&listed(missing.iter().map(String::as_str), "; "));
    }
    let missing = missing.iter().take(MOST_LISTED).cloned().collect();
    ApiError::unavailable(message)
        .with_detail("missing", missing)
        .retry_after(RETRY_AFTER)
}

/// The error for a job that does not exist, with those that do.
pub(crate) fn unknown(message: String, directory: &Directory) -> ApiError {
    let hint = match directory.jobs.len() {
        0 => "the configuration has no job".to_owned(),
        _ => {
            let names = directory.jobs.keys().map(|name| format!("`{name}`"));
            format!("known jobs are {}", listed(names, ", "))
        }
    };
    let names = directory.jobs.keys().take(MOST_LISTED).cloned().collect();
    ApiError::not_found(format!("{message}; {hint}")).with_detail("jobs", names)
}

/// The first items in one text, and how many more there are.
fn listed<T: AsRef<str>>(items: impl ExactSizeIterator<Item = T>, separator: &str) -> String {
    let more = items.len().saturating_sub(MOST_LISTED);
    let mut text = String::new();
    for item in items.take(MOST_LISTED) {
        if !text.is_empty() {
            text.push_str(separator);
        }
        text.push_str(item.as_ref());
    }
    if more > 0 {
        let _ = write!(text, "{separator}and {more} more");
    }
    text
}
