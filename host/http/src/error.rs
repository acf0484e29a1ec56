//! Why a request gave no answer.

use crate::connect::ConnectError;
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

    /// What the client says of a request that got no answer. The URL is left out, since its query
    /// may be secret.
    pub(crate) fn from_client(error: &hyper_util::client::legacy::Error) -> Self {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<ConnectError>() {
                return Self::from_connect(error);
            }
            cause = error.source();
        }
        Self::from_body(error)
    }

    fn from_connect(error: &ConnectError) -> Self {
        let kind = match error {
            ConnectError::Refused(_) => FailureKind::Denied,
            ConnectError::SlowTls { .. } => FailureKind::Timeout,
            _ => FailureKind::Other,
        };
        Self::new(kind, with_root_cause(error))
    }

    /// What broke an exchange after the connection was made.
    pub(crate) fn from_body(error: &(dyn std::error::Error + 'static)) -> Self {
        let cause = root_cause(error).map_or("unknown cause".to_owned(), ToString::to_string);
        Self::new(FailureKind::Other, format!("the exchange failed: {cause}"))
    }

    pub(crate) fn of_request_to(self, origin: &Origin) -> Self {
        let message = format!("request to `{origin}`: {}", self.message);
        Self { message, ..self }
    }
}

impl From<SettingsError> for EgressError {
    fn from(error: SettingsError) -> Self {
        Self::new(FailureKind::Other, with_root_cause(&error))
    }
}

/// An error and what began it; what lies between says little.
fn with_root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    match root_cause(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn root_cause<'e>(
    error: &'e (dyn std::error::Error + 'static),
) -> Option<&'e (dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |cause| cause.source()).last()
}
