//! TLS, HTTP/2, certificates and tokens that change, and connections that end badly.

use std::time::Duration;

use http::{StatusCode, Version};
use periplus_kube_api::{KubeApi, Login, Options};
use tokio::net::TcpStream;

use crate::client::{Http, PATIENCE, Watch, pod, server};
use crate::secure::{Sender, connect};

const BOTH: &[&str] = &["h2", "http/1.1"];

async fn secure(options: Options) -> (KubeApi, String) {
    let options = Options {
        tls: true,
        ..options
    };
    let api = KubeApi::start(options).await.unwrap();
    let authority = api.authority_pem().unwrap();
    (api, authority)
}

#[tokio::test]
async fn tls_offers_http_2_and_the_log_tells_which_was_spoken() {
    let (api, authority) = secure(Options::default()).await;
    assert!(api.url().starts_with("https://"));
    assert!(api.kubeconfig().contains("certificate-authority-data"));
    let mut two = connect(&api, &authority, None, BOTH).await.unwrap();
    let mut one = connect(&api, &authority, None, &["http/1.1"])
        .await
        .unwrap();
    assert_eq!(
        two.list(&api, None).await,
        (StatusCode::OK, Version::HTTP_2)
    );
    two.list(&api, None).await;
    assert_eq!(one.list(&api, None).await.1, Version::HTTP_11);
    let seen: Vec<_> = api
        .requests()
        .iter()
        .map(|r| (r.version, r.connection))
        .collect();
    let (first, second) = (seen[0].1, seen[2].1);
    assert_eq!(
        seen,
        [
            (Version::HTTP_2, first),
            (Version::HTTP_2, first),
            (Version::HTTP_11, second)
        ]
    );
    assert_ne!(first, second);
    assert_eq!(api.open_connections(), 2);
}

#[tokio::test]
async fn a_server_may_know_no_http_2() {
    let options = Options {
        http2: false,
        ..Options::default()
    };
    let (api, authority) = secure(options).await;
    let mut client = connect(&api, &authority, None, BOTH).await.unwrap();
    assert_eq!(client.list(&api, None).await.1, Version::HTTP_11);
}

#[tokio::test]
async fn http_2_is_understood_without_tls_and_carries_many_watches() {
    let (api, _http) = server().await;
    let stream = TcpStream::connect(api.address()).await.unwrap();
    let mut client = Sender::over(stream, true).await;
    let mut watches = Vec::new();
    for _ in 0..20 {
        let response = client.send(&api, "/api/v1/pods?watch=1", None).await;
        watches.push(Watch::new(response.unwrap()));
    }
    api.apply(pod("x", "a", "web"));
    for watch in &mut watches {
        watch.expect("ADDED", "a").await;
    }
    let requests = api.requests();
    assert!(
        requests
            .iter()
            .all(|r| r.connection == requests[0].connection)
    );
}

#[tokio::test]
async fn streams_beyond_the_limit_wait() {
    let options = Options {
        max_concurrent_streams: 1,
        ..Options::default()
    };
    let api = KubeApi::start(options).await.unwrap();
    let stream = TcpStream::connect(api.address()).await.unwrap();
    let mut client = Sender::over(stream, true).await;
    // The first answer proves that the server's settings have arrived.
    client.list(&api, None).await;
    let watch = client
        .send(&api, "/api/v1/pods?watch=1", None)
        .await
        .unwrap();
    let mut second = std::pin::pin!(client.list(&api, None));
    let waited = tokio::time::timeout(Duration::from_millis(50), second.as_mut()).await;
    assert!(waited.is_err());
    drop(watch);
    assert_eq!(second.await.0, StatusCode::OK);
}

#[tokio::test]
async fn rotated_certificates_are_seen_by_new_connections_alone() {
    let (api, old) = secure(Options::default()).await;
    let mut before = connect(&api, &old, None, BOTH).await.unwrap();
    before.list(&api, None).await;
    api.rotate_certificates().unwrap();
    assert_eq!(before.list(&api, None).await.0, StatusCode::OK);
    assert!(connect(&api, &old, None, BOTH).await.is_err());
    let new = api.authority_pem().unwrap();
    let mut after = connect(&api, &new, None, BOTH).await.unwrap();
    assert_eq!(after.list(&api, None).await.0, StatusCode::OK);
}

#[tokio::test]
async fn client_certificates_let_in_until_the_authority_changes() {
    let options = Options {
        token: Some("nobody knows".into()),
        ..Options::default()
    };
    let (api, authority) = secure(options).await;
    let identity = api.client_certificate("periplus").unwrap();
    let config = api.kubeconfig_with(&Login::Certificate("periplus".into()));
    assert!(config.contains("client-certificate-data") && config.contains("client-key-data"));
    let mut without = connect(&api, &authority, None, BOTH).await.unwrap();
    assert_eq!(without.list(&api, None).await.0, StatusCode::UNAUTHORIZED);
    let mut with = connect(&api, &authority, Some(&identity), BOTH)
        .await
        .unwrap();
    assert_eq!(with.list(&api, None).await.0, StatusCode::OK);
    assert!(api.requests().last().unwrap().client_certificate);

    api.rotate_certificates().unwrap();
    assert_eq!(with.list(&api, None).await.0, StatusCode::UNAUTHORIZED);
    let authority = api.authority_pem().unwrap();
    let mut old = connect(&api, &authority, Some(&identity), BOTH)
        .await
        .unwrap();
    assert_eq!(old.list(&api, None).await.0, StatusCode::UNAUTHORIZED);
    let renewed = api.client_certificate("periplus").unwrap();
    let mut new = connect(&api, &authority, Some(&renewed), BOTH)
        .await
        .unwrap();
    assert_eq!(new.list(&api, None).await.0, StatusCode::OK);
}

#[tokio::test]
async fn tokens_can_be_exchanged_while_running() {
    let (api, authority) = secure(Options::default()).await;
    let mut client = connect(&api, &authority, None, BOTH).await.unwrap();
    assert_eq!(client.list(&api, None).await.0, StatusCode::OK);
    api.set_tokens(&["one", "two"]);
    assert!(api.kubeconfig().contains("token: \"one\""));
    for (token, code) in [
        (None, 401),
        (Some("one"), 200),
        (Some("two"), 200),
        (Some("three"), 401),
    ] {
        assert_eq!(client.list(&api, token).await.0.as_u16(), code, "{token:?}");
    }
    api.set_tokens(&["three"]);
    assert_eq!(client.list(&api, Some("one")).await.0.as_u16(), 401);
    assert_eq!(client.list(&api, Some("three")).await.0.as_u16(), 200);
}

#[tokio::test]
async fn half_open_connections_keep_silent_on_all_their_streams() {
    for tls in [false, true] {
        let options = Options {
            tls,
            ..Options::default()
        };
        let api = KubeApi::start(options).await.unwrap();
        let mut client = match api.authority_pem() {
            Some(authority) => connect(&api, &authority, None, BOTH).await.unwrap(),
            None => {
                let stream = TcpStream::connect(api.address()).await.unwrap();
                Sender::over(stream, true).await
            }
        };
        let open = client.send(&api, "/api/v1/pods?watch=1", None).await;
        let mut watch = Watch::new(open.unwrap());
        api.apply(pod("x", "a", "web"));
        watch.expect("ADDED", "a").await;
        assert_eq!(api.freeze_connections(), 1);
        api.apply(pod("x", "b", "web"));
        let waiting = async {
            tokio::select! {
                line = watch.line() => format!("{line:?}"),
                answer = client.list(&api, None) => format!("{answer:?}"),
            }
        };
        let heard = tokio::time::timeout(Duration::from_millis(50), waiting).await;
        assert!(heard.is_err(), "{heard:?}");
        // It is counted neither as a connection nor as a watch, and new ones are as ever.
        tokio::time::timeout(PATIENCE, async {
            while api.open_connections() > 0 || api.open_watches("pods") > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
        if !tls {
            let fresh = Http::new(&api);
            assert_eq!(fresh.get("/api/v1/pods").await.0, StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn connections_can_be_cut_and_drained() {
    let (api, http) = server().await;
    let mut watch = http.watch("/api/v1/pods?watch=1").await;
    assert_eq!(api.cut_connections(), 1);
    assert!(watch.line().await.is_err());

    let stream = TcpStream::connect(api.address()).await.unwrap();
    let mut client = Sender::over(stream, true).await;
    let open = client.send(&api, "/api/v1/pods?watch=1", None).await;
    let mut watch = Watch::new(open.unwrap());
    assert!(api.drain_connections() >= 1);
    // What is under way goes on; nothing new is taken once the client has been told.
    api.apply(pod("x", "a", "web"));
    watch.expect("ADDED", "a").await;
    let refused = tokio::time::timeout(PATIENCE, async {
        while client.send(&api, "/api/v1/pods", None).await.is_ok() {}
    });
    refused.await.unwrap();
    api.apply(pod("x", "b", "web"));
    watch.expect("ADDED", "b").await;
}
