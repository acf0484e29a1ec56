//! MADS v1, Kuma's Monitoring Assignment Discovery Service: what `kuma_sd_configs` of stock
//! Prometheus and vmagent read, by long polls.
//!
//! `POST /mads/{job}[/shards/i-of-n]/v3/discovery:monitoringassignments?fetch-timeout=2m`. A reader
//! sends the version that it has; an answer with another version comes at once, else the request
//! is held until there is one (then 200) or time is up (304). Without `fetch-timeout` nothing is
//! held. Version and nonce are the hash of the content, so that neither a restart nor another
//! replica makes a reader wait for what it lacks, or take what it has.

mod assignment;
mod request;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::uri::Uri;
use axum::http::{Extensions, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use periplus_core::ContentHash;
use periplus_discovery::{Snapshot, Stage, View};
use tokio::time::Instant;

use crate::encoding::Encoding;
use crate::error::ApiError;
use crate::follow::{Follow, Stopping};
use crate::jobs::Found;
use crate::readings::{self, Told};
use crate::state::App;
use assignment::Assignment;
use request::{Address, DiscoveryRequest};

/// No request is held longer: less than the listener lets an answer wait that makes no progress.
const MOST_HELD: Duration = Duration::from_mins(4);
/// A job that is not known is waited for, but not so long that the reader learns nothing of it.
const MOST_HELD_UNKNOWN: Duration = Duration::from_secs(10);
/// Goes up when equal targets are told in another way than before.
const FORMAT: u8 = 1;
/// At most so many collisions of names are remembered as reported.
const MOST_REPORTED: usize = 1000;

/// What was logged once.
#[derive(Debug, Default)]
pub(crate) struct Reported(Mutex<HashSet<(String, String)>>);

/// What a reader is to have now.
struct Current {
    version: String,
    targets: Option<(Arc<str>, Arc<Snapshot>)>,
}

// === impl Current ===

impl Current {
    fn told(&self, address: &Address) -> Extensions {
        let Some((job, snapshot)) = &self.targets else {
            return Extensions::new();
        };
        let part = readings::part(&address.view());
        Told::of("kuma_sd", job, part, Some(snapshot.version))
    }
}

/// Answers one poll.
pub(crate) async fn fetch(
    State(app): State<Arc<App>>,
    stopping: Option<Extension<Stopping>>,
    uri: Uri,
    body: Body,
) -> Result<Response, ApiError> {
    let address = Address::of(uri.path())?;
    let held = request::fetch_timeout(uri.query())?;
    let request = DiscoveryRequest::read(body).await?;
    let Extension(Stopping(stop)) = stopping.unwrap_or_default();
    if let Some(problem) = &request.error_detail {
        let (job, reader) = (&address.job, request.reader());
        tracing::warn!(
            job,
            reader,
            nonce = request.response_nonce,
            error = problem.message,
            "A reader refused its targets"
        );
        app.metrics.mads_refused();
    }
    let started = Instant::now();
    let deadline = started + held.unwrap_or_default().min(MOST_HELD);
    let mut follow = Follow::new(&app, address.job.clone());
    // Without a free place nothing is held: the reader asks again after its interval.
    let place = held.and_then(|_| app.held.take());
    let deadline = if place.is_some() { deadline } else { started };
    let _waiting = place.as_ref().map(|_| app.metrics.mads_waiting());
    loop {
        let current = current(&app, &mut follow, &address).await;
        let until = match &current {
            Ok(current) if !request.has(&current.version) => {
                let mut response = answer(&app, &address, current).await?;
                response.extensions_mut().extend(current.told(&address));
                return Ok(response);
            }
            Ok(_) => deadline,
            Err(error) if error.is_unavailable() => deadline.min(started + MOST_HELD_UNKNOWN),
            Err(_) => Instant::now(),
        };
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(until) => {}
            () = stop.cancelled() => {}
            () = follow.changed() => continue,
        }
        return current.map(|current| {
            let mut response = StatusCode::NOT_MODIFIED.into_response();
            response.extensions_mut().extend(current.told(&address));
            response
        });
    }
}

/// What the job's readers are to have, without making it.
async fn current(
    app: &Arc<App>,
    follow: &mut Follow,
    address: &Address,
) -> Result<Current, ApiError> {
    let (version, targets) = match follow.look()? {
        Found::Removed => (ContentHash::default(), None),
        Found::Known(handle, snapshot) => {
            let version = match address.shard {
                None => snapshot.stage_version(Stage::Final),
                Some(_) => {
                    let (name, view) = (&handle.name, address.view());
                    let listed = app.views.list(name, &view, Encoding::Identity, &snapshot);
                    let listed = listed.await;
                    let listed = listed.map_err(|error| ApiError::unavailable(error.to_string()));
                    listed?.summary.version
                }
            };
            (version, Some((handle.name, snapshot)))
        }
    };
    Ok(Current {
        version: format!("{FORMAT}-{version}"),
        targets,
    })
}

async fn answer(
    app: &Arc<App>,
    address: &Address,
    current: &Current,
) -> Result<Response, ApiError> {
    const TYPE: HeaderValue = HeaderValue::from_static("application/json");
    let body = match &current.targets {
        None => Bytes::from(assignment::nothing(&current.version)),
        Some((name, snapshot)) => {
            let make = {
                let (app, view) = (Arc::clone(app), address.view());
                let (version, name) = (current.version.clone(), Arc::clone(name));
                move |snapshot: &Arc<Snapshot>| made(&app, &name, &version, snapshot, &view)
            };
            let kept = app
                .bodies
                .assignment(name, address.shard, &current.version, snapshot, make);
            let kept = kept.await;
            kept.map_err(|error| ApiError::unavailable(error.to_string()))?
        }
    };
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, TYPE)], body).into_response())
}

fn made(app: &App, job: &str, version: &str, snapshot: &Snapshot, view: &View) -> Bytes {
    let Assignment { json, collisions } = Assignment::of(job, version, snapshot, view);
    app.metrics.mads_collided(collisions.len());
    app.mads_reported.report(job, collisions);
    json.into()
}

// === impl Reported ===

impl Reported {
    /// Logs each pair of names that collide in a job once.
    fn report(&self, job: &str, collisions: Vec<(String, String)>) {
        let mut reported = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (left_out, name) in collisions {
            let is_new = !reported.contains(&(job.to_owned(), left_out.clone()));
            if is_new && reported.len() < MOST_REPORTED {
                reported.insert((job.to_owned(), left_out.clone()));
                tracing::warn!(
                    job,
                    left_out,
                    name,
                    "Readers would take two labels for the same, so one is left out"
                );
            }
        }
    }
}
