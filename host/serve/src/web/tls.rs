//! `tls_server_config`: from texts to a configuration of TLS.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::cipher::Offer;
use super::client::{ClientAuth, Clients};
use super::file::{Material, TlsServer, given};

/// How handshakes are done.
pub(crate) struct Tls {
    pub(crate) config: Arc<ServerConfig>,
    client_auth: ClientAuth,
}

// === impl Tls ===

impl Tls {
    /// None where TLS is not asked for. Errors are in upstream's words where it has the same check,
    /// and in its order.
    pub(super) fn new(
        material: &Material,
        http2: bool,
        notes: &mut Vec<String>,
    ) -> Result<Option<Self>, String> {
        let Some(tls) = &material.written.tls_server_config else {
            return Ok(None);
        };
        // Names are checked in any case: upstream does it while it reads.
        let offer = Offer::new(tls, http2)?;
        if !tls.is_enabled() {
            return Ok(None);
        }
        if let Some(missing) = tls.missing() {
            return Err(missing.into());
        }
        let chain = material.cert.as_deref().unwrap_or_default();
        let key = material.key.as_deref().unwrap_or_default();
        let chain = certificates("cert_file", chain)?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|_| "failed to load X509KeyPair: key is not PEM with a private key")?;
        let client_auth = ClientAuth::new(tls.client_auth_type.as_deref().unwrap_or_default())?;
        notes.extend(offer.notes);
        let provider = Arc::new(offer.provider);
        let clients = clients(client_auth, tls, material, &provider, notes)?;
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&offer.versions)
            .map_err(|error| format!("tls_server_config: {error}"))?;
        let builder = match clients {
            Some(clients) => builder.with_client_cert_verifier(Arc::new(clients)),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error| format!("failed to load X509KeyPair: {error}"))?;
        if http2 {
            config.alpn_protocols.push(b"h2".to_vec());
        }
        config.alpn_protocols.push(b"http/1.1".to_vec());
        Ok(Some(Self {
            config: Arc::new(config),
            client_auth,
        }))
    }

    /// Whether no reader comes in without a certificate that is verified.
    pub(super) fn authenticates(&self) -> bool {
        self.client_auth == ClientAuth::RequireAndVerify
    }

    /// Whether a certificate that a reader gave has been verified.
    pub(crate) fn verifies(&self) -> bool {
        self.client_auth.verifies()
    }
}

fn clients(
    auth: ClientAuth,
    tls: &TlsServer,
    material: &Material,
    provider: &Arc<rustls::crypto::CryptoProvider>,
    notes: &mut Vec<String>,
) -> Result<Option<Clients>, String> {
    let allowed_sans = tls.client_allowed_sans.clone().unwrap_or_default();
    if auth == ClientAuth::None {
        if material.client_ca.is_some() {
            return Err("client CA's have been configured without a Client Auth Policy".into());
        }
        if !allowed_sans.is_empty() {
            notes.push("client_allowed_sans has no effect without client_auth_type".into());
        }
        return Ok(None);
    }
    let authorities = match &material.client_ca {
        Some(pem) => certificates("client_ca_file", pem)?,
        None => Vec::new(),
    };
    if auth.verifies() && authorities.is_empty() {
        let name = given(&tls.client_auth_type).unwrap_or_default();
        return Err(format!(
            "client_auth_type {name} needs client_ca or client_ca_file: the system's authorities \
             sign certificates for everybody"
        ));
    }
    Clients::new(auth, authorities, allowed_sans, Arc::clone(provider)).map(Some)
}

fn certificates(key: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match parsed {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(format!("{key}: it is not PEM with certificates")),
    }
}
