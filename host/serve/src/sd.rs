//! `GET /sd/{job}`: a job's targets in the format of `http_sd`.

mod query;

pub(crate) use query::watched_view;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::uri::Uri;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use periplus_core::ContentHash;
use periplus_discovery::{JobHandle, Snapshot, View};

use crate::body::{Made, Stopping};
use crate::conditional;
use crate::encoding::{self, Encoding};
use crate::error::ApiError;
use crate::jobs::{self, Found};
use crate::readings::{self, Told};
use crate::state::App;
use crate::views::Listed;

const PREFIX: &str = "/sd/";
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/json");
/// A reader or proxy may keep the list, but asks before it uses it.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("no-cache");
/// How many labels are not in the list because the reader takes no such names.
const LEFT_OUT: HeaderName = HeaderName::from_static("periplus-labels-left-out");
const VARY: HeaderValue = HeaderValue::from_static("accept-encoding");

/// The list of one job's targets.
pub(crate) async fn targets(
    State(app): State<Arc<App>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let view = query::view(uri.query())?;
    let job = jobs::decode(uri.path().strip_prefix(PREFIX).unwrap_or_default())?;
    let found = jobs::find(&app, &job)?;
    let Some(encoding) = encoding::negotiate(&headers) else {
        let message = "only the encodings `identity` and `gzip` are offered, and both are refused";
        let error = ApiError::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", message);
        return Ok(([(header::VARY, VARY)], error).into_response());
    };
    let stale_since = found.stale_since();
    let told = match &found {
        Found::Known(job, snapshot) => Some(Told::of(
            "http_sd",
            &job.name,
            readings::part(&view),
            Some(snapshot.version),
        )),
        Found::Removed => None,
    };
    let mut response = answer(&app, found, view, encoding, &headers).await?;
    response.headers_mut().extend(stale_since);
    response.extensions_mut().extend(told.unwrap_or_default());
    Ok(response)
}

async fn answer(
    app: &App,
    found: Found,
    view: View,
    encoding: Encoding,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    match found {
        Found::Known(handle, snapshot) if view.is_whole() => {
            let (name, stage) = (&handle.name, view.stage);
            let etag = conditional::etag(snapshot.stage_version(stage), encoding);
            if conditional::is_known_to_reader(headers, &etag) {
                return Ok(not_modified(etag, encoding));
            }
            let body = match encoding {
                Encoding::Identity => app.bodies.body(name, stage, &snapshot).await,
                Encoding::Gzip => {
                    let listed = app.views.list(name, &view, encoding, &snapshot).await;
                    listed.map(|listed| Made::Packed(listed.packed.unwrap_or_default()))
                }
            };
            Ok(list(etag, encoding, body.map_err(stopping)?))
        }
        Found::Known(handle, snapshot) => {
            part(app, &handle, snapshot, view, encoding, headers).await
        }
        Found::Removed => {
            let etag = conditional::etag(ContentHash::default(), encoding);
            if conditional::is_known_to_reader(headers, &etag) {
                return Ok(not_modified(etag, encoding));
            }
            let body = match encoding {
                Encoding::Identity => Made::Ready(Bytes::from_static(b"[]")),
                Encoding::Gzip => Made::Packed(encoding::gzip(b"[]")),
            };
            Ok(list(etag, encoding, body))
        }
    }
}

/// A part of a job's targets. Its version is that of the part, so that a change elsewhere in the
/// job is no news to the reader.
async fn part(
    app: &App,
    handle: &JobHandle,
    snapshot: Arc<Snapshot>,
    view: View,
    encoding: Encoding,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let listed = app
        .views
        .list(&handle.name, &view, encoding, &snapshot)
        .await;
    let Listed { summary, packed } = listed.map_err(stopping)?;
    let etag = conditional::etag(summary.version, encoding);
    if conditional::is_known_to_reader(headers, &etag) {
        return Ok(not_modified(etag, encoding));
    }
    let body = match packed {
        Some(pieces) => Made::Packed(pieces),
        None => Made::Pieces(snapshot.body(view), summary.length),
    };
    let mut response = list(etag, encoding, body);
    if summary.left_out > 0 {
        app.metrics.left_out(summary.left_out);
        let count = HeaderValue::from(summary.left_out);
        response.headers_mut().insert(LEFT_OUT, count);
    }
    Ok(response)
}

/// `/sd` alone: nothing but a hint.
pub(crate) async fn without_job(State(app): State<Arc<App>>) -> ApiError {
    jobs::unknown(
        "no job is named; ask for `/sd/{job}`".to_owned(),
        &app.directory(),
    )
}

fn list(etag: HeaderValue, encoding: Encoding, body: Made) -> Response {
    let length = HeaderValue::from(body.len());
    let mut response = respond(StatusCode::OK, etag, encoding, body.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length);
    response
}

fn not_modified(etag: HeaderValue, encoding: Encoding) -> Response {
    respond(StatusCode::NOT_MODIFIED, etag, encoding, Body::empty())
}

fn stopping(error: Stopping) -> ApiError {
    ApiError::unavailable(error.to_string())
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
