//! Requests to granted origins. The host resolves, connects, adds credentials, follows redirects, decompresses.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Failure, FailureKind, Unavailable};

#[cfg(target_family = "wasm")]
use crate::component::host;
#[cfg(not(target_family = "wasm"))]
use crate::testing::host;

/// A request; [`Request::get`] and its like begin one, [`Request::send`] makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST` and so on; the grant names those that are allowed.
    pub method: String,
    /// Absolute.
    pub url: String,
    /// None of the connection's own, none that a credential sets.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Option<Vec<u8>>,
    /// For the whole exchange; without it, the host's default.
    pub timeout: Option<Duration>,
    /// A credential of the manifest to add; without it, what the HTTP client settings of the section say.
    pub credential: Option<String>,
}

/// What the origin answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Decompressed.
    pub body: Vec<u8>,
}

/// Names a request that goes on after the call is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u32);

/// Asks for a URL with `GET`.
pub fn get(url: &str) -> Result<Response, Failure> {
    Request::get(url).send()
}

/// The next answer to a request that [`Request::start`] began; none when the time is over.
pub fn next(timeout: Duration) -> Option<(Ticket, Result<Response, Failure>)> {
    host::http_next(millis(timeout))
}

/// Gives up a request: no answer will come.
pub fn abandon(ticket: Ticket) {
    host::http_abandon(ticket);
}

pub(crate) fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

// === impl Request ===

impl Request {
    /// A request with that method.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: None,
            timeout: None,
            credential: None,
        }
    }

    /// `GET`.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// `POST` of a JSON body.
    pub fn post_json(url: impl Into<String>, body: &impl Serialize) -> Result<Self, Failure> {
        let body = serde_json::to_vec(body)
            .map_err(|error| Failure::new(FailureKind::Invalid, error.to_string()))?;
        let request = Self::new("POST", url).header("content-type", "application/json");
        Ok(Self {
            body: Some(body),
            ..request
        })
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the time for the whole exchange.
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = Some(time);
        self
    }

    /// Names a credential of the manifest to add.
    #[must_use]
    pub fn credential(mut self, name: impl Into<String>) -> Self {
        self.credential = Some(name.into());
        self
    }

    /// Sends it and waits for the answer, whatever its status.
    pub fn send(self) -> Result<Response, Failure> {
        host::http_send(self)
    }

    /// Begins it and returns. It goes on when the call is over: once it is answered, the host calls `refresh`, which
    /// takes the answer with [`next`].
    pub fn start(self) -> Ticket {
        host::http_start(self)
    }
}

// === impl Response ===

impl Response {
    /// The first header of that name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body if the status is 200, or why the source is unavailable, with `Retry-After` passed on.
    pub fn ok(self, url: &str) -> Result<Vec<u8>, Unavailable> {
        if self.status == 200 {
            return Ok(self.body);
        }
        let mut unavailable = Unavailable::new(format!(
            "`{url}` answered with status {}",
            describe(self.status)
        ));
        // The other form, a date, needs a clock that agrees with the server's: the interval will do.
        let seconds = self
            .header("retry-after")
            .and_then(|value| value.trim().parse().ok());
        unavailable.retry_after = seconds.map(Duration::from_secs);
        Err(unavailable)
    }

    /// The body as JSON if the status is 200.
    pub fn json<T: DeserializeOwned>(self, url: &str) -> Result<T, Unavailable> {
        let body = self.ok(url)?;
        serde_json::from_slice(&body).map_err(|error| {
            Unavailable::new(format!(
                "`{url}` did not answer with the JSON expected: {error}"
            ))
        })
    }
}

/// The status with its usual phrase, for those that sources answer with.
fn describe(status: u16) -> String {
    let phrase = match status {
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => return status.to_string(),
    };
    format!("{status} {phrase}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    #[test]
    fn a_good_answer_is_read_as_json() {
        let _host = FakeHost::new()
            .http("http://cmdb/x", 200, "[1, 2]")
            .install();
        let numbers: Vec<u8> = get("http://cmdb/x").unwrap().json("http://cmdb/x").unwrap();
        assert_eq!(numbers, [1, 2]);
    }

    #[test]
    fn another_status_is_named_and_its_retry_after_kept() {
        let response = Response {
            status: 503,
            headers: vec![("retry-after".into(), "30".into())],
            body: Vec::new(),
        };
        let unavailable = response.ok("http://cmdb/x").unwrap_err();
        assert_eq!(
            unavailable.message,
            "`http://cmdb/x` answered with status 503 Service Unavailable"
        );
        assert_eq!(unavailable.retry_after, Some(Duration::from_secs(30)));
    }

    #[test]
    fn a_body_that_is_not_json_is_unavailable() {
        let response = Response {
            status: 200,
            headers: Vec::new(),
            body: b"<html>".to_vec(),
        };
        let unavailable = response.json::<serde_json::Value>("http://x/").unwrap_err();
        assert!(
            unavailable.message.contains("line 1 column 1"),
            "{}",
            unavailable.message
        );
    }

    #[test]
    fn started_requests_are_answered_in_order() {
        let _host = FakeHost::new()
            .http("http://a/", 200, "a")
            .http("http://b/", 404, "")
            .install();
        let first = Request::get("http://a/").start();
        let second = Request::get("http://b/").start();
        let third = Request::get("http://b/").start();
        abandon(second);
        let (ticket, outcome) = next(Duration::ZERO).unwrap();
        assert_eq!((ticket, outcome.unwrap().status), (first, 200));
        assert_eq!(next(Duration::ZERO).unwrap().0, third);
        assert!(next(Duration::ZERO).is_none());
    }

    #[test]
    fn what_the_host_was_asked_can_be_looked_at() {
        let host = FakeHost::new().http("http://a/", 200, "").install();
        let request = Request::post_json("http://a/", &[1])
            .unwrap()
            .header("x-scope", "b");
        request
            .timeout(Duration::from_secs(2))
            .credential("cmdb")
            .send()
            .unwrap();
        let request = host.requests().remove(0);
        assert_eq!(request.method, "POST");
        assert_eq!(request.body.as_deref(), Some(&b"[1]"[..]));
        assert_eq!(request.headers[1], ("x-scope".to_owned(), "b".to_owned()));
        assert_eq!(request.credential.as_deref(), Some("cmdb"));
    }
}
