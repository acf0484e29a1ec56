//! `GET /sd/{job}`: a job's targets in the format of `http_sd`.

use std::fmt::Write;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::uri::Uri;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use periplus_core::ContentHash;
use periplus_discovery::{Directory, Snapshot, Stage, Stale};
use tokio::time::Instant;

use crate::body::Made;
use crate::conditional;
use crate::encoding::{self, Encoding};
use crate::error::ApiError;
use crate::state::App;

const PREFIX: &str = "/sd/";
/// Seconds after which a job that is not known yet may be.
const RETRY_AFTER: u16 = 5;
/// At most so many names or reasons are put into one error.
const MOST_LISTED: usize = 20;
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/json");
/// A reader or proxy may keep the list, but asks before it uses it.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("no-cache");
/// When targets were last good that come from disk and that their source has not confirmed.
const STALE_SINCE: HeaderName = HeaderName::from_static("periplus-stale-since");
const VARY: HeaderValue = HeaderValue::from_static("accept-encoding");

/// What there is to say about a job.
enum Found {
    /// Its targets.
    Known(Arc<str>, Arc<Snapshot>),
    /// A reload removed it a short while ago: its readers shall forget its targets.
    Removed,
}

// === impl Found ===

impl Found {
    /// Says that targets come from disk, if any do.
    fn stale_since(&self) -> Option<(HeaderName, HeaderValue)> {
        let Self::Known(_, snapshot) = self else {
            return None;
        };
        let since = humantime::format_rfc3339_seconds(snapshot.stale?.since).to_string();
        Some((STALE_SINCE, HeaderValue::from_str(&since).ok()?))
    }
}

/// The list of one job's targets.
pub(crate) async fn targets(
    State(app): State<Arc<App>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let stage = stage(uri.query())?;
    let job = job_name(uri.path())?;
    let found = find(&app, &job)?;
    let Some(encoding) = encoding::negotiate(&headers) else {
        let message = "only the encodings `identity` and `gzip` are offered, and both are refused";
        let error = ApiError::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", message);
        return Ok(([(header::VARY, VARY)], error).into_response());
    };
    let version = match &found {
        Found::Known(_, snapshot) => snapshot.stage_version(stage),
        Found::Removed => ContentHash::default(),
    };
    let etag = conditional::etag(version, encoding);
    let stale_since = found.stale_since();
    if conditional::is_known_to_reader(&headers, &etag) {
        let mut response = respond(StatusCode::NOT_MODIFIED, etag, encoding, Body::empty());
        response.headers_mut().extend(stale_since);
        return Ok(response);
    }
    let body = match found {
        Found::Removed if encoding == Encoding::Gzip => Made::Ready(encoding::gzip([b"[]"])),
        Found::Removed => Made::Ready(Bytes::from_static(b"[]")),
        Found::Known(name, snapshot) => {
            let body = app.bodies.body(&name, stage, encoding, &snapshot).await;
            body.map_err(|error| ApiError::unavailable(error.to_string()))?
        }
    };
    let length = HeaderValue::from(body.len());
    let mut response = respond(StatusCode::OK, etag, encoding, body.into());
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, length);
    response.headers_mut().extend(stale_since);
    Ok(response)
}

/// `/sd` alone: nothing but a hint.
pub(crate) async fn without_job(State(app): State<Arc<App>>) -> ApiError {
    unknown(
        "no job is named; ask for `/sd/{job}`".to_owned(),
        &app.directory(),
    )
}

fn respond(status: StatusCode, etag: HeaderValue, encoding: Encoding, body: Body) -> Response {
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::ETAG, etag);
    headers.insert(header::VARY, VARY);
    headers.insert(header::CACHE_CONTROL, CACHE_CONTROL);
    if status == StatusCode::OK {
        headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
        if let Some(name) = encoding.name() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
        }
    }
    response
}

/// The job's name: all that stands behind `/sd/`, decoded once, so that slashes may be raw or
/// escaped, and a name with a percent sign is asked for with `%25`.
fn job_name(path: &str) -> Result<String, ApiError> {
    let raw = path.strip_prefix(PREFIX).unwrap_or_default();
    let decoded = percent_decode_str(raw).decode_utf8();
    let name = decoded.map_err(|_| ApiError::bad_data("the job's name is not valid UTF-8"))?;
    Ok(name.into_owned())
}

/// The stage that the query asks for. A parameter that is not understood is refused: to serve all
/// targets to one who asked for a part of them would be worse.
fn stage(query: Option<&str>) -> Result<Stage, ApiError> {
    let mut stage = None;
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        if name != "stage" {
            let message = format!("unknown parameter `{name}`; there is only `stage`");
            return Err(ApiError::bad_data(message));
        }
        let known = match &*value {
            "final" => Stage::Final,
            "transformed" => Stage::Transformed,
            "discovered" => Stage::Discovered,
            _ => {
                let stages = "use `final`, `transformed` or `discovered`";
                return Err(ApiError::bad_data(format!(
                    "unknown stage `{value}`; {stages}"
                )));
            }
        };
        if stage.replace(known).is_some() {
            return Err(ApiError::bad_data(
                "parameter `stage` is given more than once",
            ));
        }
    }
    Ok(stage.unwrap_or(Stage::Final))
}

fn find(app: &App, job: &str) -> Result<Found, ApiError> {
    let directory = app.directory();
    if let Some(handle) = directory.jobs.get(job) {
        let snapshot = Arc::clone(&handle.snapshots.borrow());
        if snapshot.is_servable() {
            return Ok(Found::Known(Arc::clone(&handle.name), snapshot));
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
        Some(at) if Instant::now().duration_since(*at) < app.removed_grace => Ok(Found::Removed),
        _ => Err(unknown(format!("there is no job `{job}`"), &directory)),
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

fn unknown(message: String, directory: &Directory) -> ApiError {
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
