//! What mechanisms of Prometheus may reach without a grant: origins that their sections mean and do not write as URLs.
//!
//! A preset is for the plugin that was built along with this host, known by its digest. Any other plugin that says it
//! serves the mechanism has to be granted what it asks for.

use periplus_config::{BasicAuth, PluginSection, Secret};
use periplus_http::{Origin, OriginPattern};
use serde_json::Value;
use url::Url;

use crate::schema::Problem;

/// Digests of plugins that have presets, by mechanism; empty for one that was not built.
const KNOWN: [(&str, &str); 1] = [("consul", env!("PERIPLUS_DIGEST_CONSUL"))];

/// What the host adds to a section.
#[derive(Debug, Default)]
pub(crate) struct Preset {
    /// Read with GET and HEAD; the section's credentials go there.
    pub(crate) origins: Vec<OriginPattern>,
    /// What the mechanism's own keys say in place of `basic_auth`.
    pub(crate) basic_auth: Option<BasicAuth>,
}

/// The preset of a section; nothing for a mechanism or a plugin that has none. `resolved` has the defaults filled in.
pub(crate) fn of(
    mechanism: &str,
    digest: &str,
    section: &PluginSection,
    resolved: &Value,
) -> Result<Preset, Vec<Problem>> {
    let is_known = KNOWN.contains(&(mechanism, digest)) && !digest.is_empty();
    match mechanism {
        "consul" if is_known => consul(section, resolved).map_err(|problem| vec![problem]),
        _ => Ok(Preset::default()),
    }
}

fn consul(section: &PluginSection, resolved: &Value) -> Result<Preset, Problem> {
    let text = |key: &str| resolved[key].as_str().unwrap_or_default();
    let (username, password) = (text("username"), text("password"));
    let http = &section.http;
    let mut preset = Preset::default();
    if !username.is_empty() || !password.is_empty() {
        if http.basic_auth.is_some() {
            let message = "at most one of consul SD configuration username and password and basic \
                           auth can be configured";
            return Err(Problem::new("/username", message));
        }
        if http.authorization.is_some() || http.oauth2.is_some() {
            let message = "at most one of basic_auth, oauth2 & authorization must be configured";
            return Err(Problem::new("/username", message));
        }
        preset.basic_auth = Some(BasicAuth {
            username: username.to_owned(),
            password: Secret::new(password),
            ..BasicAuth::default()
        });
    }
    if !text("token").is_empty() && (http.authorization.is_some() || http.oauth2.is_some()) {
        let message = "at most one of consul SD token, authorization, or oauth2 can be configured";
        return Err(Problem::new("/token", message));
    }
    let server = text("server").trim();
    if server.is_empty() {
        let message = "consul SD configuration requires a server address";
        return Err(Problem::new("/server", message));
    }
    let url = if server.contains("://") {
        server.to_owned()
    } else {
        format!("{}://{server}", text("scheme"))
    };
    let origin = Url::parse(&url).ok().and_then(|url| Origin::of(&url));
    preset.origins.extend(origin.map(OriginPattern::exactly));
    Ok(preset)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use periplus_config::HttpClientConfig;
    use serde_json::json;

    use super::*;

    fn section(config: &Value) -> PluginSection {
        PluginSection {
            config: config.clone(),
            refresh_interval: Duration::from_mins(1),
            written_interval: None,
            http_client: json!({}),
            http: HttpClientConfig::default(),
        }
    }

    fn reaches(preset: &Preset, url: &str) -> bool {
        let origin = Origin::of(&Url::parse(url).unwrap()).unwrap();
        preset.origins.iter().any(|it| it.matches(&origin))
    }

    #[test]
    fn server_and_scheme_make_the_origin() {
        for (config, url) in [
            (
                json!({"scheme": "http", "server": "localhost:8500"}),
                "http://localhost:8500/v1",
            ),
            (
                json!({"scheme": "https", "server": "c.example"}),
                "https://c.example/",
            ),
            (
                json!({"scheme": "http", "server": "https://c.example:1"}),
                "https://c.example:1/",
            ),
        ] {
            let preset = consul(&section(&config), &config).unwrap();
            assert!(reaches(&preset, url), "{config}");
            assert!(!reaches(&preset, "http://other.example/"), "{config}");
        }
    }

    #[test]
    fn a_plugin_that_is_not_known_has_no_preset() {
        let config = json!({"scheme": "http", "server": "localhost:8500", "username": "u"});
        let preset = of("consul", &"0".repeat(64), &section(&config), &config).unwrap();
        assert!(preset.origins.is_empty() && preset.basic_auth.is_none());
        let preset = of("consul", "", &section(&config), &config).unwrap();
        assert!(preset.origins.is_empty());
    }

    #[test]
    fn keys_that_exclude_each_other_are_refused_in_the_words_of_prometheus() {
        let config = json!({"scheme": "http", "server": "c:1", "username": "u", "password": "p"});
        let mut section = section(&config);
        let preset = consul(&section, &config).unwrap();
        assert_eq!(preset.basic_auth.unwrap().password.expose(), "p");
        section.http.basic_auth = Some(BasicAuth::default());
        let problem = consul(&section, &config).unwrap_err();
        assert_eq!(
            problem.message,
            "at most one of consul SD configuration username and password and basic auth can be configured"
        );
        let problem = consul(&section, &json!({"server": " "})).unwrap_err();
        assert_eq!(
            problem.message,
            "consul SD configuration requires a server address"
        );
    }
}
