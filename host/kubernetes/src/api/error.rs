//! Why a request failed, in words for an operator.

use std::error::Error;
use std::time::Duration;

use serde::Deserialize;

/// Why a request to the API server failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The connection cannot be set up from what is configured.
    #[error("{0}")]
    Setup(String),
    /// The server cannot be reached, or the connection broke.
    #[error("{0}")]
    Transport(String),
    /// The server did not answer in time.
    #[error("no answer within {}s", .0.as_secs())]
    Timeout(Duration),
    /// The server answered, and what it says is not readable.
    #[error("{0}")]
    Garbled(String),
    /// The server refused.
    #[error("{0}")]
    Refused(Refusal),
}

/// What the server says when it refuses: an HTTP status, or the same within a watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// HTTP status code.
    pub(crate) code: u16,
    /// Kubernetes' own word for it, such as `Expired`.
    pub(crate) reason: String,
    /// Kubernetes' sentence for it.
    pub(crate) message: String,
    /// After which time to ask again.
    pub(crate) retry_after: Option<Duration>,
    /// For a list whose page expired: how to go on with the newest state.
    pub(crate) continue_token: Option<String>,
}

/// `metav1.Status` on the wire.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    kind: String,
    code: Option<u16>,
    reason: Option<String>,
    message: Option<String>,
    details: Option<Details>,
    metadata: Option<ListMeta>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ListMeta {
    #[serde(rename = "continue")]
    continue_token: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Details {
    retry_after_seconds: Option<u64>,
}

// === impl ApiError ===

impl ApiError {
    /// A transport error with all of its causes, each once.
    pub(crate) fn transport(error: &(dyn Error + 'static)) -> Self {
        Self::Transport(with_causes(error))
    }

    /// The same before there was an answer: then the server is named.
    pub(crate) fn unreachable(server: &str, error: &(dyn Error + 'static)) -> Self {
        Self::Transport(format!(
            "request to `{server}` failed: {}",
            with_causes(error)
        ))
    }

    /// An answer that is not readable, with all causes.
    pub(crate) fn garbled(error: &(dyn Error + 'static)) -> Self {
        Self::Garbled(with_causes(error))
    }

    /// The refusal, if it is one.
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Whether a permission is missing.
    pub(crate) fn is_forbidden(&self) -> bool {
        self.refusal().is_some_and(|refusal| refusal.code == 403)
    }

    /// Whether the version or the page that was asked for is gone.
    pub(crate) fn is_expired(&self) -> bool {
        self.refusal().is_some_and(Refusal::is_expired)
    }
}

// === impl Refusal ===

impl Refusal {
    /// Reads the body of a refusal. What is no `Status` is quoted, as far as it is short.
    pub(crate) fn parse(code: u16, body: &[u8]) -> Self {
        let status: Status = serde_json::from_slice(body).unwrap_or_default();
        if status.kind != "Status" {
            let text = String::from_utf8_lossy(body);
            let message = text.trim().chars().take(200).collect();
            return Self {
                code,
                message,
                ..Self::default()
            };
        }
        Self {
            code: status.code.unwrap_or(code),
            reason: status.reason.unwrap_or_default(),
            message: status.message.unwrap_or_default(),
            retry_after: status
                .details
                .and_then(|details| details.retry_after_seconds)
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs),
            continue_token: status
                .metadata
                .and_then(|metadata| metadata.continue_token)
                .filter(|token| !token.is_empty()),
        }
    }

    fn is_expired(&self) -> bool {
        self.code == 410 || self.reason == "Expired" || self.reason == "Gone"
    }

    /// Whether the version that was asked for lies in the server's future, as after a restore.
    pub(crate) fn is_too_new(&self) -> bool {
        // The server says `Timeout: Too large resource version: 9, current: 3`.
        self.message.contains("Too large resource version")
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let status = http::StatusCode::from_u16(self.code);
        let words = status.ok().and_then(|status| status.canonical_reason());
        write!(f, "{}", self.code)?;
        if let Some(words) = words {
            write!(f, " {words}")?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

/// The texts of an error and its causes, leaving out a text that an earlier one repeats.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_what_is_missing() {
        let body = br#"{"kind":"Status","status":"Failure","message":"pods is forbidden: User \"x\" cannot list resource \"pods\" in API group \"\" in the namespace \"team-a\"","reason":"Forbidden","code":403}"#;
        let refusal = Refusal::parse(403, body);
        assert_eq!(refusal.reason, "Forbidden");
        assert_eq!(
            refusal.to_string(),
            "403 Forbidden: pods is forbidden: User \"x\" cannot list resource \"pods\" in API \
             group \"\" in the namespace \"team-a\""
        );
    }

    #[test]
    fn expiry_is_known_by_code_and_by_reason() {
        for (code, reason, expired) in [
            (410, "", true),
            (410, "Gone", true),
            (400, "Expired", true),
            (500, "InternalError", false),
        ] {
            let body = format!(r#"{{"kind":"Status","reason":"{reason}","code":{code}}}"#);
            let error = ApiError::Refused(Refusal::parse(code, body.as_bytes()));
            assert_eq!(error.is_expired(), expired, "{code} {reason}");
        }
    }

    #[test]
    fn what_is_no_status_is_quoted() {
        let refusal = Refusal::parse(502, b"<html>bad gateway</html>\n");
        assert_eq!(
            refusal.to_string(),
            "502 Bad Gateway: <html>bad gateway</html>"
        );
        assert_eq!(
            Refusal::parse(503, b"").to_string(),
            "503 Service Unavailable"
        );
    }

    #[test]
    fn the_token_to_go_on_by_is_read_from_the_metadata() {
        for (metadata, token) in [
            (r#"{"continue":"abc"}"#, Some("abc")),
            (r#"{"continue":""}"#, None),
            ("{}", None),
            ("null", None),
        ] {
            let body = format!(r#"{{"kind":"Status","code":410,"metadata":{metadata}}}"#);
            let refusal = Refusal::parse(410, body.as_bytes());
            assert_eq!(refusal.continue_token.as_deref(), token, "{metadata}");
        }
    }

    #[test]
    fn the_time_to_wait_is_read_from_the_details() {
        let body = br#"{"kind":"Status","code":429,"details":{"retryAfterSeconds":7}}"#;
        assert_eq!(
            Refusal::parse(429, body).retry_after,
            Some(Duration::from_secs(7))
        );
    }
}
