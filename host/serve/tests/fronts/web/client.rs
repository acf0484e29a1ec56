//! A client of HTTP/1.1 that shows what TLS agreed on.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::authority::{Authority, Pair};
use super::within;

#[derive(Clone)]
pub(super) struct Client {
    roots: Arc<RootCertStore>,
    own: Option<Pair>,
}

pub(super) struct Open(TlsStream<TcpStream>);

/// The answer of a listener without TLS.
pub(super) async fn plain(address: SocketAddr, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request(headers).as_bytes()).await.unwrap();
    let mut text = String::new();
    within(stream.read_to_string(&mut text)).await.unwrap();
    text
}

fn request(headers: &str) -> String {
    format!("GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n{headers}\r\n")
}

impl Client {
    /// Trusts these.
    pub(super) fn new(authorities: &[&Authority]) -> Self {
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            let pem = authority.pem();
            let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
            roots.add(der).unwrap();
        }
        Self {
            roots: Arc::new(roots),
            own: None,
        }
    }

    pub(super) fn with(mut self, own: Pair) -> Self {
        self.own = Some(own);
        self
    }

    pub(super) async fn get(&self, address: SocketAddr) -> io::Result<String> {
        self.ask(address, "").await
    }

    /// The whole answer; an error where the handshake fails, on either side.
    pub(super) async fn ask(&self, address: SocketAddr, headers: &str) -> io::Result<String> {
        let Open(mut stream) = self.connect(address).await?;
        stream.write_all(request(headers).as_bytes()).await?;
        let mut text = String::new();
        // In TLS 1.3 a refused client learns of it when it reads.
        within(stream.read_to_string(&mut text)).await?;
        Ok(text)
    }

    pub(super) async fn connect(&self, address: SocketAddr) -> io::Result<Open> {
        self.connect_with(address, &["http/1.1"]).await
    }

    /// Connects over and over until the connection is as expected.
    pub(super) async fn connect_until(
        &self,
        address: SocketAddr,
        condition: impl Fn(&Open) -> bool,
    ) -> Open {
        within(async {
            loop {
                if let Ok(open) = self.connect(address).await
                    && condition(&open)
                {
                    return open;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        })
        .await
    }

    /// What is agreed on by a client that speaks both.
    pub(super) async fn protocol(&self, address: SocketAddr) -> Option<String> {
        let open = self.connect_with(address, &["h2", "http/1.1"]).await;
        let Open(stream) = open.unwrap();
        let agreed = stream.get_ref().1.alpn_protocol()?;
        Some(String::from_utf8_lossy(agreed).into_owned())
    }

    async fn connect_with(&self, address: SocketAddr, protocols: &[&str]) -> io::Result<Open> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(Arc::clone(&self.roots));
        let mut config = match &self.own {
            Some((cert, key)) => {
                let chain = vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::from(address.ip());
        let connector = TlsConnector::from(Arc::new(config));
        within(connector.connect(name, stream)).await.map(Open)
    }
}

impl Open {
    /// The server's.
    pub(super) fn certificate(&self) -> Vec<u8> {
        let certificates = self.0.get_ref().1.peer_certificates();
        certificates.unwrap()[0].to_vec()
    }

    /// A request that leaves the connection open.
    pub(super) async fn keep_asking(&mut self) {
        let request = b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";
        self.0.write_all(request).await.unwrap();
        let mut text = Vec::new();
        while !text.ends_with(b"verified=false") {
            let mut buffer = [0; 1024];
            let read = within(self.0.read(&mut buffer)).await.unwrap();
            assert!(read > 0, "the connection was closed");
            text.extend_from_slice(&buffer[..read]);
        }
        assert!(text.starts_with(b"HTTP/1.1 200"));
    }
}
