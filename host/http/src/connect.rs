//! Connections: directly or through a proxy, to addresses that were checked.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::Uri;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tower::{Service, service_fn};

use crate::address::AddressRefused;
use crate::origin::Origin;
use crate::policy::{AddressRule, OriginPolicy};
use crate::proxy::{Proxy, ProxyRules, ProxyScheme};
use crate::resolve::NameResolver;
use crate::tls::LazyTls;

/// How long TLS may take to be agreed on, as upstream.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be silent before the system asks whether the other side still lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Makes connections. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Connector {
    pub(crate) policy: Arc<OriginPolicy>,
    pub(crate) resolver: Arc<dyn NameResolver>,
    pub(crate) proxies: Arc<ProxyRules>,
    pub(crate) tls: Arc<LazyTls>,
    /// Instead of the host of the URL.
    pub(crate) server_name: Option<ServerName<'static>>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("failed to look up `{name}`")]
    Lookup { name: String, source: io::Error },
    #[error("`{0}` has no addresses")]
    NoAddress(String),
    #[error(transparent)]
    Refused(#[from] AddressRefused),
    #[error("failed to connect to `{to}`")]
    Tcp {
        to: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the proxy `{proxy}` gives no way to the server")]
    Proxy {
        proxy: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("no TLS with `{with}`")]
    Tls { with: String, source: io::Error },
    #[error("no TLS with `{with}` within {HANDSHAKE_TIMEOUT:?}")]
    SlowTls { with: String },
    #[error("{0}")]
    Settings(Arc<str>),
    #[error("the URL has no host")]
    NoHost,
}

/// A connection to a server, or to a proxy that reads requests.
pub(crate) struct Stream {
    io: Box<dyn Io>,
    is_proxy: bool,
    is_http2: bool,
}

/// Whether a connection has served a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Served(Arc<AtomicBool>);

/// What bytes go through.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A resolver that knows what was found and checked before.
#[derive(Clone)]
struct Found(Vec<SocketAddr>);

// === impl Connector ===

impl Connector {
    async fn connect(self, uri: Uri) -> Result<Stream, ConnectError> {
        let host = uri.host().ok_or(ConnectError::NoHost)?;
        let host = host.trim_matches(['[', ']']);
        let is_https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let io: Box<dyn Io> = match self.proxies.route(&uri) {
            None => Box::new(self.dial(host, port, self.rule_for(&uri)?).await?),
            Some(proxy) => {
                let to_proxy = self.reach_proxy(proxy).await?;
                if !is_https && proxy.scheme != ProxyScheme::Socks5 {
                    return Ok(Stream {
                        io: to_proxy,
                        is_proxy: true,
                        is_http2: false,
                    });
                }
                let at = format!("{}:{port}", bracketed(host));
                self.pass_proxy(proxy, to_proxy, &at).await?
            }
        };
        if !is_https {
            return Ok(Stream {
                io,
                is_proxy: false,
                is_http2: false,
            });
        }
        let tls = self.tls.get().await.map_err(ConnectError::Settings)?;
        self.secure(io, host, self.server_name.clone(), tls).await
    }

    fn rule_for(&self, uri: &Uri) -> Result<AddressRule, ConnectError> {
        let url = url::Url::parse(&uri.to_string()).map_err(|_| ConnectError::NoHost)?;
        let origin = Origin::of(&url).ok_or(ConnectError::NoHost)?;
        Ok(self.policy.addresses(&origin))
    }

    /// A connection to the very addresses that were found and checked.
    async fn dial(
        &self,
        host: &str,
        port: u16,
        rule: AddressRule,
    ) -> Result<TcpStream, ConnectError> {
        let found = match host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => self.look_up(host).await?,
        };
        let addresses = allowed(found, rule)?;
        let addresses = addresses.into_iter().map(|ip| SocketAddr::new(ip, port));
        // It tries IPv6 and IPv4 side by side.
        let mut tcp = HttpConnector::new_with_resolver(Found(addresses.collect()));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEP_ALIVE));
        let to = format!("{}:{port}", bracketed(host));
        let uri = format!("http://{to}")
            .parse()
            .map_err(|_| ConnectError::NoHost)?;
        match tcp.call(uri).await {
            Ok(stream) => Ok(stream.into_inner()),
            Err(error) => Err(ConnectError::Tcp {
                to,
                source: error.into(),
            }),
        }
    }

    async fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, ConnectError> {
        match self.resolver.lookup(name.to_owned()).await {
            Ok(found) if found.is_empty() => Err(ConnectError::NoAddress(name.to_owned())),
            Ok(found) => Ok(found),
            Err(source) => Err(ConnectError::Lookup {
                name: name.to_owned(),
                source,
            }),
        }
    }

    /// The operator chose the proxy: it may have any address.
    async fn reach_proxy(&self, proxy: &Proxy) -> Result<Box<dyn Io>, ConnectError> {
        let tcp = self.dial(&proxy.host, proxy.port, AddressRule::Any).await?;
        if proxy.scheme != ProxyScheme::Https {
            return Ok(Box::new(tcp));
        }
        let tls = self.tls.get().await.map_err(ConnectError::Settings)?;
        let mut tls = ClientConfig::clone(&tls);
        tls.alpn_protocols.clear();
        let stream = self.secure(Box::new(tcp), &proxy.host, None, Arc::new(tls));
        Ok(stream.await?.io)
    }

    /// Asks the proxy for a way to `host:port`.
    async fn pass_proxy(
        &self,
        proxy: &Proxy,
        to_proxy: Box<dyn Io>,
        at: &str,
    ) -> Result<Box<dyn Io>, ConnectError> {
        let refused = |source: Box<dyn std::error::Error + Send + Sync>| ConnectError::Proxy {
            proxy: proxy.to_string(),
            source,
        };
        let target: Uri = format!("https://{at}")
            .parse()
            .map_err(|_| ConnectError::NoHost)?;
        let mut ready = Some(TokioIo::new(to_proxy));
        let once = service_fn(move |_: Uri| {
            let stream = ready.take().ok_or_else(|| io::Error::other("used twice"));
            std::future::ready(stream)
        });
        // Where the proxy is was settled before.
        let nowhere = Uri::from_static("http://proxy");
        if proxy.scheme == ProxyScheme::Socks5 {
            let mut socks = SocksV5::new(nowhere, once);
            if let Some((user, password)) = proxy.credentials() {
                socks = socks.with_auth(user.to_owned(), password.to_owned());
            }
            let passed = socks.call(target).await;
            return passed
                .map(|io| Box::new(io.into_inner()) as Box<dyn Io>)
                .map_err(|error| refused(error.into()));
        }
        let headers = self.proxies.connect_headers(proxy);
        let mut tunnel = Tunnel::new(nowhere, once).with_headers(headers);
        let passed = tunnel.call(target).await;
        passed
            .map(|io| Box::new(io.into_inner()) as Box<dyn Io>)
            .map_err(|error| refused(error.into()))
    }

    async fn secure(
        &self,
        io: Box<dyn Io>,
        host: &str,
        name: Option<ServerName<'static>>,
        tls: Arc<ClientConfig>,
    ) -> Result<Stream, ConnectError> {
        let with = host.to_owned();
        let name = match name {
            Some(name) => name,
            None => ServerName::try_from(with.clone()).map_err(|_| ConnectError::NoHost)?,
        };
        let handshake = TlsConnector::from(tls).connect(name, io);
        let stream = match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(source)) => return Err(ConnectError::Tls { with, source }),
            Err(_) => return Err(ConnectError::SlowTls { with }),
        };
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Stream {
            io: Box::new(stream),
            is_proxy: false,
            is_http2,
        })
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = ConnectError;
    type Future = BoxFuture<'static, Result<Self::Response, ConnectError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.clone().connect(uri);
        Box::pin(async move { connecting.await.map(TokioIo::new) })
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

/// The addresses that may be connected to; refused if none is left, saying why.
fn allowed(found: Vec<IpAddr>, rule: AddressRule) -> Result<Vec<IpAddr>, AddressRefused> {
    let mut first_refusal = None;
    let mut kept = Vec::with_capacity(found.len());
    for address in found {
        match rule.check(address) {
            Ok(()) => kept.push(address),
            Err(refused) => first_refusal = first_refusal.or(Some(refused)),
        }
    }
    match first_refusal {
        Some(refused) if kept.is_empty() => Err(refused),
        _ => Ok(kept),
    }
}

// === impl Found ===

impl Service<hyper_util::client::legacy::connect::dns::Name> for Found {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: hyper_util::client::legacy::connect::dns::Name) -> Self::Future {
        std::future::ready(Ok(self.0.clone().into_iter()))
    }
}

// === impl Served ===

impl Served {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

// === impl Stream ===

impl Connection for Stream {
    fn connected(&self) -> Connected {
        let connected = Connected::new()
            .proxy(self.is_proxy)
            .extra(Served::default());
        if self.is_http2 {
            connected.negotiated_h2()
        } else {
            connected
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
