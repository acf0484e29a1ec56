//! A client that speaks TLS, with or without a certificate, and HTTP/1.1 or HTTP/2 as it is told.

use std::io::BufReader;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use periplus_kube_api::KubeApi;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

/// One connection.
pub(crate) enum Sender {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

/// A connection by TLS; an error if the handshake fails, as it does without trust. The server chooses among
/// `protocols`.
pub(crate) async fn connect(
    api: &KubeApi,
    authority: &str,
    identity: Option<&(String, String)>,
    protocols: &[&str],
) -> std::io::Result<Sender> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_reader_iter(BufReader::new(authority.as_bytes())) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap(),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(api.address()).await?;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?;
    let two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok(Sender::over(stream, two).await)
}

impl Sender {
    pub(crate) async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        two: bool,
    ) -> Self {
        let stream = TokioIo::new(stream);
        if two {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), stream)
                .await
                .unwrap();
            tokio::spawn(connection);
            Self::Two(sender)
        } else {
            let (sender, connection) = http1::handshake(stream).await.unwrap();
            tokio::spawn(connection);
            Self::One(sender)
        }
    }

    pub(crate) async fn send(
        &mut self,
        api: &KubeApi,
        path: &str,
        token: Option<&str>,
    ) -> hyper::Result<http::Response<Incoming>> {
        let mut request = Request::get(format!("{}{path}", api.url()));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Full::default()).unwrap();
        match self {
            Self::One(sender) => sender.send_request(request).await,
            Self::Two(sender) => sender.send_request(request).await,
        }
    }

    /// Status and version of the answer to a list of Pods.
    pub(crate) async fn list(
        &mut self,
        api: &KubeApi,
        token: Option<&str>,
    ) -> (StatusCode, Version) {
        let response = self.send(api, "/api/v1/pods", token).await.unwrap();
        let seen = (response.status(), response.version());
        response.into_body().collect().await.unwrap();
        seen
    }
}
