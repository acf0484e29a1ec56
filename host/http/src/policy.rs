//! What is granted: rules of origin, methods and paths.

use http::Method;
use url::Url;

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
        Self { rules }
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

    /// Whether names of this origin may be this machine: a rule names it literally.
    pub(crate) fn grants_loopback(&self, origin: &Origin) -> bool {
        self.rules
            .iter()
            .any(|r| r.origin.is_local() && r.origin.matches(origin))
    }

    /// The same by name alone, for the resolver, which does not know the port.
    pub(crate) fn grants_loopback_name(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        (name == "localhost" || name.ends_with(".localhost"))
            && self
                .rules
                .iter()
                .any(|r| r.origin.is_local() && r.origin.host() == name)
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
    fn other_schemes_are_invalid() {
        assert_eq!(
            check(&Method::GET, "file:///etc/passwd").unwrap_err().kind,
            FailureKind::Invalid
        );
    }
}
