//! The listener: connections with bounds, and an end that loses no answer.

mod activity;
mod handshake;
mod watched;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::follow::Stopping;
use crate::guard::LocalAddress;
use crate::otel::ClientCertificate;
use crate::readings::PeerAddress;
use crate::web::WebConfig;
use activity::{Activity, Expired};
use watched::{GuardedBody, WatchedIo};

/// The pause after the system refused a connection, as when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Bounds on what readers may do to the host.
#[derive(Clone, Copy, Debug)]
pub struct ServeLimits {
    /// Connections at a time; further ones wait in the system's queue, and idle ones make room.
    pub connections: usize,
    /// From the first byte of a request's head to its last; also from the connection to its first
    /// request.
    pub head: Duration,
    /// Between two requests of a connection.
    pub idle: Duration,
    /// The most that a request's head may take.
    pub head_bytes: usize,
    /// A reader must take `stall_bytes` of an answer in this time, or be cut off.
    pub stall: Duration,
    /// See `stall`.
    pub stall_bytes: u64,
    /// A request whose answer makes no progress at all.
    pub busy: Duration,
    /// For requests under way when the host stops.
    pub drain: Duration,
    /// Requests at a time on one HTTP/2 connection.
    pub streams: u32,
}

/// What requests are answered with, and what readers have to show before.
#[derive(Clone)]
struct Answers {
    router: Router,
    web: Option<WebConfig>,
    stop: CancellationToken,
}

/// What a request is answered with.
#[derive(Clone)]
struct Connection {
    router: Router,
    local: SocketAddr,
    peer: SocketAddr,
    stop: CancellationToken,
    client_certificate: Option<ClientCertificate>,
}

// === impl ServeLimits ===

impl Default for ServeLimits {
    /// Generous to Prometheus, which asks once a minute over a connection that it keeps.
    fn default() -> Self {
        Self {
            connections: 4096,
            head: Duration::from_secs(10),
            idle: Duration::from_mins(5),
            head_bytes: 32 << 10,
            stall: Duration::from_secs(30),
            stall_bytes: 64 << 10,
            busy: Duration::from_mins(5),
            drain: Duration::from_secs(10),
            streams: 64,
        }
    }
}

/// Serves HTTP/1.1 and HTTP/2 without TLS until `stop` is cancelled, then finishes what is under
/// way, within bounds.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    serve_with(listener, router, stop, ServeLimits::default()).await;
}

/// Like [`serve`], with other limits.
pub async fn serve_with(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
    limits: ServeLimits,
) {
    serve_secured(listener, router, None, stop, limits).await;
}

/// Like [`serve_with`]; readers are held to a web configuration, and spoken to over TLS if it says
/// so.
pub async fn serve_secured(
    listener: TcpListener,
    router: Router,
    web: Option<WebConfig>,
    stop: CancellationToken,
    limits: ServeLimits,
) {
    let router = match &web {
        Some(web) => web.protect(router),
        None => router,
    };
    let answers = Answers {
        router,
        web,
        stop: stop.clone(),
    };
    let slots = Arc::new(Semaphore::new(limits.connections));
    let connections = TaskTracker::new();
    let crowded = watch::Sender::new(false);
    loop {
        let slot = tokio::select! {
            () = stop.cancelled() => break,
            slot = slot(&slots, limits.connections, &crowded) => slot,
        };
        let stream = tokio::select! {
            () = stop.cancelled() => break,
            stream = accept(&listener) => stream,
        };
        let answers = answers.clone();
        let activity = Arc::new(Activity::new(limits, crowded.subscribe()));
        connections.spawn(async move {
            connection(stream, answers, activity).await;
            drop(slot);
        });
    }
    drop(listener);
    connections.close();
    // Each connection bounds its own end.
    connections.wait().await;
}

/// A place for one more connection. When there is none, readers that ask for nothing lose theirs
/// until a tenth is free again.
async fn slot(
    slots: &Arc<Semaphore>,
    all: usize,
    crowded: &watch::Sender<bool>,
) -> Result<OwnedSemaphorePermit, AcquireError> {
    let slot = match Arc::clone(slots).try_acquire_owned() {
        Ok(slot) => slot,
        Err(_) => {
            if !crowded.send_replace(true) {
                tracing::warn!(
                    connections = all,
                    "All connections are taken, so idle ones are closed"
                );
            }
            Arc::clone(slots).acquire_owned().await?
        }
    };
    if slots.available_permits() > all / 10 {
        crowded.send_if_modified(std::mem::take);
    }
    Ok(slot)
}

/// The next connection. A failure is of that connection or passes: never the end of the listener.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if is_of_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "Failed to accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

/// A connection from its first byte to its last.
async fn connection(stream: TcpStream, answers: Answers, activity: Arc<Activity>) {
    let (Ok(local), Ok(peer)) = (stream.local_addr(), stream.peer_addr()) else {
        return;
    };
    // Answers are written whole; waiting for more would only delay the last packet.
    let _ = stream.set_nodelay(true);
    let settings = answers.web.as_ref().map(WebConfig::settings);
    let http2 = settings.as_ref().is_none_or(|it| it.http2);
    let Answers { router, stop, .. } = answers;
    let mut connection = Connection {
        router,
        local,
        peer,
        stop,
        client_certificate: None,
    };
    let Some(tls) = settings.as_ref().and_then(|it| it.tls.as_ref()) else {
        return requests(stream, connection, activity, http2, peer).await;
    };
    let shaken = tokio::select! {
        shaken = handshake::accept(stream, tls) => shaken,
        // Nothing of HTTP was read yet, so what has passed is the time for a head.
        _ = activity.expired() => return,
        () = connection.stop.cancelled() => return,
    };
    match shaken {
        Ok((stream, client_certificate)) => {
            connection.client_certificate = client_certificate;
            requests(stream, connection, activity, http2, peer).await;
        }
        Err(error) => tracing::debug!(%peer, %error, "A TLS handshake failed"),
    }
}

/// The requests of one connection, until either side has had enough.
async fn requests<S>(
    stream: S,
    connection: Connection,
    activity: Arc<Activity>,
    http2: bool,
    peer: SocketAddr,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = activity.limits();
    let stop = connection.stop.clone();
    let io = TokioIo::new(WatchedIo::new(stream, Arc::clone(&activity)));
    let service = {
        let activity = Arc::clone(&activity);
        service_fn(move |request| answer(request, connection.clone(), Arc::clone(&activity)))
    };
    let builder = builder(limits, http2);
    let mut connection = pin!(builder.serve_connection(io, service));
    let left = tokio::select! {
        result = connection.as_mut() => return ended(result),
        expired = activity.expired() => match expired {
            Expired::Stalled => {
                tracing::debug!(%peer, "Cut off a reader that takes nothing");
                return;
            }
            // No request is lost that is on its way already.
            Expired::Idle => limits.head,
        },
        () = stop.cancelled() => limits.drain,
    };
    connection.as_mut().graceful_shutdown();
    match tokio::time::timeout(left, connection).await {
        Ok(result) => ended(result),
        Err(_) => tracing::debug!(%peer, "Cut off a reader that took too long to finish"),
    }
}

fn ended(result: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = result {
        // Broken by the reader: nothing that an operator could act on.
        tracing::debug!(error, "A connection broke off");
    }
}

fn builder(limits: ServeLimits, http2: bool) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    if !http2 {
        builder = builder.http1_only();
    }
    // The time for a head is watched by `Activity`: hyper's would run between requests too.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(limits.head_bytes.max(8192));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(limits.head_bytes.try_into().unwrap_or(u32::MAX))
        .max_concurrent_streams(limits.streams);
    builder
}

async fn answer(
    request: hyper::Request<Incoming>,
    connection: Connection,
    activity: Arc<Activity>,
) -> Result<hyper::Response<GuardedBody>, std::convert::Infallible> {
    let under_way = activity.begin();
    let mut request: Request = request.map(Body::new);
    let Connection {
        router,
        local,
        peer,
        stop,
        client_certificate,
    } = connection;
    let extensions = request.extensions_mut();
    extensions.insert(LocalAddress(local));
    extensions.insert(PeerAddress(peer));
    extensions.insert(Stopping(stop));
    if let Some(client_certificate) = client_certificate {
        extensions.insert(client_certificate);
    }
    let response = router.oneshot(request).await?;
    Ok(response.map(|body| GuardedBody::new(body, under_way)))
}
