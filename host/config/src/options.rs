//! What a configuration is checked against.

use std::collections::BTreeSet;

/// Names of mechanisms.
pub type MechanismSet = BTreeSet<String>;

/// What the host can do, as far as the configuration depends on it.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Mechanisms that plugins serve, beyond `static`, `file`, `http`, `kubernetes` and
    /// `kubernetes_resource`.
    pub mechanisms: MechanismSet,
    /// Whether a mechanism that nobody serves is a warning rather than an error.
    pub allow_missing: bool,
}
