//! Answers that a collector cannot misunderstand.
//!
//! Its receiver looks at no status: it reads any body of `/scrape_configs` as a YAML map of jobs, and
//! an empty one, or a body without content, means to it that there are no jobs any more. So every
//! error is one JSON string, which is YAML and no map.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Crc;
use periplus_core::ContentHash;

use crate::conditional;
use crate::encoding::{self, Encoding, Member, Packer};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// A reader or proxy may keep the list, but asks before it uses it.
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
const VARY: HeaderValue = HeaderValue::from_static("accept-encoding");
/// When a collector may ask again, unless it is known better.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    message: String,
    retry_after: Option<Duration>,
}

// === impl Refusal ===

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            retry_after: None,
        }
    }

    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        let refusal = Self::new(StatusCode::SERVICE_UNAVAILABLE, message);
        refusal.retry_after(RETRY_AFTER)
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    pub(super) fn retry_after(mut self, time: Duration) -> Self {
        self.retry_after = Some(time);
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, axum::Json(self.message)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, NO_STORE);
        if let Some(time) = self.retry_after {
            let seconds = time.as_secs_f64().ceil().max(1.0) as u64;
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The encoding that a reader takes.
pub(super) fn negotiate(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let refused = || {
        let message = "only the encodings `identity` and `gzip` are offered, and both are refused";
        Refusal::new(StatusCode::NOT_ACCEPTABLE, message)
    };
    encoding::negotiate(headers).ok_or_else(refused)
}

/// Answers with a body, or that the reader has it already. The body is made only where it is needed;
/// `is_large` ones not where others would wait for it.
pub(super) async fn json(
    method: &Method,
    headers: &HeaderMap,
    version: ContentHash,
    is_large: bool,
    make: impl FnOnce() -> Vec<u8> + Send + 'static,
) -> Result<Response, Refusal> {
    let encoding = negotiate(headers)?;
    let etag = conditional::etag(version, encoding);
    if conditional::is_known_to_reader(headers, &etag) {
        return Ok(respond(StatusCode::NOT_MODIFIED, etag, encoding, None));
    }
    let make = move || match encoding {
        Encoding::Identity => Bytes::from(make()),
        Encoding::Gzip => pack(&make()),
    };
    let body = if is_large {
        let body = tokio::task::spawn_blocking(make).await;
        body.map_err(|_| Refusal::unavailable("the host is stopping"))?
    } else {
        make()
    };
    let mut response = respond(StatusCode::OK, etag, encoding, Some(body));
    if method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    Ok(response)
}

/// One gzip member.
fn pack(body: &[u8]) -> Bytes {
    let mut crc = Crc::new();
    crc.update(body);
    let mut member = Member::new(b"");
    member.append(Packer::default().pack(body), &crc);
    member.finish().concat().into()
}

fn respond(
    status: StatusCode,
    etag: HeaderValue,
    encoding: Encoding,
    body: Option<Bytes>,
) -> Response {
    let length = body.as_ref().map(Bytes::len);
    let mut response = (status, Body::from(body.unwrap_or_default())).into_response();
    let headers = response.headers_mut();
    headers.insert(header::ETAG, etag);
    headers.insert(header::VARY, VARY);
    headers.insert(header::CACHE_CONTROL, NO_CACHE);
    if let Some(length) = length {
        headers.insert(header::CONTENT_TYPE, JSON);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        if let Some(name) = encoding.name() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
        }
    }
    response
}
