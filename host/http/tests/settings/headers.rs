//! `basic_auth`, `authorization` and `http_headers`.

use std::collections::BTreeMap;

use http::Response;
use periplus_config::{Authorization, BasicAuth, HeaderValues, HttpClientConfig, Secret};
use periplus_http::ClientSettings;

use super::server::Server;
use super::{client, get, once};

#[tokio::test]
async fn files_with_credentials_are_read_for_each_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let server = Server::plain().await;
    let url = server.url("h");
    let basic = HttpClientConfig {
        basic_auth: Some(BasicAuth {
            username_file: Some(path("user")),
            password_file: Some(path("password")),
            ..BasicAuth::default()
        }),
        ..HttpClientConfig::default()
    };
    let bearer = HttpClientConfig {
        authorization: Some(Authorization {
            kind: "Token".to_owned(),
            credentials_file: Some(path("password")),
            ..Authorization::default()
        }),
        ..HttpClientConfig::default()
    };
    let (basic, bearer) = (client(basic, &url), client(bearer, &url));
    let error = get(&basic, &url).await.unwrap_err().message;
    assert!(
        error.contains("failed to read") && error.contains("basic_auth"),
        "{error}"
    );
    assert!(server.seen().is_empty());

    std::fs::write(path("user"), " u \n").unwrap();
    for (password, encoded) in [("p", "Basic dTpw"), ("q", "Basic dTpx")] {
        std::fs::write(path("password"), format!("{password}\n")).unwrap();
        get(&basic, &url).await.unwrap();
        assert_eq!(server.last().header("authorization"), Some(encoded));
        get(&bearer, &url).await.unwrap();
        let token = format!("Token {password}");
        assert_eq!(server.last().header("authorization"), Some(token.as_str()));
    }
}

#[tokio::test]
async fn headers_are_added_value_by_value() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("value");
    std::fs::write(&file, "from-file\n").unwrap();
    let values = HeaderValues {
        values: vec!["one".to_owned(), "two".to_owned()],
        secrets: vec![Secret::new("three")],
        files: vec![file],
    };
    let config = HttpClientConfig {
        http_headers: BTreeMap::from([("X-Team".to_owned(), values)]),
        ..HttpClientConfig::default()
    };
    let server = Server::plain().await;
    assert_eq!(once(config, &server.url("h")).await, Ok(200));
    let seen = server.last();
    let given: Vec<_> = seen.headers.get_all("x-team").iter().collect();
    assert_eq!(given, ["one", "two", "three", "from-file"]);
}

/// A server that redirects to what it is told.
async fn redirecting(to: String) -> Server {
    Server::start(None, move |_| {
        let mut answer = Response::new(String::new());
        *answer.status_mut() = http::StatusCode::FOUND;
        let to = to.parse().unwrap();
        answer.headers_mut().insert(http::header::LOCATION, to);
        answer
    })
    .await
}

#[tokio::test]
async fn redirects_take_secrets_to_the_same_host_and_once_away_never_back() {
    let values = HeaderValues {
        secrets: vec![Secret::new("s3cret")],
        ..HeaderValues::default()
    };
    let config = HttpClientConfig {
        authorization: Some(Authorization {
            kind: "Bearer".to_owned(),
            credentials: Secret::new("s3cret"),
            credentials_file: None,
        }),
        http_headers: BTreeMap::from([("X-Key".to_owned(), values)]),
        ..HttpClientConfig::default()
    };
    let last = Server::plain().await;
    let back = redirecting(last.url("127.0.0.1")).await;
    for (to, keeps) in [
        (last.url("127.0.0.1"), true),
        (last.url("localhost"), false),
        (back.url("localhost"), false),
    ] {
        let first = redirecting(to.clone()).await;
        let url = first.url("127.0.0.1");
        assert_eq!(once(config.clone(), &url).await, Ok(200));
        assert!(first.last().header("x-key").is_some());
        let seen = last.last();
        assert_eq!(seen.header("authorization").is_some(), keeps, "{to}");
        assert_eq!(seen.header("x-key").is_some(), keeps, "{to}");
    }
}

#[tokio::test]
async fn a_value_that_no_header_may_have_is_not_repeated() {
    for secret in ["hunter2\r\nX: y", "hunter2\0"] {
        let config = HttpClientConfig {
            authorization: Some(Authorization {
                credentials: Secret::new(secret),
                ..Authorization::default()
            }),
            ..HttpClientConfig::default()
        };
        let error = once(config, "http://127.0.0.1:1/").await.unwrap_err();
        assert!(error.contains("bytes that no header may have"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn headers_for_debugging_show_no_value() {
    let config = HttpClientConfig {
        authorization: Some(Authorization {
            credentials: Secret::new("hunter2"),
            ..Authorization::default()
        }),
        http_headers: BTreeMap::from([(
            "X-Key".to_owned(),
            HeaderValues {
                secrets: vec![Secret::new("hunter3")],
                ..HeaderValues::default()
            },
        )]),
        ..HttpClientConfig::default()
    };
    let headers = ClientSettings::new(config)
        .unwrap()
        .headers()
        .await
        .unwrap();
    let shown = format!("{headers:?}");
    assert!(!shown.contains("hunter"), "{shown}");
}
