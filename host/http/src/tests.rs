//! Whole exchanges with small servers on loopback.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use http::Method;
use periplus_config::{Authorization, HttpClientConfig, Secret};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::*;

/// A server that answers each connection with what the request's path names, and remembers the
/// requests.
struct Server {
    origin: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(answers: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let answers = Arc::new(answers);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (log, answers) = (Arc::clone(&log), Arc::clone(&answers));
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    let mut buffer = [0; 4096];
                    while !request.windows(4).any(|w| w == b"\r\n\r\n") {
                        match stream.read(&mut buffer).await {
                            Ok(0) | Err(_) => return,
                            Ok(n) => request.extend_from_slice(&buffer[..n]),
                        }
                    }
                    let text = String::from_utf8_lossy(&request).into_owned();
                    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
                    log.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(text);
                    let _ = stream.write_all(&answers(&path)).await;
                });
            }
        });
        Self { origin, seen }
    }

    fn requests(&self) -> Vec<String> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn redirect(to: &str) -> Vec<u8> {
    answer(&format!("302 Found\r\nlocation: {to}"), b"")
}

fn options(origins: &[&str]) -> EgressOptions {
    let rules = origins
        .iter()
        .map(|o| OriginRule::read_only(OriginPattern::parse(o).unwrap()))
        .collect();
    EgressOptions::new(OriginPolicy::new(rules))
}

fn get(url: String) -> EgressRequest {
    EgressRequest {
        method: "GET".into(),
        url,
        ..EgressRequest::default()
    }
}

/// A resolver that knows the names it was told.
struct Told(HashMap<&'static str, Vec<IpAddr>>);

impl NameResolver for Told {
    fn lookup(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let found = self.0.get(name.as_str()).cloned();
        Box::pin(async move { found.ok_or_else(|| io::Error::other("no such name")) })
    }
}

#[tokio::test]
async fn a_granted_request_is_answered() {
    let server = Server::start(|_| answer("200 OK\r\nX-Site: ams1", b"[1]")).await;
    let client = EgressClient::new(options(&[&server.origin]));
    let response = client
        .send(get(format!("{}/x?y=1", server.origin)))
        .await
        .unwrap();
    assert_eq!(
        (response.status, response.body.as_slice()),
        (200, b"[1]".as_slice())
    );
    assert!(
        response
            .headers
            .contains(&("x-site".to_owned(), "ams1".to_owned()))
    );
    assert!(server.requests()[0].starts_with("GET /x?y=1 HTTP/1.1\r\n"));
}

#[tokio::test]
async fn an_origin_that_is_not_granted_is_never_contacted() {
    let server = Server::start(|_| answer("200 OK", b"")).await;
    let client = EgressClient::new(options(&["http://127.0.0.1:1"]));
    let error = client
        .send(get(format!("{}/", server.origin)))
        .await
        .unwrap_err();
    assert_eq!(error.kind, FailureKind::Denied);
    assert!(error.message.contains(&server.origin), "{error}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_method_that_is_not_granted_is_refused() {
    let server = Server::start(|_| answer("200 OK", b"")).await;
    let client = EgressClient::new(options(&[&server.origin]));
    let request = EgressRequest {
        method: "DELETE".into(),
        ..get(server.origin.clone())
    };
    assert_eq!(
        client.send(request).await.unwrap_err().kind,
        FailureKind::Denied
    );
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_redirect_to_an_ungranted_origin_is_refused() {
    let secret = Server::start(|_| answer("200 OK", b"internal")).await;
    let target = secret.origin.clone();
    let server = Server::start(move |_| redirect(&target)).await;
    let client = EgressClient::new(options(&[&server.origin]));
    let error = client.send(get(server.origin.clone())).await.unwrap_err();
    assert_eq!(error.kind, FailureKind::Denied);
    assert!(error.message.starts_with("redirected: "), "{error}");
    assert!(secret.requests().is_empty());
}

#[tokio::test]
async fn credentials_do_not_follow_to_another_granted_origin() {
    let other = Server::start(|_| answer("200 OK", b"moved")).await;
    let target = other.origin.clone();
    let server = Server::start(move |path| match path {
        "/" => redirect("/same"),
        _ => redirect(&target),
    })
    .await;
    let authorization = Authorization {
        kind: "Bearer".into(),
        credentials: Secret::new("s3cret"),
        credentials_file: None,
    };
    let config = HttpClientConfig {
        authorization: Some(authorization),
        ..Default::default()
    };
    let client = EgressClient::new(EgressOptions {
        settings: ClientSettings::new(config).unwrap(),
        ..options(&[&server.origin, &other.origin])
    });
    let request = EgressRequest {
        headers: vec![
            ("x-token".into(), "t".into()),
            ("accept".into(), "a/b".into()),
        ],
        ..get(format!("{}/", server.origin))
    };
    assert_eq!(client.send(request).await.unwrap().body, b"moved");
    for request in server.requests() {
        assert!(
            request.contains("authorization: Bearer s3cret"),
            "{request}"
        );
        assert!(request.contains("x-token: t"), "{request}");
    }
    let last = &other.requests()[0];
    assert!(
        !last.contains("s3cret") && !last.contains("x-token"),
        "{last}"
    );
    assert!(last.contains("accept: a/b"), "{last}");
}

#[tokio::test]
async fn a_name_that_resolves_to_a_metadata_address_is_refused() {
    let told = Told(HashMap::from([
        ("meta.example.com", vec!["169.254.169.254".parse().unwrap()]),
        ("here.example.com", vec!["127.0.0.1".parse().unwrap()]),
    ]));
    let client = EgressClient::new(EgressOptions {
        resolver: Arc::new(told),
        ..options(&["http://*.example.com", "http://here.example.com"])
    });
    for name in ["meta", "here"] {
        let error = client
            .send(get(format!("http://{name}.example.com/")))
            .await
            .unwrap_err();
        assert_eq!(error.kind, FailureKind::Denied, "{error}");
        assert!(error.message.contains("is refused"), "{error}");
    }
}

#[tokio::test]
async fn a_connection_goes_to_the_address_that_was_resolved_and_checked() {
    let server = Server::start(|_| answer("200 OK", b"here")).await;
    let port = server.origin.rsplit(':').next().unwrap().to_owned();
    let told = Told(HashMap::from([(
        "localhost",
        vec!["127.0.0.1".parse().unwrap()],
    )]));
    let origin = format!("http://localhost:{port}");
    let client = EgressClient::new(EgressOptions {
        resolver: Arc::new(told),
        ..options(&[&origin])
    });
    assert_eq!(client.send(get(origin)).await.unwrap().body, b"here");
}

#[tokio::test]
async fn link_local_literals_are_refused_though_granted() {
    let client = EgressClient::new(options(&["http://169.254.169.254"]));
    for url in [
        "http://169.254.169.254/latest",
        "http://0xa9fea9fe/",
        "http://2852039166/",
    ] {
        let error = client.send(get(url.to_owned())).await.unwrap_err();
        assert_eq!(error.kind, FailureKind::Denied, "{url}: {error}");
        assert!(error.message.contains("link-local"), "{error}");
    }
}

#[tokio::test]
async fn gzip_is_undone_and_bounded() {
    let packed = |size: usize| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&vec![b'a'; size]).unwrap();
        answer(
            "200 OK\r\ncontent-encoding: gzip",
            &encoder.finish().unwrap(),
        )
    };
    let server = Server::start(move |path| match path {
        "/small" => packed(1000),
        _ => packed(1 << 20),
    })
    .await;
    let mut options = options(&[&server.origin]);
    options.limits.max_body = 64 << 10;
    let client = EgressClient::new(options);
    let small = client
        .send(get(format!("{}/small", server.origin)))
        .await
        .unwrap();
    assert_eq!(small.body, vec![b'a'; 1000]);
    assert!(
        !small
            .headers
            .iter()
            .any(|(name, _)| name == "content-encoding")
    );
    let error = client
        .send(get(format!("{}/bomb", server.origin)))
        .await
        .unwrap_err();
    assert_eq!(error.kind, FailureKind::TooLarge);
}

#[tokio::test]
async fn a_body_past_the_limit_is_refused_without_its_length_being_told() {
    let server = Server::start(|_| {
        let mut bytes = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
        bytes.extend(std::iter::repeat_n(b'x', 200_000));
        bytes
    })
    .await;
    let mut options = options(&[&server.origin]);
    options.limits.max_body = 100_000;
    let client = EgressClient::new(options);
    let error = client.send(get(server.origin.clone())).await.unwrap_err();
    assert_eq!(error.kind, FailureKind::TooLarge);
}

#[tokio::test]
async fn the_length_that_an_answer_to_head_tells_does_not_come() {
    let server =
        Server::start(|_| b"HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n".to_vec()).await;
    let mut options = options(&[&server.origin]);
    options.limits.max_body = 100_000;
    let request = EgressRequest {
        method: "HEAD".into(),
        ..get(server.origin.clone())
    };
    let answer = EgressClient::new(options).send(request).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, 0));
}

#[tokio::test]
async fn an_answer_that_never_ends_runs_into_the_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let client = EgressClient::new(options(&[&origin]));
    let request = EgressRequest {
        timeout: Some(Duration::from_millis(20)),
        ..get(origin)
    };
    assert_eq!(
        client.send(request).await.unwrap_err().kind,
        FailureKind::Timeout
    );
}

#[tokio::test]
async fn redirects_in_a_circle_end() {
    let server = Server::start(|_| redirect("/")).await;
    let client = EgressClient::new(options(&[&server.origin]));
    let error = client.send(get(server.origin.clone())).await.unwrap_err();
    assert!(error.message.contains("redirects"), "{error}");
    assert_eq!(server.requests().len(), 11);
}

#[tokio::test]
async fn a_refused_connection_says_so_without_the_query() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = EgressClient::new(options(&[&origin]));
    let error = client
        .send(get(format!("{origin}/?token=abc")))
        .await
        .unwrap_err();
    assert_eq!(error.kind, FailureKind::Other);
    assert!(
        error.message.contains("refused") && !error.message.contains("abc"),
        "{error}"
    );
}

#[test]
fn methods_are_compared_as_written() {
    let policy = OriginPolicy::new(vec![OriginRule::read_only(
        OriginPattern::parse("http://a.example").unwrap(),
    )]);
    let url = url::Url::parse("http://a.example/").unwrap();
    assert!(policy.check(&Method::GET, &url).is_ok());
    assert!(
        policy
            .check(&Method::from_bytes(b"get").unwrap(), &url)
            .is_err()
    );
}

#[tokio::test]
async fn a_request_with_secrets_is_not_led_to_another_origin() {
    let target = Server::start(|_| answer("200 OK", b"[]")).await;
    let to = format!("{}/x", target.origin);
    let server = Server::start(move |path| match path {
        "/" => redirect("/same"),
        _ => redirect(&to),
    })
    .await;
    let client = EgressClient::new(options(&[&server.origin, &target.origin]));
    let request = EgressRequest {
        headers: vec![("x-token".into(), "t".into())],
        is_bound: true,
        ..get(format!("{}/", server.origin))
    };
    let error = client.send(request.clone()).await.unwrap_err();
    assert_eq!(error.kind, FailureKind::Denied);
    assert!(error.message.contains(&target.origin), "{error}");
    assert_eq!(
        server.requests().len(),
        2,
        "within the origin it is followed"
    );
    assert!(target.requests().is_empty());
    // Without secrets both are granted.
    let request = EgressRequest {
        is_bound: false,
        ..request
    };
    assert_eq!(client.send(request).await.unwrap().status, 200);
}
