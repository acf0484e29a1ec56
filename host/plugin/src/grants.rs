//! What one instance may reach: the operator's `allow:`, and the origins of its own section.

use std::sync::Arc;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use http::Method;
use periplus_config::{Grants, PluginSection};
use periplus_http::{
    ClientSettings, EgressClient, EgressOptions, Origin, OriginPattern, OriginPolicy, OriginRule,
};
use serde_json::Value;
use url::Url;

use crate::files::FileGrants;
use crate::limits::MAX_STARTED_REQUESTS;
use crate::presets::Preset;
use crate::secrets::Secrets;

/// The doors of one instance. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Outside {
    pub(crate) http: Arc<EgressClient>,
    pub(crate) files: Arc<FileGrants>,
    pub(crate) dns: Arc<DnsGrants>,
    pub(crate) secrets: Arc<Secrets>,
    /// Where the secrets of the section may go.
    pub(crate) own: Arc<[OriginPattern]>,
}

/// Names that may be looked up.
#[derive(Debug)]
pub(crate) struct DnsGrants(GlobSet);

// === impl Outside ===

impl Outside {
    /// The doors for a section: what the plugin is granted, and every origin that the operator
    /// wrote as a whole into a field of the section. `section` is the section as written, so that
    /// defaults of a schema grant nothing; those of a mechanism are in its preset.
    pub(crate) fn new(
        grants: &Grants,
        section: &PluginSection,
        preset: Preset,
    ) -> Result<Self, String> {
        let mut own = section_origins(&section.config);
        own.extend(preset.origins);
        let mut rules = operator_rules(grants)?;
        rules.extend(own.iter().cloned().map(OriginRule::read_only));
        let mut http = section.http.clone();
        if preset.basic_auth.is_some() {
            http.basic_auth = preset.basic_auth;
        }
        let settings = ClientSettings::new(http).map_err(|e| chain(&e))?;
        let mut options = EgressOptions {
            settings,
            credential_origins: own.clone(),
            ..EgressOptions::new(OriginPolicy::new(rules))
        };
        // Requests that a source holds back take their places for minutes.
        options.limits.concurrency = MAX_STARTED_REQUESTS;
        Ok(Self {
            http: Arc::new(EgressClient::new(options)),
            files: Arc::new(FileGrants::new(&grants.files)?),
            dns: Arc::new(DnsGrants::new(&grants.dns)?),
            secrets: Arc::default(),
            own: own.into(),
        })
    }

    /// The same with the secrets that requests are to have in place of their stand-ins.
    pub(crate) fn with_secrets(self, secrets: Secrets) -> Self {
        Self {
            secrets: Arc::new(secrets),
            ..self
        }
    }
}

/// The operator's rules; a bad one is an error that quotes it.
fn operator_rules(grants: &Grants) -> Result<Vec<OriginRule>, String> {
    grants
        .http
        .iter()
        .map(|grant| {
            let origin = OriginPattern::parse(&grant.origin).map_err(|e| e.to_string())?;
            let methods = if grant.methods.is_empty() {
                vec![Method::GET, Method::HEAD]
            } else {
                let parse = |m: &String| {
                    Method::from_bytes(m.as_bytes()).map_err(|_| format!("`{m}` is not a method"))
                };
                grant.methods.iter().map(parse).collect::<Result<_, _>>()?
            };
            Ok(OriginRule {
                origin,
                methods,
                paths: grant.paths.clone(),
            })
        })
        .collect()
}

/// Origins of the strings in a section that are URLs by themselves.
fn section_origins(section: &Value) -> Vec<OriginPattern> {
    match section {
        Value::String(text) => Url::parse(text)
            .ok()
            .and_then(|url| Origin::of(&url))
            .filter(is_whole)
            .map(OriginPattern::exactly)
            .into_iter()
            .collect(),
        Value::Array(items) => items.iter().flat_map(section_origins).collect(),
        Value::Object(fields) => fields.values().flat_map(section_origins).collect(),
        _ => Vec::new(),
    }
}

/// Whether the host is all there: URLs allow braces and the like, of which a plugin may make
/// another host.
fn is_whole(origin: &Origin) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    origin.address().is_some() || origin.host().chars().all(plain)
}

// === impl DnsGrants ===

impl DnsGrants {
    fn new(patterns: &[String]) -> Result<Self, String> {
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            let glob = GlobBuilder::new(pattern.trim_end_matches('.'))
                .case_insensitive(true)
                .build()
                .map_err(|e| format!("`{pattern}` is not a pattern of names: {}", e.kind()))?;
            set.add(glob);
        }
        set.build().map(Self).map_err(|e| e.to_string())
    }

    /// Whether the name may be looked up.
    pub(crate) fn allow(&self, name: &str) -> bool {
        self.0.is_match(name.trim_end_matches('.'))
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn urls_of_the_section_grant_their_origin() {
        let section = json!({
            "url": "https://cmdb.example.com/v1?x=1",
            "more": [{"endpoint": "http://127.0.0.1:8080"}],
            "host": "other.example.com",
            "template": "https://{site}.example.com/",
            "number": 7,
        });
        let mut origins: Vec<_> = section_origins(&section)
            .iter()
            .map(|o| format!("{o:?}"))
            .collect();
        origins.sort();
        assert_eq!(origins.len(), 2, "{origins:?}");
        let expected = Origin::of(&Url::parse("https://cmdb.example.com").unwrap()).unwrap();
        assert!(
            section_origins(&section)
                .iter()
                .any(|o| o.matches(&expected))
        );
    }

    #[test]
    fn names_are_granted_by_pattern() {
        let grants = DnsGrants::new(&["*.example.com".into(), "host".into()]).unwrap();
        assert!(grants.allow("A.example.com.") && grants.allow("HOST"));
        assert!(!grants.allow("example.com") && !grants.allow("host.other"));
    }

    #[test]
    fn a_bad_grant_is_quoted() {
        let grants = Grants {
            http: vec![periplus_config::HttpGrant {
                origin: "cmdb".into(),
                methods: vec![],
                paths: vec![],
            }],
            ..Grants::default()
        };
        let section = PluginSection {
            config: json!({}),
            refresh_interval: std::time::Duration::from_mins(1),
            written_interval: None,
            http_client: json!({}),
            http: periplus_config::HttpClientConfig::default(),
        };
        let error = Outside::new(&grants, &section, Preset::default())
            .err()
            .unwrap();
        assert!(error.contains("`cmdb`"), "{error}");
    }
}
