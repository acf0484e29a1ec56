//! A section of `consul_sd_configs`: as written, then checked.

use std::collections::BTreeMap;
use std::time::Duration;

use periplus_sdk::prelude::*;

/// Which Consul server is asked, and for which services. Keys and defaults are those of Prometheus; `username` and
/// `password` are read by the host, which sends them as `basic_auth`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Host and port, with a scheme before it if `scheme` is not what is meant.
    #[serde(default = "default_server")]
    pub(crate) server: String,
    /// `http` or `https`.
    #[serde(default = "default_scheme")]
    pub(crate) scheme: String,
    /// What stands before `/v1` in paths.
    #[serde(default)]
    pub(crate) path_prefix: String,
    /// ACL token.
    #[serde(default)]
    #[schemars(extend("writeOnly" = true))]
    pub(crate) token: String,
    /// Without it, that of the agent that is asked.
    #[serde(default)]
    pub(crate) datacenter: String,
    /// Consul Enterprise.
    #[serde(default)]
    pub(crate) namespace: String,
    /// Consul Enterprise.
    #[serde(default)]
    pub(crate) partition: String,
    /// Between the tags in `__meta_consul_tags`, and around them.
    #[serde(default = "default_separator")]
    pub(crate) tag_separator: String,
    /// User of `basic_auth`.
    #[serde(default)]
    #[expect(dead_code, reason = "the host sends it")]
    username: String,
    /// Password of `basic_auth`.
    #[serde(default)]
    #[expect(dead_code, reason = "the host sends it")]
    #[schemars(extend("writeOnly" = true))]
    password: String,
    /// Whether any server may answer, not the leader alone.
    #[serde(default = "default_stale")]
    pub(crate) allow_stale: bool,
    /// The shortest time between two requests for the same thing, as in `30s`.
    #[serde(default = "default_interval")]
    pub(crate) refresh_interval: String,
    /// Which services; none: all.
    #[serde(default)]
    pub(crate) services: Vec<String>,
    /// Tags that an instance must all have.
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    /// Metadata that a node must have.
    #[serde(default)]
    pub(crate) node_meta: BTreeMap<String, String>,
    /// Filter of the catalogue.
    #[serde(default)]
    pub(crate) filter: String,
    /// Filter of the instances of a service.
    #[serde(default)]
    pub(crate) health_filter: String,
}

fn default_server() -> String {
    "localhost:8500".to_owned()
}

fn default_scheme() -> String {
    "http".to_owned()
}

fn default_separator() -> String {
    ",".to_owned()
}

const fn default_stale() -> bool {
    true
}

fn default_interval() -> String {
    "30s".to_owned()
}

// === impl Config ===

impl Config {
    /// Where requests go to, without a slash at the end.
    pub(crate) fn base(&self) -> Result<String, Problem> {
        let server = self.server.trim();
        if server.is_empty() {
            let message = "consul SD configuration requires a server address";
            return Err(Problem::new("/server", message));
        }
        let (scheme, host) = server
            .split_once("://")
            .unwrap_or((self.scheme.as_str(), server));
        match scheme {
            "http" | "https" => {
                let prefix = self.path_prefix.trim_matches('/');
                let slash = if prefix.is_empty() { "" } else { "/" };
                Ok(format!(
                    "{scheme}://{}{slash}{prefix}",
                    host.trim_end_matches('/')
                ))
            }
            "unix" => {
                let message = "sockets are not offered yet; name the agent by host and port";
                Err(Problem::new("/server", message))
            }
            other => Err(Problem::new(
                "/server",
                format!("Unknown protocol scheme: {other}"),
            )),
        }
    }

    /// Whether the list of all services is asked for.
    pub(crate) fn needs_catalog(&self) -> bool {
        self.services.is_empty() || !self.tags.is_empty() || !self.filter.is_empty()
    }

    /// Whether a service of the catalogue is one that is wanted.
    pub(crate) fn wants(&self, name: &str, tags: &[String]) -> bool {
        let is_named = self.services.is_empty() || self.services.iter().any(|it| it == name);
        is_named && self.tags.iter().all(|tag| tags.contains(tag))
    }

    /// The parsed `refresh_interval`.
    pub(crate) fn interval(&self) -> Result<Duration, Problem> {
        parse_duration(&self.refresh_interval).ok_or_else(|| {
            let message = format!("not a valid duration string: \"{}\"", self.refresh_interval);
            Problem::new("/refresh_interval", message)
        })
    }
}

/// A duration as Prometheus writes it, the units of which descend: `1m30s`.
fn parse_duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 7] = [
        ("y", 31_536_000_000),
        ("w", 604_800_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ];
    let (mut rest, mut total, mut units) = (text, 0_u64, &UNITS[..]);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let end = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let at = units.iter().position(|(name, _)| *name == unit)?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(units[at].1)?)?;
        units = &units[at + 1..];
        rest = tail;
    }
    (total > 0).then(|| Duration::from_millis(total))
}
