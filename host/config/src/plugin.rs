//! Plugins: what is loaded, what it may reach, and what configures it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use periplus_core::ContentHash;
use serde::Serialize;

use crate::http_client::HttpClientConfig;

/// One entry of `plugins:`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PluginConfig {
    /// Its name in this configuration; the manifest's name unless written.
    pub name: Option<String>,
    /// The component's file, joined with the configuration's directory; of an image `oci:` and its
    /// name, which is no path.
    pub source: PathBuf,
    /// The image in a registry that holds it, unless it is a file.
    pub image: Option<PluginImage>,
    /// What its bytes must hash to, 64 lower-case hexadecimal digits.
    pub sha256: Option<String>,
    /// What it may reach.
    pub allow: Grants,
    /// What it may use.
    pub limits: PluginLimits,
    /// The line on which the entry begins.
    #[serde(skip)]
    pub line: usize,
    /// Where it stands, such as `plugins[0]`.
    #[serde(skip)]
    pub key_path: String,
}

/// A plugin in a registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PluginImage {
    /// `REGISTRY/NAME:TAG`, `REGISTRY/NAME@sha256:...` or both, as written.
    pub name: String,
    /// When the registry is asked.
    pub pull: PullPolicy,
    /// Whether it is asked without TLS, although it is not on this machine.
    pub plain_http: bool,
    /// Files of public keys, joined with the configuration's directory; one of the keys must have
    /// signed the image. None means that nobody must.
    pub keys: Vec<PathBuf>,
}

/// When a registry is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PullPolicy {
    /// At every start and reload, and from time to time.
    Always,
    /// When the store does not hold the image.
    #[default]
    IfNotPresent,
    /// Not at all.
    Never,
}

/// What a plugin may reach; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Grants {
    /// HTTP origins.
    pub http: Vec<HttpGrant>,
    /// Files, as patterns with `*`, `**`, `?` and `[...]`; relative ones are joined with the
    /// configuration's directory.
    pub files: Vec<String>,
    /// Names that may be looked up, as patterns.
    pub dns: Vec<String>,
}

/// An HTTP origin that a plugin may reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HttpGrant {
    /// `scheme://host[:port]`; the host may begin with `*.`.
    pub origin: String,
    /// Methods in upper case; `GET` and `HEAD` unless written.
    pub methods: Vec<String>,
    /// Prefixes of paths; none means every path.
    pub paths: Vec<String>,
}

/// What a plugin may use; the host's default for everything that is not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PluginLimits {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// CPU time of one call.
    pub cpu: Option<Duration>,
    /// Wall time of one call.
    pub wall: Option<Duration>,
    /// Groups in one update.
    pub groups: Option<u64>,
    /// Targets in one update.
    pub targets: Option<u64>,
    /// Bytes of one update.
    pub output: Option<u64>,
}

/// The configuration of a mechanism that a plugin serves.
#[derive(Clone, PartialEq)]
pub struct PluginSection {
    /// The section as written, `refresh_interval` and the HTTP client settings taken out. It may
    /// hold secrets.
    pub config: serde_json::Value,
    /// How often the plugin is asked; a minute unless written.
    pub refresh_interval: Duration,
    /// `refresh_interval` if it is written: a plugin whose schema has that key is told, with its own
    /// default in place of ours.
    pub written_interval: Option<Duration>,
    /// The HTTP client settings as written. They hold secrets.
    pub http_client: serde_json::Value,
    /// The HTTP client settings, checked.
    pub http: HttpClientConfig,
}

/// One entry of a job's `transformers:`.
#[derive(Clone, PartialEq)]
pub struct TransformerConfig {
    /// The plugin, by its name in `plugins:` or in its manifest.
    pub plugin: String,
    /// Its configuration as written. It may hold secrets.
    pub config: serde_json::Value,
    /// What happens to targets when it fails.
    pub on_error: OnError,
    /// Hash of plugin, configuration and `on_error`.
    pub identity: ContentHash,
    /// Where it stands, such as `scrape_configs[0].transformers[0]`.
    pub key_path: String,
    /// The line on which it begins.
    pub line: usize,
}

/// What happens to a group's targets when a transformer fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// They stay as they were after the last success.
    #[default]
    Keep,
    /// They pass as if the transformer were not there.
    Pass,
    /// They are dropped.
    Drop,
}

// === impl PluginSection ===

impl fmt::Debug for PluginSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginSection")
            .field("refresh_interval", &self.refresh_interval)
            .field("http", &self.http)
            .finish_non_exhaustive()
    }
}

// === impl TransformerConfig ===

impl fmt::Debug for TransformerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransformerConfig")
            .field("plugin", &self.plugin)
            .field("on_error", &self.on_error)
            .field("key_path", &self.key_path)
            .finish_non_exhaustive()
    }
}
