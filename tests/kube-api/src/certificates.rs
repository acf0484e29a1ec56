//! The server's own certificate authority, its certificate, and those of its clients.

use std::io;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    DigitallySignedStruct, DistinguishedName as TlsName, Error, RootCertStore, ServerConfig,
    SignatureScheme,
};

/// What the server is called in its certificate.
const NAMES: &[&str] = &["localhost", "127.0.0.1", "::1", "kubernetes.default.svc"];

/// An authority and what it has signed for the server.
pub(crate) struct Certificates {
    authority: CertifiedIssuer<'static, KeyPair>,
    verifier: Arc<dyn ClientCertVerifier>,
    pub(crate) config: Arc<ServerConfig>,
}

/// Takes every client certificate at the handshake: whether it is a good one is decided per request, as the
/// real server does, so that a bad one is answered with 401.
#[derive(Debug)]
struct Later(Arc<dyn ClientCertVerifier>);

// === impl Certificates ===

impl Certificates {
    /// A new authority, which shares nothing with earlier ones. Offers HTTP/2 if `http2`.
    pub(crate) fn new(http2: bool) -> io::Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name = name("periplus stand-in authority");
        let authority = CertifiedIssuer::self_signed(params, new_key()?).map_err(failed)?;
        let mut roots = RootCertStore::empty();
        roots
            .add(authority.der().clone())
            .map_err(io::Error::other)?;
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(io::Error::other)?;
        let config = server_config(&authority, &verifier, http2)?;
        Ok(Self {
            authority,
            verifier,
            config,
        })
    }

    /// The authority's certificate, PEM.
    pub(crate) fn authority_pem(&self) -> String {
        self.authority.pem()
    }

    /// A certificate for a client of this name, and its key, both PEM.
    pub(crate) fn client(&self, user: &str) -> io::Result<(String, String)> {
        let mut params = CertificateParams::default();
        params.distinguished_name = name(user);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = new_key()?;
        let signed = params.signed_by(&key, &self.authority).map_err(failed)?;
        Ok((signed.pem(), key.serialize_pem()))
    }

    /// Whether this authority has signed a client's certificate.
    pub(crate) fn trusts(&self, given: &[CertificateDer<'_>]) -> bool {
        given.split_first().is_some_and(|(own, rest)| {
            let verified = self.verifier.verify_client_cert(own, rest, UnixTime::now());
            verified.is_ok()
        })
    }
}

impl std::fmt::Debug for Certificates {
    /// Keys stay out of logs.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Certificates")
            .finish_non_exhaustive()
    }
}

fn server_config(
    authority: &CertifiedIssuer<'static, KeyPair>,
    verifier: &Arc<dyn ClientCertVerifier>,
    http2: bool,
) -> io::Result<Arc<ServerConfig>> {
    let names: Vec<String> = NAMES.iter().map(|n| (*n).to_owned()).collect();
    let mut params = CertificateParams::new(names).map_err(failed)?;
    params.distinguished_name = name("periplus stand-in");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = new_key()?;
    let signed = params.signed_by(&key, authority).map_err(failed)?;
    let private =
        PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).map_err(io::Error::other)?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_client_cert_verifier(Arc::new(Later(verifier.clone())))
        .with_single_cert(vec![signed.der().clone()], private)
        .map_err(io::Error::other)?;
    config.alpn_protocols = if http2 {
        vec![b"h2".to_vec(), b"http/1.1".to_vec()]
    } else {
        vec![b"http/1.1".to_vec()]
    };
    Ok(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn new_key() -> io::Result<KeyPair> {
    KeyPair::generate().map_err(failed)
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

fn failed(error: rcgen::Error) -> io::Error {
    io::Error::other(error)
}

// === impl Later ===

impl ClientCertVerifier for Later {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[TlsName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
