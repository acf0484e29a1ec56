//! Origins: scheme, host and port, and the patterns that grants are written in.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

/// Where a request goes: scheme, host and port, normalised so that two spellings are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: String,
    host: Host<String>,
    port: u16,
}

/// An origin of a grant, whose host may begin with `*.` for any name below a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPattern {
    origin: Origin,
    subdomains: bool,
}

/// An origin that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an origin: {reason}")]
pub struct OriginError {
    /// The text as written.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
}

// === impl Origin ===

impl Origin {
    /// The origin of a URL; `None` unless it is `http` or `https` with a host.
    #[must_use]
    pub fn of(url: &Url) -> Option<Self> {
        if !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        let host = match url.host()? {
            // `example.com.` is the same name, spelled absolutely.
            Host::Domain(name) => Host::Domain(name.trim_end_matches('.').to_owned()),
            Host::Ipv4(address) => Host::Ipv4(address),
            Host::Ipv6(address) => Host::Ipv6(address),
        };
        let port = url.port_or_known_default()?;
        Some(Self {
            scheme: url.scheme().to_owned(),
            host,
            port,
        })
    }

    /// The address, if the host is one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        match self.host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
        }
    }

    /// The host as in a URL.
    #[must_use]
    pub fn host(&self) -> String {
        self.host.to_string()
    }

    /// Whether the host is that of `other`, or a name below it.
    pub(crate) fn is_at_or_below(&self, other: &Self) -> bool {
        match (&self.host, &other.host) {
            (Host::Domain(name), Host::Domain(above)) => {
                name.strip_suffix(above.as_str()).is_some_and(|front| {
                    front.is_empty() || (front.ends_with('.') && !above.is_empty())
                })
            }
            (left, right) => left == right,
        }
    }

    /// Whether this gives up the encryption that `other` has.
    pub(crate) fn is_downgrade_of(&self, other: &Self) -> bool {
        self.scheme == "http" && other.scheme == "https"
    }

    /// Whether the host names this machine in so many words.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match &self.host {
            Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
            _ => self.address().is_some_and(crate::address::is_loopback),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        let default = if self.scheme == "https" { 443 } else { 80 };
        if self.port == default {
            Ok(())
        } else {
            write!(f, ":{}", self.port)
        }
    }
}

// === impl OriginPattern ===

impl OriginPattern {
    /// Reads `scheme://host[:port]`; the host may begin with `*.`.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let fail = |reason: &str| OriginError {
            text: text.to_owned(),
            reason: reason.to_owned(),
        };
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| fail("write it as `https://host[:port]`"))?;
        let (subdomains, rest) = match rest.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        if rest.contains('*') {
            return Err(fail(
                "`*` may only stand for whole labels at the front, as `*.host`",
            ));
        }
        let url = Url::parse(&format!("{scheme}://{rest}")).map_err(|e| fail(&e.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(fail("an origin has no user"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(fail("an origin has no path; paths stand under `paths`"));
        }
        let origin = Origin::of(&url).ok_or_else(|| fail("the scheme is not `http` or `https`"))?;
        if subdomains && origin.address().is_some() {
            return Err(fail("an address has no names below it"));
        }
        Ok(Self { origin, subdomains })
    }

    /// The pattern that matches one origin.
    #[must_use]
    pub fn exactly(origin: Origin) -> Self {
        Self {
            origin,
            subdomains: false,
        }
    }

    /// Whether the origin is meant.
    #[must_use]
    pub fn matches(&self, origin: &Origin) -> bool {
        if self.origin.scheme != origin.scheme || self.origin.port != origin.port {
            return false;
        }
        if !self.subdomains {
            return self.origin.host == origin.host;
        }
        match (&self.origin.host, &origin.host) {
            (Host::Domain(domain), Host::Domain(name)) => name
                .strip_suffix(domain.as_str())
                .and_then(|front| front.strip_suffix('.'))
                .is_some_and(|front| !front.is_empty()),
            _ => false,
        }
    }

    /// Whether a name of this pattern may resolve to this machine: only if it says so literally.
    #[must_use]
    pub fn is_local(&self) -> bool {
        !self.subdomains && self.origin.is_local()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Origin {
        Origin::of(&Url::parse(url).unwrap()).unwrap()
    }

    fn matches(pattern: &str, url: &str) -> bool {
        OriginPattern::parse(pattern).unwrap().matches(&origin(url))
    }

    #[test]
    fn spellings_of_one_origin_are_equal() {
        assert!(matches("https://example.com", "https://EXAMPLE.com:443/x"));
        assert!(matches("https://example.com", "https://example.com./"));
        assert!(matches("http://127.0.0.1:8080", "http://0x7f.1:8080/"));
        assert!(matches("http://[::1]", "http://[0:0::1]/"));
    }

    #[test]
    fn scheme_host_and_port_must_agree() {
        assert!(!matches("https://example.com", "http://example.com/"));
        assert!(!matches("https://example.com", "https://example.com:8443/"));
        assert!(!matches("https://example.com", "https://sub.example.com/"));
        assert!(!matches(
            "https://example.com",
            "https://example.com.evil.org/"
        ));
    }

    #[test]
    fn a_wildcard_stands_for_names_below_and_not_for_the_domain() {
        assert!(matches("https://*.example.com", "https://a.example.com/"));
        assert!(matches("https://*.example.com", "https://a.b.example.com/"));
        assert!(!matches("https://*.example.com", "https://example.com/"));
        assert!(!matches("https://*.example.com", "https://badexample.com/"));
    }

    #[test]
    fn what_is_no_origin_is_refused_with_the_reason() {
        for text in [
            "example.com",
            "ftp://example.com",
            "https://exa*mple.com",
            "https://user@example.com",
            "https://example.com/path",
            "https://*.10.0.0.1",
        ] {
            let error = OriginPattern::parse(text).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
    }

    #[test]
    fn only_literal_names_of_this_machine_are_local() {
        assert!(
            OriginPattern::parse("http://localhost:9090")
                .unwrap()
                .is_local()
        );
        assert!(OriginPattern::parse("http://127.0.0.1").unwrap().is_local());
        assert!(
            !OriginPattern::parse("http://*.localhost")
                .unwrap()
                .is_local()
        );
        assert!(
            !OriginPattern::parse("http://example.com")
                .unwrap()
                .is_local()
        );
    }
}
