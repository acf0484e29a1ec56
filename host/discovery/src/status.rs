//! What people see of providers and plugins.

use std::time::SystemTime;

use serde::{Serialize, Serializer};

/// How a provider is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderState {
    /// It has not delivered its first complete state, and has not failed either.
    Starting,
    /// The source answered last time.
    Ready,
    /// The source failed last time; the last good targets stay.
    Failing,
    /// It ended by itself; the last good targets stay.
    Stopped,
}

/// One provider at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct ProviderStatus {
    /// `<mechanism>/<n>`, such as `kubernetes/3`; numbers are never used again.
    pub name: String,
    /// The mechanism.
    pub mechanism: String,
    /// The jobs that it feeds, sorted.
    pub jobs: Vec<String>,
    /// How it is doing.
    pub state: ProviderState,
    /// What the first complete state still waits for.
    pub waiting_for: Option<String>,
    /// Whether the first complete state was delivered.
    pub synced: bool,
    /// If what is known comes from disk and the source has not confirmed it: when it was last good.
    #[serde(serialize_with = "optional_time")]
    pub stale_since: Option<SystemTime>,
    /// When the source last answered.
    #[serde(serialize_with = "optional_time")]
    pub last_success: Option<SystemTime>,
    /// The last failure that no success has followed.
    #[serde(serialize_with = "optional_error")]
    pub last_error: Option<(SystemTime, String)>,
    /// Whether the source is asked from time to time, so that it can be asked now; others tell what
    /// changes by themselves.
    pub refreshable: bool,
    /// When it is asked next; nothing while it is being asked.
    #[serde(serialize_with = "optional_time")]
    pub next_refresh: Option<SystemTime>,
    /// Groups known now.
    pub groups: usize,
    /// Targets in them, before any pipeline.
    pub targets: usize,
    /// The section that it serves, without secrets.
    pub config: serde_json::Value,
}

/// Why a provider's source is not asked now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefreshError {
    /// No provider has this name now.
    #[error("there is no provider of this name now")]
    Unknown,
    /// Its source tells what changes by itself, or is no source that could change.
    #[error("it follows its source by itself: there is nothing to ask")]
    Follows,
}

/// One plugin at one moment.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PluginStatus {
    /// Its name in the configuration.
    pub name: String,
    /// The version that its manifest tells.
    pub version: Option<String>,
    /// SHA-256 of the component that runs now, lower-case hexadecimal.
    pub digest: Option<String>,
    /// Where it was loaded from.
    pub source: String,
    /// The mechanisms that it serves; none for a transformer.
    pub mechanisms: Vec<String>,
    /// Whether it is a transformer.
    pub transformer: bool,
    /// `running`, `quarantined`, `loading`, ...
    pub state: String,
    /// Why it is not running, or why a newer file was not taken.
    pub reason: Option<String>,
    /// When the component that runs now was loaded.
    #[serde(serialize_with = "optional_time")]
    pub loaded_at: Option<SystemTime>,
    /// The last failure that no success has followed.
    pub last_error: Option<String>,
    /// Instances that exist now.
    pub instances: usize,
    /// Calls so far.
    pub calls: u64,
    /// Traps so far, limits that were passed included.
    pub traps: u64,
}

/// Where the status of plugins comes from, so that fronts need not know the plugin host.
pub trait PluginStatuses: Send + Sync {
    /// All configured plugins in the order of the configuration.
    fn plugins(&self) -> Vec<PluginStatus>;
}

fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
fn optional_time<S: Serializer>(
    time: &Option<SystemTime>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.map(rfc3339).serialize(serializer)
}

#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
fn optional_error<S: Serializer>(
    error: &Option<(SystemTime, String)>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Shown<'a> {
        at: String,
        message: &'a str,
    }
    error
        .as_ref()
        .map(|(at, message)| Shown {
            at: rfc3339(*at),
            message,
        })
        .serialize(serializer)
}
