//! `oauth2`: tokens are fetched as each server wants it, kept, and fetched again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http::Response;
use periplus_config::{HttpClientConfig, OAuth2, Secret, SecretUrl, TlsConfig};
use periplus_http::ClientSettings;
use rustls::ALL_VERSIONS;

use super::certificates::{Authority, config};
use super::server::{Seen, Server, answer};
use super::{client, get, once, parameters};

const JSON: &str = "application/json";

fn oauth2(tokens: &str) -> OAuth2 {
    OAuth2 {
        client_id: "peri plus".to_owned(),
        client_secret: Secret::new("hunter2"),
        token_url: SecretUrl::new(tokens),
        ..OAuth2::default()
    }
}

fn with(oauth2: OAuth2) -> HttpClientConfig {
    HttpClientConfig {
        oauth2: Some(oauth2),
        ..HttpClientConfig::default()
    }
}

/// A token server that numbers its tokens, each good for `expires_in`.
async fn issuer(expires_in: &'static str) -> Server {
    let issued = AtomicUsize::new(0);
    Server::start(None, move |_| {
        let number = issued.fetch_add(1, Ordering::SeqCst);
        let body = format!(r#"{{"access_token": "t{number}"{expires_in}}}"#);
        answer(200, JSON, &body)
    })
    .await
}

fn issuer_url(server: &Server) -> String {
    format!("http://127.0.0.1:{}/token", server.port)
}

#[tokio::test]
async fn a_token_is_fetched_once_and_sent_with_every_request() {
    let issuer = issuer(r#", "token_type": "bearer", "expires_in": 3600"#).await;
    let server = Server::plain().await;
    let url = server.url("h");
    let settings = OAuth2 {
        scopes: vec!["a".to_owned(), "b".to_owned()],
        endpoint_params: BTreeMap::from([("audience".to_owned(), "x&y".to_owned())]),
        ..oauth2(&issuer_url(&issuer))
    };
    let client = client(with(settings), &url);
    for _ in 0..3 {
        get(&client, &url).await.unwrap();
        assert_eq!(server.last().header("authorization"), Some("Bearer t0"));
    }
    let asked = issuer.seen();
    assert_eq!(asked.len(), 1);
    let asked = &asked[0];
    assert_eq!(asked.line, "POST /token HTTP/1.1");
    let form = "application/x-www-form-urlencoded";
    assert_eq!(asked.header("content-type"), Some(form));
    // Id and secret are encoded as in a form before they are encoded once more.
    assert_eq!(
        asked.header("authorization"),
        Some("Basic cGVyaStwbHVzOmh1bnRlcjI=")
    );
    let parameters = parameters(&asked.body);
    let expected = [
        ("grant_type", "client_credentials"),
        ("scope", "a b"),
        ("audience", "x&y"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(parameters, expected.into());
}

#[tokio::test]
async fn a_token_that_expires_is_fetched_again() {
    // As good as expired: ten seconds early.
    for expires_in in [r#", "expires_in": 10"#, r#", "expires_in": "9""#] {
        let issuer = issuer(expires_in).await;
        let server = Server::plain().await;
        let url = server.url("h");
        let client = client(with(oauth2(&issuer_url(&issuer))), &url);
        for expected in ["Bearer t0", "Bearer t1"] {
            get(&client, &url).await.unwrap();
            assert_eq!(server.last().header("authorization"), Some(expected));
        }
    }
    // Nothing said: for ever.
    let issuer = issuer(r#", "expires_in": 0"#).await;
    let server = Server::plain().await;
    let url = server.url("h");
    let client = client(with(oauth2(&issuer_url(&issuer))), &url);
    for _ in 0..2 {
        get(&client, &url).await.unwrap();
    }
    assert_eq!(issuer.seen().len(), 1);
}

#[tokio::test]
async fn a_secret_in_a_file_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let issuer = issuer("").await;
    let server = Server::plain().await;
    let url = server.url("h");
    let settings = OAuth2 {
        client_secret: Secret::default(),
        client_secret_file: Some(path.clone()),
        ..oauth2(&issuer_url(&issuer))
    };
    let client = client(with(settings), &url);
    let error = get(&client, &url).await.unwrap_err().message;
    assert!(error.contains("oauth2.client_secret_file"), "{error}");
    for (secret, expected) in [("a", "Bearer t0"), ("a", "Bearer t0"), ("b", "Bearer t1")] {
        std::fs::write(&path, format!("{secret}\n")).unwrap();
        get(&client, &url).await.unwrap();
        assert_eq!(server.last().header("authorization"), Some(expected));
    }
}

#[tokio::test]
async fn a_server_that_wants_parameters_gets_them_and_is_remembered() {
    let issuer = Server::start(None, |seen: &Seen| {
        if seen.header("authorization").is_some() {
            return answer(401, JSON, r#"{"error": "invalid_client"}"#);
        }
        let body = "access_token=t&token_type=MAC&expires_in=10";
        answer(
            200,
            "application/x-www-form-urlencoded; charset=utf-8",
            body,
        )
    })
    .await;
    let server = Server::plain().await;
    let url = server.url("h");
    let client = client(with(oauth2(&issuer_url(&issuer))), &url);
    get(&client, &url).await.unwrap();
    assert_eq!(server.last().header("authorization"), Some("MAC t"));
    let parameters = parameters(&issuer.last().body);
    assert_eq!(parameters["client_id"], "peri plus");
    assert_eq!(parameters["client_secret"], "hunter2");
    assert_eq!(issuer.seen().len(), 2);
    get(&client, &url).await.unwrap();
    assert_eq!(issuer.seen().len(), 3);
}

#[tokio::test]
async fn a_token_that_was_withdrawn_is_replaced_at_once() {
    let issuer = issuer("").await;
    let withdrawn = Arc::new(AtomicBool::new(false));
    let is_withdrawn = Arc::clone(&withdrawn);
    let server = Server::start(None, move |seen: &Seen| {
        let is_first = seen.header("authorization") == Some("Bearer t0");
        if is_first && is_withdrawn.load(Ordering::SeqCst) {
            return answer(401, JSON, "{}");
        }
        Response::default()
    })
    .await;
    let url = server.url("h");
    let client = client(with(oauth2(&issuer_url(&issuer))), &url);
    assert_eq!(get(&client, &url).await.unwrap().status, 200);
    withdrawn.store(true, Ordering::SeqCst);
    assert_eq!(get(&client, &url).await.unwrap().status, 200);
    assert_eq!(server.last().header("authorization"), Some("Bearer t1"));
    // A server that refuses every token is asked twice, not for ever.
    let never = Server::start(None, |_| answer(401, JSON, "{}")).await;
    let url = never.url("h");
    let config = with(oauth2(&issuer_url(&issuer)));
    assert_eq!(once(config, &url).await, Ok(401));
    assert_eq!(never.seen().len(), 2);
}

#[tokio::test]
async fn what_is_no_token_is_named_and_nothing_of_it_repeated() {
    let server = Server::plain().await;
    for (status, kind, body, reason) in [
        (
            401,
            JSON,
            r#"{"error": "invalid_client", "error_description": "hunter2 is wrong"}"#,
            "401 Unauthorized (`invalid_client`)",
        ),
        (
            400,
            JSON,
            r#"{"error": "hunter2 is wrong"}"#,
            "400 Bad Request",
        ),
        (500, "text/html", "hunter2", "500 Internal Server Error"),
        (302, JSON, "{}", "302 Found"),
        (200, JSON, "hunter2", "neither JSON nor a form"),
        (
            200,
            JSON,
            r#"{"error": "slow_down"}"#,
            "200 OK (`slow_down`)",
        ),
        (200, JSON, r#"{"access_token": ""}"#, "missing access_token"),
        (
            200,
            JSON,
            r#"{"access_token": 7}"#,
            "neither JSON nor a form",
        ),
        (200, "text/plain", "hunter2", "missing access_token"),
        (
            200,
            JSON,
            r#"{"access_token": "a\nb"}"#,
            "bytes that no header may have",
        ),
    ] {
        let issuer = Server::start(None, move |_| answer(status, kind, body)).await;
        let url = format!("{}?key=hunter2", issuer_url(&issuer));
        let error = once(with(oauth2(&url)), &server.url("h"))
            .await
            .unwrap_err();
        assert!(error.contains(reason), "{body}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
        if reason != "bytes that no header may have" {
            assert!(
                error.contains(&format!("`{}`", issuer_url(&issuer))),
                "{error}"
            );
        }
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn the_token_server_has_tls_settings_of_its_own() {
    let authority = Authority::new();
    let pair = authority.server(&["idp.example.com"]);
    let issuer = Server::start(Some(config(&pair, None, ALL_VERSIONS)), |_| {
        answer(200, JSON, r#"{"access_token": "t"}"#)
    })
    .await;
    let server = Server::plain().await;
    let url = format!("https://127.0.0.1:{}/token", issuer.port);
    let tls = TlsConfig {
        ca: authority.pem(),
        server_name: "idp.example.com".to_owned(),
        ..TlsConfig::default()
    };
    let trusting = OAuth2 {
        tls,
        ..oauth2(&url)
    };
    assert_eq!(once(with(trusting), &server.url("h")).await, Ok(200));
    assert_eq!(server.last().header("authorization"), Some("Bearer t"));
    let error = once(with(oauth2(&url)), &server.url("h"))
        .await
        .unwrap_err();
    assert!(error.contains("failed to fetch an OAuth2 token"), "{error}");
}

#[tokio::test]
async fn a_token_does_not_follow_to_another_host() {
    let issuer = issuer("").await;
    let last = Server::plain().await;
    let to = format!("http://localhost:{}/", last.port);
    let first = Server::start(None, move |_| {
        let mut answer = answer(302, JSON, "");
        let to = to.parse().unwrap();
        answer.headers_mut().insert(http::header::LOCATION, to);
        answer
    })
    .await;
    let url = first.url("127.0.0.1");
    assert_eq!(
        once(with(oauth2(&issuer_url(&issuer))), &url).await,
        Ok(200)
    );
    assert_eq!(first.last().header("authorization"), Some("Bearer t0"));
    assert_eq!(last.last().header("authorization"), None);
}

#[tokio::test]
async fn parameters_of_the_settings_may_rename_the_grant_and_nothing_else() {
    let issuer = issuer("").await;
    let server = Server::plain().await;
    let with_parameter = |name: &str| OAuth2 {
        scopes: vec!["a".to_owned()],
        endpoint_params: BTreeMap::from([(name.to_owned(), "mine".to_owned())]),
        ..oauth2(&issuer_url(&issuer))
    };
    let config = with(with_parameter("grant_type"));
    assert_eq!(once(config, &server.url("h")).await, Ok(200));
    assert_eq!(parameters(&issuer.last().body)["grant_type"], "mine");
    let config = with(with_parameter("scope"));
    let error = once(config, &server.url("h")).await.unwrap_err();
    assert!(
        error.contains("oauth2: cannot overwrite parameter \"scope\""),
        "{error}"
    );
}

#[tokio::test]
async fn a_signed_assertion_is_sent_for_the_grant_jwt_bearer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let issuer = issuer("").await;
    let settings = OAuth2 {
        grant_type: grant.to_owned(),
        client_certificate_key_file: Some(path.clone()),
        ..oauth2(&issuer_url(&issuer))
    };
    let server = Server::plain().await;
    let url = server.url("h");
    let client = client(with(settings), &url);
    let error = get(&client, &url).await.unwrap_err().message;
    assert!(
        error.contains("oauth2.client_certificate_key_file"),
        "{error}"
    );
    let key = include_str!("../../src/oauth2/assertion/test-key.pem");
    std::fs::write(&path, key).unwrap();
    get(&client, &url).await.unwrap();
    assert_eq!(server.last().header("authorization"), Some("Bearer t0"));
    let parameters = parameters(&issuer.last().body);
    assert_eq!(parameters["grant_type"], grant);
    assert_eq!(parameters["assertion"].split('.').count(), 3);
    assert_eq!(issuer.last().header("authorization"), None);
    assert!(!issuer.last().body.contains("hunter2"));
}

#[test]
fn token_urls_that_cannot_work_are_refused() {
    for (url, reason) in [
        ("idp", "it is not a URL"),
        ("ftp://idp", "it is no `http` or `https` URL"),
        ("https://u:hunter2@idp", "credentials in it are not used"),
    ] {
        let error = ClientSettings::new(with(oauth2(url))).err().unwrap();
        let error = error.to_string();
        assert!(error.contains(reason), "{url}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
