//! A server that speaks HTTP/1.1 and HTTP/2, with TLS or without, and remembers what it is asked.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Method, URI and version.
    pub(super) line: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    /// Which connection it came over, counted from zero.
    pub(super) connection: usize,
    /// The name that the client asked for at the TLS handshake.
    pub(super) server_name: Option<String>,
    /// Whether the client showed a certificate.
    pub(super) has_certificate: bool,
}

pub(super) struct Server {
    pub(super) port: u16,
    shared: Arc<Shared>,
}

type Answers = Box<dyn Fn(&Seen) -> Response<String> + Send + Sync>;

struct Shared {
    seen: Mutex<Vec<Seen>>,
    answer: Answers,
}

// === impl Server ===

impl Server {
    pub(super) async fn start(
        tls: Option<ServerConfig>,
        answer: impl Fn(&Seen) -> Response<String> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            seen: Mutex::default(),
            answer: Box::new(answer),
        });
        let server = Self {
            port,
            shared: Arc::clone(&shared),
        };
        let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        tokio::spawn(async move {
            let mut connection = 0;
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(accept(stream, tls.clone(), connection, Arc::clone(&shared)));
                connection += 1;
            }
        });
        server
    }

    /// One that answers everything with 200.
    pub(super) async fn plain() -> Self {
        Self::start(None, |_| Response::default()).await
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        let seen = &self.shared.seen;
        seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn last(&self) -> Seen {
        self.seen().pop().expect("there was a request")
    }

    pub(super) fn url(&self, host: &str) -> String {
        format!("http://{host}:{}/sd", self.port)
    }

    pub(super) fn https(&self, host: &str) -> String {
        format!("https://{host}:{}/sd", self.port)
    }
}

// === impl Seen ===

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

async fn accept(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    connection: usize,
    shared: Arc<Shared>,
) {
    let Some(tls) = tls else {
        return serve(stream, connection, None, false, shared).await;
    };
    let Ok(stream) = tls.accept(stream).await else {
        return;
    };
    let state = stream.get_ref().1;
    let name = state.server_name().map(str::to_owned);
    let has_certificate = state.peer_certificates().is_some();
    serve(stream, connection, name, has_certificate, shared).await;
}

async fn serve<S>(
    stream: S,
    connection: usize,
    server_name: Option<String>,
    has_certificate: bool,
    shared: Arc<Shared>,
) where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let (shared, server_name) = (Arc::clone(&shared), server_name.clone());
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let seen = Seen {
                line: format!("{} {} {:?}", parts.method, parts.uri, parts.version),
                headers: parts.headers,
                body: String::from_utf8_lossy(&body).into_owned(),
                connection,
                server_name,
                has_certificate,
            };
            let answer = (shared.answer)(&seen);
            let list = &shared.seen;
            list.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(seen);
            Ok::<_, Infallible>(answer.map(|body| Full::new(Bytes::from(body))))
        }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let _ = builder
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// An answer with this status and body.
pub(super) fn answer(status: u16, kind: &str, body: &str) -> Response<String> {
    let mut answer = Response::new(body.to_owned());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    let kind = kind.parse().unwrap();
    answer
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, kind);
    answer
}
