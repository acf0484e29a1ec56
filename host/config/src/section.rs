//! One piece of discovery in a job.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use periplus_core::{ContentHash, PromDuration, TargetGroup};
use serde::Serialize;
use serde_json::json;

use crate::http_client::HttpClientConfig;
use crate::identity;
use crate::kubernetes::{KubernetesResourceSection, KubernetesSection};
use crate::plugin::PluginSection;
use crate::secret::SHOWN;
use crate::secret_url::SecretUrl;

/// One element of a `<mechanism>_sd_configs` list, or all of a job's `static_configs`.
#[derive(Clone, Debug)]
pub struct Section {
    /// The mechanism: `static`, `file`, `http`, `kubernetes`, `kubernetes_resource`, or one that a plugin serves.
    pub mechanism: String,
    /// Where it stands, such as `scrape_configs[0].kubernetes_sd_configs[1]`.
    pub key_path: String,
    /// The line on which it begins.
    pub line: usize,
    /// Hash of the mechanism and the resolved content: equal sections share one provider. It does
    /// not depend on the order of keys, on formatting or on the place.
    pub identity: ContentHash,
    /// What the mechanism needs to run.
    pub kind: SectionKind,
}

/// The content of a section by mechanism.
#[derive(Clone, Debug)]
pub enum SectionKind {
    /// All `static_configs` of a job, with sources `0`, `1`, ...
    Static(Vec<Arc<TargetGroup>>),
    /// `file_sd_configs`.
    File(FileSection),
    /// `http_sd_configs`.
    Http(HttpSection),
    /// `kubernetes_sd_configs`.
    Kubernetes(KubernetesSection),
    /// `kubernetes_resource_sd_configs`.
    KubernetesResource(KubernetesResourceSection),
    /// A mechanism that a plugin serves.
    Plugin(PluginSection),
    /// A mechanism that nobody serves, allowed by [`LoadOptions::allow_missing`].
    ///
    /// [`LoadOptions::allow_missing`]: crate::LoadOptions::allow_missing
    Missing,
}

/// Where `file_sd` finds its target groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSection {
    /// Files, or patterns with `*` in the last part, joined with the configuration's directory.
    pub patterns: Vec<PathBuf>,
    /// How often files are read again without an event; 5 minutes unless written.
    pub refresh_interval: Duration,
}

/// Where `http_sd` finds its target groups.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HttpSection {
    /// What is fetched.
    pub url: SecretUrl,
    /// How often; also the longest that one request may take. 1 minute unless written.
    pub refresh_interval: Duration,
    /// Bytes of the longest list, compressed and not; 64 MiB unless written.
    pub body_size_limit: usize,
    /// How it is fetched.
    pub http: HttpClientConfig,
}

// === impl HttpSection ===

impl HttpSection {
    /// How often the list is fetched unless `refresh_interval` is written.
    pub const REFRESH_INTERVAL: Duration = Duration::from_mins(1);
    /// The longest list unless `body_size_limit` is written.
    pub const BODY_SIZE_LIMIT: usize = 64 << 20;

    /// Secrets in a fixed order, for the section's identity.
    pub(crate) fn secrets(&self) -> Vec<&str> {
        let mut secrets = self.http.secrets();
        secrets.extend(self.url.secret());
        secrets
    }
}

// === impl Section ===

impl Section {
    /// The section as it may be shown to people: without secrets.
    #[must_use]
    pub fn shown(&self) -> serde_json::Value {
        match &self.kind {
            SectionKind::Static(groups) => json!({
                "groups": groups.len(),
                "targets": groups.iter().map(|group| group.targets.len()).sum::<usize>(),
            }),
            SectionKind::File(file) => json!({
                "files": file.patterns,
                "refresh_interval": shown_duration(file.refresh_interval),
            }),
            SectionKind::Http(section) => json!({
                "url": section.url,
                "refresh_interval": shown_duration(section.refresh_interval),
                "body_size_limit": section.body_size_limit,
                "http": without_secrets(&what_is_set(json!(section.http))),
            }),
            SectionKind::Kubernetes(section) => serde_json::to_value(section).unwrap_or_default(),
            SectionKind::KubernetesResource(section) => {
                serde_json::to_value(section).unwrap_or_default()
            }
            SectionKind::Plugin(section) => json!({
                "config": without_secrets(&section.config),
                "refresh_interval": shown_duration(section.refresh_interval),
            }),
            SectionKind::Missing => serde_json::Value::Null,
        }
    }
}

/// Leaves out what says nothing: most of many settings.
fn what_is_set(value: serde_json::Value) -> serde_json::Value {
    let serde_json::Value::Object(members) = value else {
        return value;
    };
    let set = members
        .into_iter()
        .map(|(key, value)| (key, what_is_set(value)))
        .filter(|(_, value)| !identity::is_empty(value));
    serde_json::Value::Object(set.collect())
}

fn shown_duration(duration: Duration) -> String {
    PromDuration(duration).to_string()
}

/// Replaces the values of keys whose names say that they are secret. Only the plugin's schema
/// knows for sure; this is for places that have none, and rather hides too much.
pub(crate) fn without_secrets(value: &serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(members) => {
            let shown = members.iter().map(|(key, value)| {
                let is_set = !value.is_null() && value != "";
                let value = if is_set && is_secret(key) {
                    SHOWN.into()
                } else {
                    without_secrets(value)
                };
                (key.clone(), value)
            });
            serde_json::Value::Object(shown.collect())
        }
        serde_json::Value::Array(items) => items.iter().map(without_secrets).collect(),
        other => other.clone(),
    }
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let words = [
        "password",
        "passwd",
        "secret",
        "token",
        "credential",
        "api_key",
        "apikey",
    ];
    let is_file = key.ends_with("_file") || key.ends_with("_url");
    !is_file
        && (words.iter().any(|word| key.contains(word)) || key.ends_with("_key") || key == "key")
}
