//! Why a request gave no answer.

use crate::origin::Origin;
use crate::settings::SettingsError;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// Not granted.
    Denied,
    /// Asked for in a way that can never work.
    Invalid,
    /// Time ran out.
    Timeout,
    /// Past a limit.
    TooLarge,
    /// Resolution, connection, TLS, protocol.
    Other,
}

/// A request that failed. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EgressError {
    /// What kind of failure.
    pub kind: FailureKind,
    /// What happened.
    pub message: String,
}

// === impl EgressError ===

impl EgressError {
    pub(crate) fn new(kind: FailureKind, message: String) -> Self {
        Self { kind, message }
    }

    /// The innermost cause says what happened; the URL is left out, since its query may be secret.
    pub(crate) fn from_reqwest(error: &reqwest::Error) -> Self {
        let mut cause: &dyn std::error::Error = error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        let kind = if cause.is::<crate::AddressRefused>() {
            FailureKind::Denied
        } else if error.is_timeout() {
            FailureKind::Timeout
        } else {
            FailureKind::Other
        };
        let stage = if error.is_connect() {
            "failed to connect"
        } else {
            "the exchange failed"
        };
        let cause = if std::ptr::addr_eq(cause, error) {
            "unknown cause".into()
        } else {
            cause.to_string()
        };
        Self::new(kind, format!("{stage}: {cause}"))
    }

    pub(crate) fn of_request_to(self, origin: &Origin) -> Self {
        let message = format!("request to `{origin}`: {}", self.message);
        Self { message, ..self }
    }
}

impl From<SettingsError> for EgressError {
    fn from(error: SettingsError) -> Self {
        let cause = std::error::Error::source(&error)
            .map(|c| format!(": {c}"))
            .unwrap_or_default();
        Self::new(FailureKind::Other, format!("{error}{cause}"))
    }
}
