//! The HTTP client behind a connection: HTTP/2 where the server has it.
//!
//! kube gives the layers (base address, authentication, TLS, proxies) and would speak HTTP/1.1
//! alone, with a TCP and TLS connection for each watch. Here they stand on a client that shares
//! one connection among many watches.

use std::time::Duration;

use http::Uri;
use http::header::HeaderValue;
use hyper::rt::{Read, Write};
use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connection, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, ConfigExt};
use kube::config::Config;
use percent_encoding::percent_decode_str;
use tower::util::MapErr;
use tower::{BoxError, Layer, Service};

/// How long a TCP connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be silent before a ping is sent over it.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// How long the answer to a ping may take before the connection counts as dead.
const PING_TIMEOUT: Duration = Duration::from_secs(15);
/// How many unread bytes one stream may hold. A first state that waits for its turn is not read,
/// and there may be hundreds of them.
const STREAM_WINDOW: u32 = 256 << 10;
/// How many unread bytes a connection may hold: those of all of its streams, so that streams that
/// are not read never hold up the others. Windows that adapt would be of one size for both.
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * super::pool::MOST_STREAMS as u32;

/// A client for this configuration; connects when it is first used.
pub(super) fn client(config: &Config) -> Result<kube::Client, BoxError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let Some(proxy) = &config.proxy_url else {
        return over(config, tcp);
    };
    match proxy.scheme_str() {
        Some("http") => over(config, tunnel(proxy, tcp)),
        Some("https") => {
            let tls = config.rustls_https_connector_with_connector(tcp)?;
            over(config, tunnel(proxy, tls))
        }
        // kube names the schemes that it knows.
        _ => Ok(kube::Client::try_from(config.clone())?),
    }
}

/// A tunnel through a proxy, with the credentials that its address holds.
fn tunnel<C>(proxy: &Uri, connector: C) -> Tunnel<C> {
    let tunnel = Tunnel::new(proxy.clone(), connector);
    let credentials = proxy.authority().and_then(|authority| {
        let (credentials, _) = authority.as_str().rsplit_once('@')?;
        basic(credentials)
    });
    match credentials {
        Some(credentials) => tunnel.with_auth(credentials),
        None => tunnel,
    }
}

fn basic(credentials: &str) -> Option<HeaderValue> {
    use base64::Engine;
    let plain: Vec<u8> = percent_decode_str(credentials).collect();
    let encoded = base64::engine::general_purpose::STANDARD.encode(plain);
    let mut value = HeaderValue::try_from(format!("Basic {encoded}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn over<C>(config: &Config, connector: C) -> Result<kube::Client, BoxError>
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Connection + Read + Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: Into<BoxError>,
{
    let mut tls = HttpsConnectorBuilder::new()
        .with_tls_config(config.rustls_client_config()?)
        .https_or_http();
    if let Some(name) = &config.tls_server_name {
        let name = name.clone().try_into()?;
        tls = tls.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    let connector = tls.enable_all_versions().wrap_connector(connector);
    let client: legacy::Client<_, Body> = legacy::Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keep_alive_interval(PING_INTERVAL)
        .http2_keep_alive_timeout(PING_TIMEOUT)
        .http2_keep_alive_while_idle(true)
        .build(connector);
    let service = config.extra_headers_layer()?.layer(client);
    let namespace = config.default_namespace.clone();
    let base = config.base_uri_layer();
    Ok(match config.auth_layer()? {
        // What refreshes a token may fail in its own way.
        Some(auth) => {
            let service = auth.layer(MapErr::new(service, BoxError::from));
            kube::Client::new(base.layer(service), namespace)
        }
        None => kube::Client::new(base.layer(service), namespace),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_a_proxy_are_decoded_before_they_are_encoded() {
        let header = basic("user:pa%40ss%3Aword").unwrap();
        assert_eq!(header, "Basic dXNlcjpwYUBzczp3b3Jk");
        assert!(header.is_sensitive());
    }
}
