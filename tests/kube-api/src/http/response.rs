//! Answers that are whole at once: objects, problems, and what fairness says.

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::Response;
use super::body::Body;
use crate::status::Problem;

pub(super) fn value_response(value: &Value, code: u16) -> Response {
    let mut response = json_response(Bytes::from(value.to_string()));
    if let Ok(code) = http::StatusCode::from_u16(code) {
        *response.status_mut() = code;
    }
    response
}

pub(super) fn json_response(bytes: Bytes) -> Response {
    let mut response = Response::new(Body::full(bytes));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

pub(super) fn problem_response(problem: &Problem) -> Response {
    let mut response = value_response(&problem.status, problem.code.as_u16());
    if let Some(seconds) = problem.retry_after {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// What priority and fairness answer: a sentence, not a `Status`.
pub(super) fn busy(retry_after: Option<u32>) -> Response {
    let text = Bytes::from_static(b"Too many requests, please try again later.\n");
    let mut response = Response::new(Body::full(text));
    *response.status_mut() = http::StatusCode::TOO_MANY_REQUESTS;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    if let Some(seconds) = retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

pub(super) fn reason(code: u16) -> &'static str {
    match code {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        410 => "Expired",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "InternalError",
    }
}

/// Whether the client takes gzip, as the real server asks.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get(ACCEPT_ENCODING)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    accepted
        .split(',')
        .any(|part| part.split(';').next().map(str::trim) == Some("gzip"))
}

/// An empty success, as a delete answers.
pub(super) fn success() -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
}
