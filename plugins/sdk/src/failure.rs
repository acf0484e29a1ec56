//! Why the host could not do what it was asked.

use std::fmt;

/// What kind of failure it is, for plugins that tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// Not granted; the message names the grant that is missing.
    Denied,
    /// Asked for in a way that can never work.
    Invalid,
    /// There is no such file or name.
    NotFound,
    /// It took too long.
    Timeout,
    /// Past a limit of the host, which the message names.
    TooLarge,
    /// Resolution, connection, TLS, protocol, input and output.
    Other,
}

/// A request that the host refused or that failed. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// For people; says what was asked for.
    pub message: String,
}

impl Failure {
    /// A failure of that kind.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
