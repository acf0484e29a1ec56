//! `client_auth_type`: who a reader may be.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use x509_parser::extensions::GeneralName;

/// Go's policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientAuth {
    None,
    Request,
    RequireAny,
    VerifyIfGiven,
    RequireAndVerify,
}

/// The check of a client's certificate.
#[derive(Debug)]
pub(super) struct Clients {
    auth: ClientAuth,
    /// Where certificates are verified.
    usual: Option<Arc<dyn ClientCertVerifier>>,
    /// An authority's certificate may be a client's own, as `openssl req -x509` makes them: Go
    /// accepts that, WebPKI does not.
    trusted: Vec<CertificateDer<'static>>,
    /// Empty where every name may come.
    allowed_sans: Vec<String>,
    provider: Arc<CryptoProvider>,
}

// === impl ClientAuth ===

impl ClientAuth {
    pub(super) fn new(name: &str) -> Result<Self, String> {
        match name {
            "" | "NoClientCert" => Ok(Self::None),
            "RequestClientCert" => Ok(Self::Request),
            "RequireAnyClientCert" | "RequireClientCert" => Ok(Self::RequireAny),
            "VerifyClientCertIfGiven" => Ok(Self::VerifyIfGiven),
            "RequireAndVerifyClientCert" => Ok(Self::RequireAndVerify),
            _ => Err(format!("invalid ClientAuth: {name}")),
        }
    }

    /// Whether a certificate that was given is checked against authorities.
    pub(super) fn verifies(self) -> bool {
        matches!(self, Self::VerifyIfGiven | Self::RequireAndVerify)
    }

    fn is_mandatory(self) -> bool {
        matches!(self, Self::RequireAny | Self::RequireAndVerify)
    }
}

// === impl Clients ===

impl Clients {
    /// `authorities` must not be empty where certificates are verified.
    pub(super) fn new(
        auth: ClientAuth,
        authorities: Vec<CertificateDer<'static>>,
        allowed_sans: Vec<String>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let usual = if auth.verifies() {
            let mut roots = RootCertStore::empty();
            let (added, _) = roots.add_parsable_certificates(authorities.iter().cloned());
            if added == 0 {
                return Err("client_ca_file: no certificate in it can be used".into());
            }
            let builder =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
            Some(
                builder
                    .build()
                    .map_err(|error| format!("client_ca_file: {error}"))?,
            )
        } else {
            None
        };
        Ok(Self {
            auth,
            usual,
            trusted: authorities,
            allowed_sans,
            provider,
        })
    }

    fn check_chain(
        &self,
        own: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let Some(usual) = &self.usual else {
            return Ok(());
        };
        match usual.verify_client_cert(own, rest, now) {
            Ok(_) => Ok(()),
            // Said after the validity was checked, so an expired one does not get here.
            Err(error) if is_authority(&error) && self.trusted.contains(own) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn check_names(&self, own: &CertificateDer<'_>) -> Result<(), Error> {
        if self.allowed_sans.is_empty() {
            return Ok(());
        }
        let names = alternative_names(own).ok_or(CertificateError::BadEncoding)?;
        if names.iter().any(|name| self.allowed_sans.contains(name)) {
            Ok(())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }
}

/// The alternative names of the kinds that Go compares, in its writing.
fn alternative_names(certificate: &CertificateDer<'_>) -> Option<Vec<String>> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let Some(extension) = parsed.subject_alternative_name().ok()? else {
        return Some(Vec::new());
    };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
            Some((*name).to_owned())
        }
        GeneralName::IPAddress(bytes) => {
            let address = <[u8; 4]>::try_from(*bytes).map(std::net::IpAddr::from);
            let address = address.or_else(|_| <[u8; 16]>::try_from(*bytes).map(Into::into));
            address.ok().map(|it| it.to_canonical().to_string())
        }
        _ => None,
    };
    Some(
        extension
            .value
            .general_names
            .iter()
            .filter_map(name)
            .collect(),
    )
}

/// Whether the one objection is that the certificate is an authority's. rustls wraps this error
/// of its WebPKI without a variant of its own.
fn is_authority(error: &Error) -> bool {
    matches!(error, Error::InvalidCertificate(CertificateError::Other(other))
        if other.0.to_string() == "CaUsedAsEndEntity")
}

impl ClientCertVerifier for Clients {
    fn offer_client_auth(&self) -> bool {
        self.auth != ClientAuth::None
    }

    fn client_auth_mandatory(&self) -> bool {
        self.auth.is_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.usual
            .as_ref()
            .map_or(&[], |it| it.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check_chain(end_entity, intermediates, now)?;
        self.check_names(end_entity)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
