//! Hosts that are reached without the proxy: `no_proxy`, by the rules of Go's `httpproxy`.

use std::net::IpAddr;

use ipnet::IpNet;

/// A list of hosts, addresses and networks.
#[derive(Debug, Default)]
pub(crate) struct Bypass {
    /// Whether this machine is reached directly, whatever the list says.
    local: bool,
    rules: Vec<Rule>,
}

#[derive(Debug)]
enum Rule {
    All,
    Network(IpNet),
    Address(IpAddr, Option<String>),
    /// Names that end in the text, which begins with a dot.
    Domain {
        suffix: String,
        /// Whether the name without anything before the dot is meant too.
        itself: bool,
        port: Option<String>,
    },
}

// === impl Bypass ===

impl Bypass {
    /// Everything goes through the proxy.
    pub(crate) fn nothing() -> Self {
        Self::default()
    }

    /// Reads a list that is separated by commas. What cannot be understood is passed over.
    pub(crate) fn new(list: &str) -> Self {
        let entries = list.split(',').map(|entry| entry.trim().to_lowercase());
        let entries = entries.filter(|entry| !entry.is_empty());
        Self {
            local: true,
            rules: entries.filter_map(|entry| Rule::parse(&entry)).collect(),
        }
    }

    /// Whether a host (without brackets) is reached directly at this port.
    pub(crate) fn matches(&self, host: &str, port: u16) -> bool {
        let host = host.to_lowercase();
        let address: Option<IpAddr> = host.parse().ok();
        let address = address.map(|address| address.to_canonical());
        if self.local && (host == "localhost" || address.is_some_and(|it| it.is_loopback())) {
            return true;
        }
        let port = port.to_string();
        self.rules
            .iter()
            .any(|rule| rule.matches(&host, address, &port))
    }
}

// === impl Rule ===

impl Rule {
    fn parse(entry: &str) -> Option<Self> {
        if entry == "*" {
            return Some(Self::All);
        }
        if entry.contains('/')
            && let Ok(network) = entry.parse::<IpNet>()
        {
            return Some(Self::Network(network));
        }
        let (host, port) = split_port(entry);
        if let Ok(address) = host.parse::<IpAddr>() {
            return Some(Self::Address(address.to_canonical(), port));
        }
        let host = if host.starts_with("*.") {
            &host[1..]
        } else {
            host
        };
        let (name, itself) = match host.strip_prefix('.') {
            Some(name) => (name, false),
            None => (host, true),
        };
        if host.is_empty() {
            return None;
        }
        let name = match url::Host::parse(name) {
            Ok(url::Host::Domain(ascii)) if !name.is_ascii() => ascii,
            _ => name.to_owned(),
        };
        Some(Self::Domain {
            suffix: format!(".{name}"),
            itself,
            port,
        })
    }

    fn matches(&self, host: &str, address: Option<IpAddr>, port: &str) -> bool {
        let at_port = |wanted: &Option<String>| wanted.as_deref().is_none_or(|it| it == port);
        match self {
            Self::All => true,
            Self::Network(network) => address.is_some_and(|it| network.contains(&it)),
            Self::Address(wanted, wanted_port) => address == Some(*wanted) && at_port(wanted_port),
            Self::Domain {
                suffix,
                itself,
                port,
            } => {
                let named = host.ends_with(suffix) || (*itself && host == &suffix[1..]);
                address.is_none() && named && at_port(port)
            }
        }
    }
}

/// `host:port`, `[v6]:port`, or a host alone.
fn split_port(entry: &str) -> (&str, Option<String>) {
    if let Some(rest) = entry.strip_prefix('[')
        && let Some((host, tail)) = rest.split_once(']')
    {
        let port = tail.strip_prefix(':').filter(|port| !port.is_empty());
        return (host, port.map(str::to_owned));
    }
    match entry.split_once(':') {
        Some((host, port)) if !port.contains(':') => {
            (host, (!port.is_empty()).then(|| port.to_owned()))
        }
        _ => (entry, None),
    }
}
