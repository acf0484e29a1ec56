//! A section of `sockets_sd_configs`.

use std::net::{Ipv6Addr, SocketAddr};

use periplus_sdk::prelude::*;

/// Which sockets become targets, and under which host.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Host name or address of targets that listen on all addresses. Without it: `127.0.0.1` and `[::1]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<String>,
    /// Which ports.
    #[serde(default)]
    ports: Ports,
    /// Whether sockets that only this machine reaches are wanted.
    #[serde(default = "yes")]
    loopback: bool,
}

#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Ports {
    /// Ports and ranges of ports that are wanted; empty: all.
    #[serde(default)]
    include: Vec<PortRange>,
    /// Ports and ranges of ports that are not wanted, even if they are included.
    #[serde(default)]
    exclude: Vec<PortRange>,
}

/// One port, as a number, or a range with both ends in it, as text: `9100` or `9000-9999`.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
enum PortRange {
    One(u16),
    Text(#[schemars(regex(pattern = r"^[0-9]{1,5}(-[0-9]{1,5})?$"))] String),
}

fn yes() -> bool {
    true
}

/// `host:port`, with brackets around an IPv6 address.
pub(crate) fn join(host: &str, port: u16) -> String {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<Ipv6Addr>().is_ok() {
        format!("[{bare}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

fn is_host(text: &str) -> bool {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    bare.parse::<Ipv6Addr>().is_ok() || !(text.is_empty() || text.contains(['/', ' ', ':', '[']))
}

// === impl Config ===

impl Config {
    /// What the schema cannot say.
    pub(crate) fn check(&self) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        for (name, ranges) in [
            ("include", &self.ports.include),
            ("exclude", &self.ports.exclude),
        ] {
            for (index, range) in ranges.iter().enumerate() {
                if let Err(message) = range.bounds() {
                    problems.push(Problem::new(format!("/ports/{name}/{index}"), message));
                }
            }
        }
        if let Some(host) = &self.host
            && !is_host(host)
        {
            problems.push(Problem::new(
                "/host",
                format!("`{host}` is no host name or address"),
            ));
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }

    /// Whether the socket that listens on `address` is wanted.
    pub(crate) fn selects(&self, address: SocketAddr) -> bool {
        let within =
            |ranges: &[PortRange]| ranges.iter().any(|range| range.contains(address.port()));
        let Ports { include, exclude } = &self.ports;
        (self.loopback || !address.ip().is_loopback())
            && (include.is_empty() || within(include))
            && !within(exclude)
    }
}

// === impl PortRange ===

impl PortRange {
    fn contains(&self, port: u16) -> bool {
        self.bounds()
            .is_ok_and(|(first, last)| (first..=last).contains(&port))
    }

    fn bounds(&self) -> Result<(u16, u16), String> {
        let text = match self {
            Self::One(port) => return Ok((*port, *port)),
            Self::Text(text) => text,
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (first.parse(), last.parse()) {
            (Ok(first), Ok(last)) if first <= last => Ok((first, last)),
            (Ok(_), Ok(_)) => Err(format!("range `{text}` ends before it begins")),
            _ => Err(format!(
                "`{text}` is no port from 0 to 65535 and no range of ports"
            )),
        }
    }
}
