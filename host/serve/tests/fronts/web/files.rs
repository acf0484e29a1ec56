//! Files that are accepted or refused, after the tables of exporter-toolkit's own tests.

use super::{Lab, TLS, error};

const ALL_SUITES: &str = "[TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, \
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, \
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, \
    TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256]";

/// A file, and what its refusal says.
const BAD: &[(&str, &str)] = &[
    ("tls_server_config: [", "line"),
    ("tls_server_config: {cert_filse: a}", "cert_filse"),
    ("tls: {}", "tls"),
    (
        "tls_server_config: {cert_file: '', key_file: server.key}",
        "missing one of cert or cert_file",
    ),
    (
        "tls_server_config: {cert: '', key_file: server.key}",
        "missing one of cert or cert_file",
    ),
    (
        "tls_server_config: {cert_file: server.crt, key_file: ''}",
        "missing one of key or key_file",
    ),
    (
        "tls_server_config: {cert_file: server.crt, key: ''}",
        "missing one of key or key_file",
    ),
    (
        "tls_server_config: {cert_file: '', key_file: '', client_auth_type: x}",
        "missing one of cert or cert_file",
    ),
    (
        "tls_server_config: {cert_file: somefile, key_file: server.key}",
        "No such file or directory",
    ),
    (
        "tls_server_config: {cert_file: server.crt, key_file: somefile}",
        "key_file `",
    ),
    (
        "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: somefile}",
        "client_ca_file `",
    ),
    (
        "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: ca.pem}",
        "client CA's have been configured without a Client Auth Policy",
    ),
    (
        "tls_server_config: {cert_file: server.key, key_file: server.key}",
        "cert_file: it is not PEM with certificates",
    ),
    (
        "tls_server_config: {cert_file: server.crt, key_file: server.crt}",
        "failed to load X509KeyPair",
    ),
    (
        "tls_server_config: {cert_file: ca.pem, key_file: server.key}",
        "failed to load X509KeyPair",
    ),
    (
        "TLS, client_auth_type: RequireAndVerify}",
        "invalid ClientAuth: RequireAndVerify",
    ),
    (
        "TLS, client_auth_type: RequireAndVerifyClientCert}",
        "needs client_ca or client_ca_file",
    ),
    (
        "TLS, client_auth_type: VerifyClientCertIfGiven, client_ca_file: server.key}",
        "client_ca_file: it is not PEM",
    ),
    (
        "TLS, cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA2048]}",
        "unknown cipher: TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA2048",
    ),
    (
        "TLS, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]}",
        "cipher TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA is not supported",
    ),
    (
        "TLS, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]}",
        "TLSConfig.CipherSuites is missing an HTTP/2-required",
    ),
    (
        "TLS, curve_preferences: [CurveP257]}",
        "unknown curve: CurveP257",
    ),
    (
        "TLS, curve_preferences: [CurveP521]}",
        "curve CurveP521 is not supported",
    ),
    ("TLS, min_version: TLS111}", "unknown TLS version: TLS111"),
    (
        "TLS, max_version: TLS11, min_version: TLS10}",
        "max_version TLS11 is not supported",
    ),
    (
        "TLS, min_version: TLS13, max_version: TLS12}",
        "no supported versions satisfy MinVersion and MaxVersion",
    ),
    (
        "http_server_config: {headers: {Content-Type: foo}}",
        "HTTP header \"Content-Type\" can not be configured",
    ),
    (
        "http_server_config: {headers: {X-Content-Type-Options: sniff}}",
        "invalid value for X-Content-Type-Options. Expected one of: [\"nosniff\"], but got: \"sniff\"",
    ),
    (
        "http_server_config: {headers: {X-Frame-Options: foo}}",
        "Expected one of: [\"deny\" \"sameorigin\"]",
    ),
    (
        "http_server_config: {headers: {Content-Security-Policy: \"a\\nb\"}}",
        "invalid value for Content-Security-Policy",
    ),
    (
        "basic_auth_users: {john: doe}",
        "basic_auth_users.john: crypto/bcrypt: hashedSecret too short to be a bcrypted password",
    ),
    (
        "rate_limit: {interval: soon, burst: 1}",
        "rate_limit.interval",
    ),
    ("rate_limit: {interval: 1s}", "rate_limit.burst"),
];

#[tokio::test]
async fn bad_files_are_refused_with_a_reason() {
    for (text, expected) in BAD {
        let lab = Lab::new(&text.replace("TLS,", &format!("{TLS},")));
        let error = error(&lab.path("web.yml")).await;
        assert!(error.contains(*expected), "{text}\n{error}");
        assert!(
            error.contains(lab.folder.path().to_str().unwrap()),
            "{error}"
        );
        assert!(!error.contains("PRIVATE KEY"), "{error}");
    }
    let lab = Lab::new("");
    let error = error(&lab.path("none.yml")).await;
    assert!(
        error.contains("none.yml`: No such file or directory"),
        "{error}"
    );
}

#[tokio::test]
async fn good_files_are_accepted() {
    let only_aes_256 = "cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]";
    for text in [
        String::new(),
        "tls_server_config: {}".into(),
        "tls_server_config: {prefer_server_cipher_suites: true, min_version: TLS12}".into(),
        format!("{TLS}}}"),
        format!("{TLS}, cipher_suites: {ALL_SUITES}}}"),
        format!("{TLS}, curve_preferences: [CurveP384, CurveP256, X25519]}}"),
        format!("{TLS}, min_version: TLS10, prefer_server_cipher_suites: false}}"),
        format!(
            "{TLS}, max_version: TLS12, {only_aes_256}}}\nhttp_server_config: {{http2: false}}"
        ),
        format!("{TLS}, min_version: TLS13, {only_aes_256}}}"),
        "rate_limit: {interval: 0, burst: 0}\nhttp_server_config: {headers: {}}".into(),
        "rate_limit: {interval: 100ms, burst: 5}".into(),
        "http_server_config: {headers: {X-XSS-Protection: 0, X-Frame-Options: sameorigin}}".into(),
    ] {
        let lab = Lab::new(&text);
        let web = lab.load().await;
        assert_eq!(web.is_tls(), text.contains("cert_file"), "{text}");
        assert!(!web.authenticates(), "{text}");
    }
}

#[tokio::test]
async fn what_has_no_effect_is_noted() {
    for (text, notes) in [
        (format!("{TLS}}}"), vec![]),
        (
            format!("{TLS}, prefer_server_cipher_suites: true}}"),
            vec!["prefer_server_cipher_suites"],
        ),
        (
            format!("{TLS}, min_version: TLS11}}"),
            vec!["min_version TLS11"],
        ),
        (
            format!("{TLS}, client_allowed_sans: [a]}}"),
            vec!["client_allowed_sans"],
        ),
    ] {
        let found = Lab::new(&text).load().await.notes();
        assert_eq!(found.len(), notes.len(), "{found:?}");
        for (found, expected) in found.iter().zip(notes) {
            assert!(found.contains(expected), "{found}");
        }
    }
}

#[tokio::test]
async fn debug_output_shows_no_secret() {
    let hash = bcrypt::hash("secret", 4).unwrap();
    let web = Lab::new(&format!("{TLS}}}\nbasic_auth_users: {{alice: '{hash}'}}"));
    let web = web.load().await;
    assert!(web.authenticates());
    let shown = format!("{web:?}");
    assert!(
        !shown.contains(&hash) && !shown.contains("PRIVATE"),
        "{shown}"
    );
}
