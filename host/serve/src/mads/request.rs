//! What a reader of MADS asks for.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use periplus_core::PromDuration;
use periplus_discovery::{Names, Shard, Stage, View};
use serde::Deserialize;

use super::assignment::TYPE_URL;
use crate::error::ApiError;
use crate::jobs;

const PREFIX: &str = "/mads/";
const SUFFIX: &str = "/v3/discovery:monitoringassignments";
const SHARDS: &str = "/shards/";
/// A request has a few short fields.
const MOST_BYTES: usize = 64 << 10;
/// For a request's body to arrive.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Which job, or part of one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) job: String,
    pub(super) shard: Option<Shard>,
}

/// An xDS discovery request, as far as it matters here. Names as in the protocol's definition or as
/// in its JSON form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DiscoveryRequest {
    /// The version that the reader has; empty at first.
    #[serde(alias = "versionInfo")]
    pub(super) version_info: Option<String>,
    /// The nonce of the answer that it speaks of.
    #[serde(alias = "responseNonce")]
    pub(super) response_nonce: Option<String>,
    #[serde(alias = "typeUrl")]
    type_url: Option<String>,
    node: Option<Node>,
    /// Why it refused that answer, and still has `version_info`.
    #[serde(alias = "errorDetail")]
    pub(super) error_detail: Option<ErrorDetail>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Node {
    id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorDetail {
    pub(super) message: Option<String>,
}

/// How long the reader lets a request be held; none if it does not say.
pub(super) fn fetch_timeout(query: Option<&str>) -> Result<Option<Duration>, ApiError> {
    let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let mut given = pairs.filter(|(name, _)| name == "fetch-timeout");
    let Some((_, value)) = given.next() else {
        return Ok(None);
    };
    let timeout = PromDuration::from_str(&value).map_err(|error| {
        let message = format!("`fetch-timeout` is no duration such as `2m`: {error}");
        ApiError::bad_data(message)
    })?;
    Ok(Some(timeout.0))
}

// === impl Address ===

impl Address {
    pub(super) fn of(path: &str) -> Result<Self, ApiError> {
        let inner = path
            .strip_prefix(PREFIX)
            .and_then(|path| path.strip_suffix(SUFFIX));
        let Some(inner) = inner.filter(|job| !job.is_empty()) else {
            let message = format!(
                "no such path `{path}`; ask for `{PREFIX}{{job}}{SUFFIX}` or \
                 `{PREFIX}{{job}}{SHARDS}i-of-n{SUFFIX}`"
            );
            return Err(ApiError::not_found(message));
        };
        // A job whose name ends like a shard is reached as `.../shards/0-of-1`.
        if let Some((job, shard)) = inner.rsplit_once(SHARDS)
            && shard.contains("-of-")
        {
            let shard = Shard::parse(shard, "-of-").map_err(|error| {
                let form = "in the path it is written `i-of-n`";
                ApiError::bad_data(format!("{error}; {form}"))
            })?;
            return Ok(Self {
                job: jobs::decode(job)?,
                shard: Some(shard),
            });
        }
        Ok(Self {
            job: jobs::decode(inner)?,
            shard: None,
        })
    }

    pub(super) fn view(&self) -> View {
        View {
            stage: Stage::Final,
            shard: self.shard,
            names: Names::Utf8,
            selectors: Arc::default(),
        }
    }
}

// === impl DiscoveryRequest ===

impl DiscoveryRequest {
    pub(super) async fn read(body: Body) -> Result<Self, ApiError> {
        let read = tokio::time::timeout(BODY_TIME, to_bytes(body, MOST_BYTES)).await;
        let read = read.map_err(|_| {
            let message = "the request's body took too long to arrive";
            ApiError::new(StatusCode::REQUEST_TIMEOUT, "timeout", message)
        })?;
        let bytes = read.map_err(|_| {
            let message = format!("the request's body broke off or is over {MOST_BYTES} bytes");
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "bad_data", message)
        })?;
        let request: Self = serde_json::from_slice(&bytes).map_err(|error| {
            ApiError::bad_data(format!(
                "the request is no discovery request in JSON: {error}"
            ))
        })?;
        match request.type_url.as_deref() {
            None | Some("" | TYPE_URL) => Ok(request),
            Some(other) => {
                let message =
                    format!("unknown resource type `{other}`; there is only `{TYPE_URL}`");
                Err(ApiError::bad_data(message))
            }
        }
    }

    /// Whether there is nothing new for the reader in a version, whose nonce is the version: it has
    /// it, or it refused that very one and would do so again.
    pub(super) fn has(&self, version: &str) -> bool {
        let is_refused = self.error_detail.is_some();
        let known = if is_refused {
            &self.response_nonce
        } else {
            &self.version_info
        };
        known.as_deref() == Some(version)
    }

    /// Who asks.
    pub(super) fn reader(&self) -> &str {
        let id = self.node.as_ref().and_then(|node| node.id.as_deref());
        id.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_names_a_job_and_perhaps_a_shard() {
        let shard = |index, count| Some(Shard::new(index, count).unwrap());
        for (inner, job, expected) in [
            ("pods", "pods", None),
            ("a/b%2Fc", "a/b/c", None),
            ("a%20%C3%BC%25", "a ü%", None),
            ("pods/shards/1-of-3", "pods", shard(1, 3)),
            (
                "pods/shards/0-of-2/shards/0-of-1",
                "pods/shards/0-of-2",
                shard(0, 1),
            ),
            ("pods/shards/east", "pods/shards/east", None),
            ("/lead", "/lead", None),
        ] {
            let address = Address::of(&format!("{PREFIX}{inner}{SUFFIX}")).unwrap();
            assert_eq!((&*address.job, address.shard), (job, expected), "{inner}");
        }
        for path in [
            "/mads/pods/shards/3-of-3/v3/discovery:monitoringassignments",
            "/mads/pods/shards/x-of-3/v3/discovery:monitoringassignments",
            "/mads/%FF/v3/discovery:monitoringassignments",
            "/mads/v3/discovery:monitoringassignments",
            "/mads//v3/discovery:monitoringassignments",
            "/mads/pods/v3/discovery:clusters",
            "/mads/pods",
        ] {
            assert!(Address::of(path).is_err(), "{path}");
        }
    }

    #[test]
    fn hold_is_a_duration_of_prometheus() {
        let seconds = |query| fetch_timeout(query).map(|it| it.map(|it| it.as_secs_f64()));
        assert_eq!(seconds(None).unwrap(), None);
        assert_eq!(seconds(Some("x=1")).unwrap(), None);
        assert_eq!(seconds(Some("fetch-timeout=2m")).unwrap(), Some(120.0));
        assert_eq!(seconds(Some("fetch-timeout=1m30s")).unwrap(), Some(90.0));
        assert_eq!(seconds(Some("fetch-timeout=0s")).unwrap(), Some(0.0));
        for query in [
            "fetch-timeout=",
            "fetch-timeout=2",
            "fetch-timeout=-1s",
            "fetch-timeout=x",
        ] {
            assert!(seconds(Some(query)).is_err(), "{query}");
        }
    }
}
