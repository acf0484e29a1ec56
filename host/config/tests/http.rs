//! `http_sd_configs` and the HTTP client settings in it: keys, defaults, checks, secrets.

use std::path::{Path, PathBuf};
use std::time::Duration;

use periplus_config::{HttpSection, LoadOptions, Section, SectionKind, load_str};

fn load(section: &str) -> Result<Section, String> {
    let text = format!("scrape_configs:\n- job_name: j\n  http_sd_configs:\n  - {section}\n");
    let loaded = load_str(&text, Path::new("conf/p.yml"), &LoadOptions::default());
    let loaded = loaded.map_err(|errors| errors.to_string())?;
    Ok(loaded.config.jobs[0].sections[0].clone())
}

fn section(text: &str) -> Section {
    load(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn content(text: &str) -> HttpSection {
    match section(text).kind {
        SectionKind::Http(content) => content,
        other => panic!("{other:?}"),
    }
}

#[test]
fn defaults_are_those_of_upstream() {
    let http = content("url: http://h/sd");
    assert_eq!(http.url.expose(), "http://h/sd");
    assert_eq!(http.refresh_interval, Duration::from_mins(1));
    assert_eq!(http.body_size_limit, 64 << 20);
    assert_eq!(http.http, periplus_config::HttpClientConfig::default());
    // Zero, which upstream accepts and dies of, is as if nothing were written.
    let zero = content("{url: http://h/sd, refresh_interval: 0s}");
    assert_eq!(zero, http);
}

#[test]
fn keys_are_read() {
    let http = content(
        "{url: 'https://h/sd', refresh_interval: 45s, body_size_limit: 256MiB, \
         basic_auth: {username: u, password_file: secrets/p}, proxy_url: 'http://p:1', \
         follow_redirects: false}",
    );
    assert_eq!(http.refresh_interval, Duration::from_secs(45));
    assert_eq!(http.body_size_limit, 256 << 20);
    let basic = http.http.basic_auth.unwrap();
    assert_eq!(basic.password_file, Some(PathBuf::from("conf/secrets/p")));
    assert_eq!(http.http.proxy_url.unwrap().expose(), "http://p:1");
    assert!(!http.http.follow_redirects);
}

#[test]
fn what_upstream_refuses_is_refused_in_its_words() {
    for (text, expected) in [
        ("{}", "URL is missing"),
        ("{url: null}", "URL is missing"),
        ("{url: ''}", "URL is missing"),
        ("{url: 'ftp://h'}", "URL scheme must be 'http' or 'https'"),
        ("{url: '//h'}", "URL scheme must be 'http' or 'https'"),
        ("{url: h}", "URL scheme must be 'http' or 'https'"),
        ("{url: 'http:opaque'}", "host is missing in URL"),
        ("{url: 'http:///path'}", "host is missing in URL"),
        ("{url: ':'}", "parse \":\": missing protocol scheme"),
        (
            "{url: 'http://h/%zz'}",
            "parse \"http://h/%zz\": invalid URL escape \"%zz\"",
        ),
        (
            "{url: 'http://h', refresh_interval: ''}",
            "empty duration string",
        ),
        ("{url: 'http://h', urls: []}", "unknown key `urls`"),
        (
            "{url: 'http://h', basic_auth: {}, oauth2: {}}",
            "at most one of basic_auth, oauth2 & authorization must be configured",
        ),
        // The URL is checked before the client's settings.
        ("{basic_auth: {}, oauth2: {}}", "URL is missing"),
        (
            "{url: 'http://h', body_size_limit: 0}",
            "body_size_limit must be greater than zero",
        ),
        (
            "{url: 'http://h', body_size_limit: 5XB}",
            "units: unknown unit XB in 5XB",
        ),
        ("null", "empty or null section in http_sd_configs"),
    ] {
        let error = load(text)
            .err()
            .unwrap_or_else(|| panic!("{text} is accepted"));
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn secrets_are_shown_nowhere_and_belong_to_the_identity() {
    let text = |secret: &str| {
        format!(
            "{{url: 'https://u:{secret}@h/sd', proxy_url: 'http://u:{secret}@p', \
             proxy_connect_header: {{A: [{secret}]}}, \
             http_headers: {{B: {{secrets: [{secret}]}}}}, \
             tls_config: {{cert: c, key: {secret}}}, \
             oauth2: {{client_id: i, client_secret: {secret}, \
             endpoint_params: {{password: {secret}}}, \
             token_url: 'https://u:{secret}@t', proxy_url: 'http://u:{secret}@p', \
             tls_config: {{cert: c, key: {secret}}}}}}}"
        )
    };
    let section_with = section(&text("hunter2"));
    let shown = section_with.shown().to_string();
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("<secret>"), "{shown}");
    assert_eq!(section_with.identity, section(&text("hunter2")).identity);
    assert_ne!(section_with.identity, section(&text("hunter3")).identity);
    // Each secret by itself.
    for part in [
        "url: 'http://u:SECRET@h'",
        "url: http://h, proxy_url: 'http://u:SECRET@p'",
        "url: http://h, bearer_token: SECRET",
        "url: http://h, oauth2: {client_id: i, token_url: t, client_secret: SECRET}",
    ] {
        let one = section(&format!("{{{}}}", part.replace("SECRET", "a")));
        let other = section(&format!("{{{}}}", part.replace("SECRET", "b")));
        assert_ne!(one.identity, other.identity, "{part}");
        assert_eq!(one.shown(), other.shown(), "{part}");
    }
}

#[test]
fn only_what_is_set_is_shown() {
    let shown = section("{url: 'http://h', tls_config: {ca_file: ca}}").shown();
    let expected = serde_json::json!({
        "url": "http://h",
        "refresh_interval": "1m",
        "body_size_limit": 67_108_864,
        "http": {
            "tls": {"ca_file": "conf/ca"},
            "follow_redirects": true,
            "enable_http2": true,
        },
    });
    assert_eq!(shown, expected);
}

#[test]
fn debug_output_shows_no_secret() {
    let text =
        "{url: 'http://u:hunter2@h', bearer_token: hunter2, proxy_url: 'http://u:hunter2@p'}";
    let shown = format!("{:?}", section(text));
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn an_error_does_not_repeat_a_password() {
    for text in [
        "{url: 'http://u:hunter2@h/%zz'}",
        "{url: 'http://u:hunter2/x@h:1'}",
        "{url: 'http://h', proxy_url: 'http://u:hunter2@h:x'}",
    ] {
        let error = load(text).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
        assert!(error.contains("parse \"http://<secret>@h"), "{error}");
    }
}
