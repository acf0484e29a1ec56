//! What is granted: rules of origin, methods and paths.

use std::net::IpAddr;

use http::Method;
use url::Url;

use crate::address::{AddressRefused, check_address};
use crate::error::{EgressError, FailureKind};
use crate::origin::{Origin, OriginPattern};
use crate::path;

/// One grant.
#[derive(Clone, Debug)]
pub struct OriginRule {
    /// Which origins.
    pub origin: OriginPattern,
    /// Which methods; GET and HEAD are what a grant means that says nothing.
    pub methods: Vec<Method>,
    /// Which paths, by prefix at segment borders; none: all.
    pub paths: Vec<String>,
}

/// Everything that one plugin instance or source may ask for.
#[derive(Clone, Debug, Default)]
pub struct OriginPolicy {
    rules: Vec<OriginRule>,
    /// The origin that the operator wrote for a source of the host's own.
    own: Option<Origin>,
}

/// Which addresses an origin may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressRule {
    /// Any: the operator wrote the origin.
    Any,
    /// What [`check_address`] allows.
    Checked {
        /// Whether this machine is among them.
        loopback: bool,
    },
}

// === impl OriginRule ===

impl OriginRule {
    /// GET and HEAD on every path of the origin.
    #[must_use]
    pub fn read_only(origin: OriginPattern) -> Self {
        Self {
            origin,
            methods: vec![Method::GET, Method::HEAD],
            paths: Vec::new(),
        }
    }
}

// === impl OriginPolicy ===

impl OriginPolicy {
    /// A policy that allows what any of the rules allows, and nothing else.
    #[must_use]
    pub fn new(rules: Vec<OriginRule>) -> Self {
        Self { rules, own: None }
    }

    /// A policy for a source whose URL the operator wrote: its host may have any address; redirects
    /// may lead anywhere but to metadata services and, unless `own` is this machine, to this
    /// machine.
    #[must_use]
    pub fn of_source(own: Origin) -> Self {
        Self {
            rules: Vec::new(),
            own: Some(own),
        }
    }

    /// The origin of a request that a rule allows; otherwise what is missing, with the line to add.
    pub fn check(&self, method: &Method, url: &Url) -> Result<Origin, EgressError> {
        let origin = Origin::of(url).ok_or_else(|| {
            EgressError::new(
                FailureKind::Invalid,
                format!(
                    "`{}` is not an absolute `http` or `https` URL",
                    display(url)
                ),
            )
        })?;
        if self.own.is_some() {
            return Ok(origin);
        }
        let mut on_origin = self
            .rules
            .iter()
            .filter(|r| r.origin.matches(&origin))
            .peekable();
        if on_origin.peek().is_none() {
            return Err(denied(format!(
                "`{origin}` is not granted; to grant it, write `allow: {{http: [\"{origin}\"]}}` \
                 under the plugin"
            )));
        }
        let mut on_method = on_origin.filter(|r| r.methods.contains(method)).peekable();
        if on_method.peek().is_none() {
            return Err(denied(format!(
                "method `{method}` on `{origin}` is not granted; to grant it, write `allow: \
                 {{http: [{{origin: \"{origin}\", methods: [{method}]}}]}}` under the plugin"
            )));
        }
        if !on_method.any(|r| path::is_below(url.path(), &r.paths)) {
            return Err(denied(format!(
                "path `{}` of `{origin}` lies outside the granted paths",
                url.path()
            )));
        }
        Ok(origin)
    }

    /// Whether the host itself asks, for a source of its own.
    pub(crate) fn is_of_source(&self) -> bool {
        self.own.is_some()
    }

    /// Which addresses this origin may have.
    pub(crate) fn addresses(&self, origin: &Origin) -> AddressRule {
        if let Some(own) = &self.own {
            if own.host() == origin.host() {
                return AddressRule::Any;
            }
            return AddressRule::Checked {
                loopback: own.is_local() && origin.is_local(),
            };
        }
        let is_literal = |rule: &OriginRule| rule.origin.is_local() && rule.origin.matches(origin);
        AddressRule::Checked {
            loopback: self.rules.iter().any(is_literal),
        }
    }

    /// Whether credentials for `from` go along when it redirects to `to`. Those of a source follow
    /// as in Prometheus, to the same host and to hosts below it, but never from `https` to `http`;
    /// those of a plugin's section stay with their origin.
    pub(crate) fn keeps_credentials(&self, from: &Origin, to: &Origin) -> bool {
        from == to || (self.own.is_some() && to.is_at_or_below(from) && !to.is_downgrade_of(from))
    }
}

// === impl AddressRule ===

impl AddressRule {
    /// Refuses an address that the origin may not have.
    pub(crate) fn check(self, address: IpAddr) -> Result<(), AddressRefused> {
        match self {
            Self::Any => Ok(()),
            Self::Checked { loopback } => check_address(address, loopback),
        }
    }
}

fn denied(message: String) -> EgressError {
    EgressError::new(FailureKind::Denied, message)
}

/// A URL without what may be secret.
fn display(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> OriginPolicy {
        OriginPolicy::new(vec![
            OriginRule::read_only(OriginPattern::parse("https://cmdb.example.com").unwrap()),
            OriginRule {
                origin: OriginPattern::parse("https://api.example.com").unwrap(),
                methods: vec![Method::POST],
                paths: vec!["/search".to_owned()],
            },
        ])
    }

    fn check(method: &Method, url: &str) -> Result<Origin, EgressError> {
        policy().check(method, &Url::parse(url).unwrap())
    }

    #[test]
    fn granted_requests_pass() {
        check(&Method::GET, "https://cmdb.example.com/any?x=1").unwrap();
        check(&Method::HEAD, "https://cmdb.example.com").unwrap();
        check(&Method::POST, "https://api.example.com/search/hosts").unwrap();
    }

    #[test]
    fn a_refusal_prints_the_line_to_add() {
        let error = check(&Method::GET, "https://other.example.com:8443/x").unwrap_err();
        assert_eq!(error.kind, FailureKind::Denied);
        assert!(
            error
                .message
                .contains("allow: {http: [\"https://other.example.com:8443\"]}"),
            "{error}"
        );
    }

    #[test]
    fn method_and_path_are_part_of_the_grant() {
        let error = check(&Method::POST, "https://cmdb.example.com/").unwrap_err();
        assert!(error.message.contains("method `POST`"), "{error}");
        let error = check(&Method::POST, "https://api.example.com/search/../admin").unwrap_err();
        assert!(error.message.contains("path `/admin`"), "{error}");
    }

    #[test]
    fn credentials_of_a_source_stay_with_its_host_and_those_of_a_plugin_with_their_origin() {
        let origin = |url: &str| Origin::of(&Url::parse(url).unwrap()).unwrap();
        let from = origin("http://h.example/");
        let source = OriginPolicy::of_source(from.clone());
        for (to, keeps) in [
            ("http://h.example/", true),
            ("http://h.example:8080/", true),
            ("https://h.example/", true),
            ("https://a.h.example/", true),
            ("http://example/", false),
            ("http://xh.example/", false),
            ("http://h.example.evil/", false),
            ("http://192.0.2.1/", false),
        ] {
            assert_eq!(source.keeps_credentials(&from, &origin(to)), keeps, "{to}");
            let is_same = origin(to) == from;
            assert_eq!(policy().keeps_credentials(&from, &origin(to)), is_same);
        }
        let secure = origin("https://h.example/");
        assert!(!source.keeps_credentials(&secure, &from));
        let address = origin("http://192.0.2.1/");
        assert!(source.keeps_credentials(&address, &origin("https://192.0.2.1/")));
    }

    #[test]
    fn a_source_may_have_any_address_and_redirects_may_not() {
        let origin = |url: &str| Origin::of(&Url::parse(url).unwrap()).unwrap();
        let metadata = "169.254.169.254".parse().unwrap();
        let loopback = "127.0.0.1".parse().unwrap();
        let source = OriginPolicy::of_source(origin("http://h.example/"));
        for own in ["http://h.example/", "https://h.example:8443/"] {
            assert!(source.addresses(&origin(own)).check(metadata).is_ok());
        }
        let other = source.addresses(&origin("http://other.example/"));
        assert!(other.check(metadata).is_err() && other.check(loopback).is_err());
        assert!(other.check("192.0.2.1".parse().unwrap()).is_ok());
        let here = OriginPolicy::of_source(origin("http://localhost:1/"));
        let moved = here.addresses(&origin("http://127.0.0.1:2/"));
        assert!(moved.check(loopback).is_ok() && moved.check(metadata).is_err());
    }

    #[test]
    fn other_schemes_are_invalid() {
        assert_eq!(
            check(&Method::GET, "file:///etc/passwd").unwrap_err().kind,
            FailureKind::Invalid
        );
    }
}
