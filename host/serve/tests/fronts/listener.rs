//! The listener: real connections on loopback.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use periplus_serve::{ServeLimits, serve_with};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{Host, group, job};

const PATIENCE: Duration = Duration::from_secs(20);

struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

async fn start(router: Router, limits: ServeLimits) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let task = tokio::spawn(serve_with(listener, router, stop.clone(), limits));
    Server {
        address,
        stop,
        task,
    }
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn ended(self) {
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .expect("the listener never ended")
            .unwrap();
    }
}

/// All that comes until the other side closes.
async fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    let _ = read.expect("the connection was never closed");
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn send(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn list_is_served_over_http1() {
    let host = Host::start();
    host.serve(job("a/b", &[]), &[group("a", &[("10.0.0.1:80", "east")])])
        .await;
    let server = start(host.router.clone(), ServeLimits::default()).await;
    let mut stream = server.connect().await;
    send(
        &mut stream,
        "GET /sd/a%2Fb HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    )
    .await;
    let answer = read_all(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.contains(&format!("content-length: {}", body.len())),
        "{answer}"
    );
    assert!(body.contains("10.0.0.1:80"), "{answer}");
    server.stop.cancel();
    server.ended().await;
}

#[tokio::test]
async fn list_is_served_over_http2_without_tls() {
    let host = Host::start();
    host.serve(job("pods", &[]), &[group("a", &[("10.0.0.1:80", "east")])])
        .await;
    let server = start(host.router.clone(), ServeLimits::default()).await;
    let io = hyper_util::rt::TokioIo::new(server.connect().await);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut client, connection) =
        hyper::client::conn::http2::handshake::<_, _, String>(executor, io)
            .await
            .unwrap();
    tokio::spawn(connection);
    let uri = format!("http://{}/sd/pods", server.address);
    let request = hyper::Request::get(uri).body(String::new()).unwrap();
    let response = client.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.version(), hyper::Version::HTTP_2);
    let body = http_body_util::BodyExt::collect(response.into_body())
        .await
        .unwrap()
        .to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("10.0.0.1:80"));
    server.stop.cancel();
    server.ended().await;
}

/// A route that answers when the test lets it, and tells when a request has arrived.
fn held() -> (Router, mpsc::Receiver<()>, CancellationToken) {
    let (arrived, arrivals) = mpsc::channel(8);
    let go = CancellationToken::new();
    let released = go.clone();
    let route = get(async move || {
        arrived.send(()).await.unwrap();
        released.cancelled().await;
        "done"
    });
    (Router::new().route("/", route), arrivals, go)
}

#[tokio::test]
async fn stop_answers_long_polls_at_once() {
    let host = Host::start();
    host.serve(job("pods", &[]), &[group("a", &[("10.0.0.1:80", "east")])])
        .await;
    let version = {
        let path = "/mads/pods/v3/discovery:monitoringassignments";
        let request = axum::http::Request::post(path).body(axum::body::Body::from("{}"));
        let response = tower::ServiceExt::oneshot(host.router.clone(), request.unwrap()).await;
        let body = axum::body::to_bytes(response.unwrap().into_body(), 1 << 20).await;
        let body: serde_json::Value = serde_json::from_slice(&body.unwrap()).unwrap();
        body["version_info"].as_str().unwrap().to_owned()
    };
    let server = start(host.router.clone(), ServeLimits::default()).await;
    let mut poll = server.connect().await;
    let body = format!("{{\"version_info\":\"{version}\"}}");
    let head = "POST /mads/pods/v3/discovery:monitoringassignments?fetch-timeout=4m HTTP/1.1";
    let length = body.len();
    send(
        &mut poll,
        &format!("{head}\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}"),
    )
    .await;
    let is_held = async || {
        let metrics = host.get("/metrics").await;
        metrics.text().contains("periplus_mads_polls_waiting 1\n")
    };
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !is_held().await {
        assert!(tokio::time::Instant::now() < deadline, "never held");
        tokio::task::yield_now().await;
    }
    let stopped = std::time::Instant::now();
    server.stop.cancel();
    let answer = read_all(&mut poll).await;
    assert!(answer.starts_with("HTTP/1.1 304 "), "{answer}");
    server.ended().await;
    assert!(stopped.elapsed() < ServeLimits::default().drain);
}

#[tokio::test]
async fn stop_finishes_what_is_under_way_and_takes_nothing_new() {
    let (router, mut arrivals, go) = held();
    let server = start(router, ServeLimits::default()).await;
    let mut idle = server.connect().await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    arrivals.recv().await.unwrap();
    server.stop.cancel();
    assert_eq!(
        read_all(&mut idle).await,
        "",
        "an idle connection is closed at once"
    );
    // The socket is closed once the listener has ended its loop; the idle connection shows that
    // the stop was seen, so that only a few more polls are needed.
    let refused = async {
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, refused)
        .await
        .expect("still accepting");
    go.cancel();
    let answer = read_all(&mut stream).await;
    assert!(answer.ends_with("\r\n\r\ndone"), "{answer}");
    server.ended().await;
}

#[tokio::test]
async fn stop_waits_no_longer_than_the_bound() {
    let (router, mut arrivals, _go) = held();
    let limits = ServeLimits {
        drain: Duration::from_millis(50),
        ..ServeLimits::default()
    };
    let server = start(router, limits).await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    arrivals.recv().await.unwrap();
    server.stop.cancel();
    assert_eq!(read_all(&mut stream).await, "");
    server.ended().await;
}

#[tokio::test]
async fn slow_heads_and_idle_connections_are_closed() {
    let short = Duration::from_millis(50);
    let limits = ServeLimits {
        head: short,
        idle: short,
        ..ServeLimits::default()
    };
    let server = start(Router::new().route("/", get("done")), limits).await;
    let mut silent = server.connect().await;
    let mut partial = server.connect().await;
    send(&mut partial, "GET / HTTP/1.1\r\nho").await;
    let mut kept = server.connect().await;
    send(&mut kept, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(read_all(&mut silent).await, "");
    assert_eq!(read_all(&mut partial).await, "");
    assert!(read_all(&mut kept).await.ends_with("done"));
    server.stop.cancel();
    server.ended().await;
}

#[tokio::test]
async fn reader_that_stops_reading_is_cut_off() {
    // One connection at a time: the second is answered only once the first is gone.
    let stall = Duration::from_millis(100);
    let limits = ServeLimits {
        stall,
        connections: 1,
        ..ServeLimits::default()
    };
    let routes = Router::new().route("/large", get(async || vec![b'x'; 64 << 20]));
    let server = start(routes.route("/", get("done")), limits).await;
    let mut stuck = server.connect().await;
    send(&mut stuck, "GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut other = server.connect().await;
    send(
        &mut other,
        "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(read_all(&mut other).await.ends_with("done"));
    assert!(read_all(&mut stuck).await.len() < 64 << 20);
    server.stop.cancel();
    server.ended().await;
}

#[tokio::test]
async fn heads_beyond_the_limit_are_refused() {
    let server = start(
        Router::new().route("/", get("done")),
        ServeLimits::default(),
    )
    .await;
    let mut stream = server.connect().await;
    let head = format!(
        "GET / HTTP/1.1\r\nhost: x\r\nlong: {}\r\n\r\n",
        "x".repeat(100 << 10)
    );
    let _ = stream.write_all(head.as_bytes()).await;
    let answer = read_all(&mut stream).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer}"
    );
    server.stop.cancel();
    server.ended().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let (router, mut arrivals, go) = held();
    let limits = ServeLimits {
        connections: 1,
        ..ServeLimits::default()
    };
    let server = start(router, limits).await;
    let request = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    send(&mut first, request).await;
    send(&mut second, request).await;
    arrivals.recv().await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(100), arrivals.recv()).await;
    assert!(
        early.is_err(),
        "the second request was taken beside the first"
    );
    go.cancel();
    assert!(read_all(&mut first).await.ends_with("done"));
    assert!(read_all(&mut second).await.ends_with("done"));
    server.stop.cancel();
    server.ended().await;
}

#[tokio::test]
async fn idle_connections_do_not_lock_others_out() {
    let host = Host::start();
    host.serve(job("pods", &[]), &[group("a", &[("10.0.0.1:80", "east")])])
        .await;
    let limits = ServeLimits {
        connections: 50,
        ..ServeLimits::default()
    };
    let server = start(host.router.clone(), limits).await;
    let mut idle = Vec::new();
    for index in 0..150 {
        let mut stream = server.connect().await;
        if index % 2 == 0 {
            // Some have asked before, as readers that keep their connection.
            send(&mut stream, "GET /-/healthy HTTP/1.1\r\nhost: x\r\n\r\n").await;
        }
        idle.push(stream);
    }
    let mut stream = server.connect().await;
    send(
        &mut stream,
        "GET /sd/pods HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    )
    .await;
    let answer = tokio::time::timeout(Duration::from_mins(1), async {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let answer = answer.await.expect("never answered");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    drop(idle);
    server.stop.cancel();
    server.ended().await;
}

#[tokio::test]
async fn stream_ends_with_the_listener_and_a_dead_reader_with_its_patience() {
    let host = Host::start();
    let zone = "x".repeat(2000);
    let groups: Vec<_> = (0..4000)
        .map(|n| group(&format!("{n:04}"), &[(&format!("10.0.0.1:{n}"), &zone)]))
        .collect();
    host.serve(job("pods", &[]), &groups).await;
    let limits = ServeLimits {
        stall: Duration::from_millis(300),
        ..ServeLimits::default()
    };
    let server = start(host.router.clone(), limits).await;
    let request = "GET /api/v1/watch/pods?stage=discovered HTTP/1.1\r\nhost: x\r\n\r\n";
    // It takes nothing of eight megabytes.
    let mut dead = server.connect().await;
    send(&mut dead, request).await;
    let mut live = server.connect().await;
    send(&mut live, request).await;
    let mut taken = String::new();
    let mut buffer = vec![0; 1 << 16];
    while !taken.contains("\"version\"") {
        let count = tokio::time::timeout(PATIENCE, live.read(&mut buffer)).await;
        let count = count.unwrap().unwrap();
        assert_ne!(count, 0, "cut off");
        taken = taken.split_off(taken.len().saturating_sub(100));
        taken.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    tokio::time::sleep(4 * limits.stall).await;
    // What the system had taken for it comes, and then the end.
    let cut = read_all(&mut dead).await;
    assert!(!cut.contains("\"version\""), "it was sent everything");
    server.stop.cancel();
    read_all(&mut live).await;
    server.ended().await;
}
