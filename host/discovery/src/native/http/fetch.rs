//! One request: what is asked, and what the answer means.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RETRY_AFTER};
use percent_encoding::percent_decode_str;
use periplus_config::HttpSection;
use periplus_core::{ContentHash, TargetGroup};
use periplus_http::{
    ClientSettings, EgressClient, EgressError, EgressLimits, EgressOptions, EgressRequest,
    EgressResponse, FailureKind, Origin, OriginPolicy,
};
use tokio::time::Instant;
use url::Url;

use super::list;
use super::schedule::Retry;

/// Asks one server for its list.
pub(super) struct Fetcher {
    client: EgressClient,
    /// The URL as written, without credentials: what groups are named after.
    name: Arc<str>,
    /// The same without a query, for messages.
    shown: String,
    url: Url,
    headers: Vec<(String, String)>,
    limit: usize,
    last: Option<Last>,
}

/// The last list that was understood.
struct Last {
    etag: Option<String>,
    body: ContentHash,
}

/// An answer that was understood.
pub(super) enum Answer {
    /// The list of before.
    Unchanged,
    /// A list.
    List {
        groups: Vec<Arc<TargetGroup>>,
        /// When it had arrived.
        at: Instant,
    },
}

/// Why there is no list.
#[derive(Debug)]
pub(super) struct FetchError {
    /// What an operator should read; without the URL.
    pub(super) message: String,
    pub(super) retry: Retry,
}

// === impl Fetcher ===

impl Fetcher {
    /// Fails if the settings can never work.
    pub(super) fn new(section: &HttpSection) -> Result<Self, String> {
        let name = section.url.without_user_info();
        let unusable =
            |why: &str| format!("`{}` cannot be fetched: {why}", section.url.for_messages());
        let mut url = Url::parse(&name).map_err(|error| unusable(&error.to_string()))?;
        url.set_fragment(None);
        let origin = Origin::of(&url).ok_or_else(|| unusable("it is no `http` or `https` URL"))?;
        let settings = ClientSettings::new(section.http.clone()).map_err(|e| e.to_string())?;
        let interval = section.refresh_interval;
        let client = EgressClient::new(EgressOptions {
            settings,
            limits: EgressLimits {
                default_timeout: interval,
                max_timeout: interval,
                max_body: section.body_size_limit,
                concurrency: 1,
                ..EgressLimits::default()
            },
            ..EgressOptions::new(OriginPolicy::of_source(origin))
        });
        let mut headers = vec![
            (ACCEPT.to_string(), "application/json".to_owned()),
            (
                "x-prometheus-refresh-interval-seconds".to_owned(),
                interval.as_secs_f64().to_string(),
            ),
        ];
        if let Some(user_info) = section.url.user_info() {
            headers.push((AUTHORIZATION.to_string(), basic(user_info)));
        }
        Ok(Self {
            client,
            name: name.into(),
            shown: section.url.for_messages(),
            url,
            headers,
            limit: section.body_size_limit,
            last: None,
        })
    }

    /// The URL for messages.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Whether there was a list yet.
    pub(super) fn has_list(&self) -> bool {
        self.last.is_some()
    }

    /// Asks once.
    pub(super) async fn fetch(&mut self) -> Result<Answer, FetchError> {
        let mut headers = self.headers.clone();
        let etag = self.last.as_ref().and_then(|last| last.etag.clone());
        headers.extend(etag.map(|etag| (IF_NONE_MATCH.to_string(), etag)));
        let request = EgressRequest {
            method: "GET".to_owned(),
            url: self.url.to_string(),
            headers,
            ..EgressRequest::default()
        };
        let response = self.client.send(request).await;
        let response = response.map_err(|error| self.failed(error))?;
        let at = Instant::now();
        if response.status == 304 && self.last.is_some() {
            return Ok(Answer::Unchanged);
        }
        check(&response)?;
        let etag = header(&response, ETAG.as_str()).map(str::to_owned);
        let body = ContentHash::of(&response.body);
        let is_same = self.last.as_ref().is_some_and(|last| last.body == body);
        if is_same {
            self.last = Some(Last { etag, body });
            return Ok(Answer::Unchanged);
        }
        let groups = self.read(response.body).await?;
        // Only now: what was not understood must be asked for again.
        self.last = Some(Last { etag, body });
        Ok(Answer::List { groups, at })
    }

    /// Up to tens of megabytes of JSON: not on a thread that others wait for.
    async fn read(&self, body: Vec<u8>) -> Result<Vec<Arc<TargetGroup>>, FetchError> {
        let name = Arc::clone(&self.name);
        let reading = tokio::task::spawn_blocking(move || list::read(&body, &name)).await;
        match reading {
            Ok(Ok(groups)) => Ok(groups),
            Ok(Err(error)) => Err(FetchError::lasting(error.to_string())),
            Err(error) => Err(FetchError::lasting(format!("reading it failed: {error}"))),
        }
    }

    fn failed(&self, error: EgressError) -> FetchError {
        match error.kind {
            FailureKind::TooLarge => FetchError::lasting(format!(
                "the list is longer than `body_size_limit`, {} bytes; raise it if that is right",
                self.limit
            )),
            FailureKind::Denied | FailureKind::Invalid => FetchError::lasting(error.message),
            FailureKind::Timeout | FailureKind::Other => FetchError {
                message: error.message,
                retry: Retry::Soon,
            },
        }
    }
}

/// Whether the answer may hold a list, by upstream's rules.
fn check(response: &EgressResponse) -> Result<(), FetchError> {
    if response.status != 200 {
        let status = StatusCode::from_u16(response.status);
        let status = status.map_or(response.status.to_string(), |status| status.to_string());
        return Err(FetchError {
            message: format!("server returned HTTP status {status}"),
            retry: after_status(response),
        });
    }
    let kind = header(response, CONTENT_TYPE.as_str()).unwrap_or_default();
    if is_json(kind.trim()) {
        return Ok(());
    }
    let quoted = periplus_core::quote(kind);
    Err(FetchError::lasting(format!(
        "unsupported content type {quoted}"
    )))
}

/// Whether asking again soon may help: not if the server says that it is us.
fn after_status(response: &EgressResponse) -> Retry {
    if !matches!(response.status, 408 | 425 | 429 | 500..) {
        return Retry::NextInterval;
    }
    let asked = header(response, RETRY_AFTER.as_str()).and_then(|text| {
        let seconds = text.trim().parse().ok().map(Duration::from_secs);
        let date = || httpdate::parse_http_date(text.trim()).ok();
        seconds.or_else(|| date()?.duration_since(SystemTime::now()).ok())
    });
    asked.map_or(Retry::Soon, Retry::After)
}

/// `^(?i:application\/json(;\s*charset=("utf-8"|utf-8))?)$`
fn is_json(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    let Some(rest) = kind.strip_prefix("application/json") else {
        return false;
    };
    let blank = |c: char| matches!(c, ' ' | '\t' | '\n' | '\x0c' | '\r');
    rest.is_empty()
        || rest.strip_prefix(';').is_some_and(|parameter| {
            matches!(
                parameter.trim_start_matches(blank),
                "charset=utf-8" | "charset=\"utf-8\""
            )
        })
}

fn header<'r>(response: &'r EgressResponse, name: &str) -> Option<&'r str> {
    let mut headers = response.headers.iter();
    headers
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

/// `user:password` of a URL as the header that Go makes of it.
fn basic(user_info: &str) -> String {
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let mut pair: Vec<u8> = percent_decode_str(user).collect();
    pair.push(b':');
    pair.extend(percent_decode_str(password));
    format!("Basic {}", BASE64_STANDARD.encode(pair))
}

// === impl FetchError ===

impl FetchError {
    /// One that will be the same in a moment.
    fn lasting(message: String) -> Self {
        Self {
            message,
            retry: Retry::NextInterval,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_those_of_upstream() {
        for kind in [
            "application/json",
            "application/json;charset=utf-8",
            "application/json;charset=UTF-8",
            "Application/JSON;\tcharset=\"utf-8\"",
            "application/json; charset=\"utf-8\"",
        ] {
            assert!(is_json(kind), "{kind}");
        }
        for kind in [
            "",
            "application/jsonl; charset=utf-8",
            "application/json;charset=UTF-9",
            "application /json;charset=UTF-8",
            "application/ json;charset=UTF-8",
            "application/json;",
            "charset=UTF-8",
            "text/plain",
        ] {
            assert!(!is_json(kind), "{kind}");
        }
    }

    #[test]
    fn credentials_of_a_url_are_decoded() {
        assert_eq!(basic("u:p%40"), "Basic dTpwQA==");
        assert_eq!(basic("u"), "Basic dTo=");
    }
}
