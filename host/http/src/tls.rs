//! `tls_config`: from texts and files to a configuration of TLS.

mod verifier;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use periplus_config::{TlsConfig, TlsVersion};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

use self::verifier::{AnyServer, Pinned};
use crate::settings::SettingsError;

/// What the files and texts of a `tls_config` hold at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Material {
    ca: Option<Vec<u8>>,
    cert: Option<Vec<u8>>,
    key: Option<Key>,
}

/// A private key, which is printed nowhere.
#[derive(Clone, PartialEq, Eq)]
struct Key(Vec<u8>);

/// A configuration that is made when a connection first needs it: one that has only `http` to
/// speak reads no certificates of authorities.
pub(crate) struct LazyTls {
    settings: TlsConfig,
    material: Material,
    http2: bool,
    made: OnceCell<Made>,
}

/// Or why there can be none.
type Made = Result<Arc<ClientConfig>, Arc<str>>;

/// What can be said of the settings before anything is read.
pub(crate) fn check(tls: &TlsConfig) -> Result<(), SettingsError> {
    if tls.min_version > tls.max_version && tls.max_version.is_some() {
        return Err(SettingsError::Refused(
            "tls_config.max_version must be greater than or equal to tls_config.min_version if both \
             are specified",
        ));
    }
    if tls.max_version.is_some_and(|max| max < TlsVersion::Tls12) {
        return Err(SettingsError::invalid(
            "tls_config.max_version",
            "this host speaks TLS 1.2 and 1.3 alone",
        ));
    }
    server_name(tls).map(|_| ())
}

/// `server_name`, if it is written.
pub(crate) fn server_name(tls: &TlsConfig) -> Result<Option<ServerName<'static>>, SettingsError> {
    if tls.server_name.is_empty() {
        return Ok(None);
    }
    let name = ServerName::try_from(tls.server_name.clone());
    name.map(Some)
        .map_err(|_| SettingsError::invalid("tls_config.server_name", "it is no name of a host"))
}

/// Whether any part stands in a file, which may change.
pub(crate) fn has_files(tls: &TlsConfig) -> bool {
    tls.ca_file.is_some() || tls.cert_file.is_some() || tls.key_file.is_some()
}

/// Makes a configuration that offers HTTP/2 if `http2` says so.
fn client_config(
    tls: &TlsConfig,
    material: &Material,
    http2: bool,
) -> Result<ClientConfig, SettingsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions(tls))
        .map_err(|error| SettingsError::invalid("tls_config", &error.to_string()))?
        .dangerous();
    let builder = if tls.insecure_skip_verify {
        builder.with_custom_certificate_verifier(Arc::new(AnyServer(provider)))
    } else {
        builder.with_custom_certificate_verifier(Arc::new(verifier(material, provider)?))
    };
    let mut config = match (&material.cert, &material.key) {
        (Some(cert), Some(Key(key))) => {
            let chain = certificates("tls_config.cert", cert)?;
            let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| {
                SettingsError::invalid("tls_config.key", "it is not PEM with a private key")
            })?;
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                SettingsError::invalid(
                    "tls_config.cert",
                    &format!("certificate and key are no pair: {error}"),
                )
            })?
        }
        _ => builder.with_no_client_auth(),
    };
    if http2 {
        config.alpn_protocols.push(b"h2".to_vec());
    }
    config.alpn_protocols.push(b"http/1.1".to_vec());
    Ok(config)
}

/// Older versions than 1.2 are never offered: a lower `min_version` is met by 1.2.
fn versions(tls: &TlsConfig) -> Vec<&'static SupportedProtocolVersion> {
    let known = [
        (TlsVersion::Tls12, &rustls::version::TLS12),
        (TlsVersion::Tls13, &rustls::version::TLS13),
    ];
    let wanted = known.into_iter().filter(|(version, _)| {
        tls.min_version.is_none_or(|min| *version >= min)
            && tls.max_version.is_none_or(|max| *version <= max)
    });
    wanted.map(|(_, version)| version).collect()
}

fn verifier(material: &Material, provider: Arc<CryptoProvider>) -> Result<Pinned, SettingsError> {
    let (roots, pinned) = match &material.ca {
        Some(pem) => {
            let certificates = certificates("tls_config.ca", pem)?;
            let mut roots = RootCertStore::empty();
            let (added, _) = roots.add_parsable_certificates(certificates.iter().cloned());
            if added == 0 {
                return Err(SettingsError::invalid(
                    "tls_config.ca",
                    "no certificate in it can be used",
                ));
            }
            (Arc::new(roots), certificates)
        }
        None => (system_roots(), Vec::new()),
    };
    if roots.is_empty() {
        return Err(SettingsError::invalid(
            "tls_config",
            "this system has no certificates of authorities; set `ca_file`",
        ));
    }
    Pinned::new(roots, pinned, provider)
        .map_err(|error| SettingsError::invalid("tls_config.ca", &error.to_string()))
}

/// The system's authorities, read once in the life of the process, as Go does.
fn system_roots() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    });
    Arc::clone(roots)
}

fn certificates(
    setting: &'static str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match parsed {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(SettingsError::invalid(
            setting,
            "it is not PEM with certificates",
        )),
    }
}

// === impl LazyTls ===

impl LazyTls {
    /// Offers HTTP/2 if `http2` says so.
    pub(crate) fn new(settings: TlsConfig, material: Material, http2: bool) -> Self {
        Self {
            settings,
            material,
            http2,
            made: OnceCell::new(),
        }
    }

    /// The configuration; makes it on a thread that may block, since the first one of the process
    /// reads the system's authorities.
    pub(crate) async fn get(&self) -> Made {
        let make = async || {
            let (settings, material) = (self.settings.clone(), self.material.clone());
            let http2 = self.http2;
            let made = spawn_blocking(move || client_config(&settings, &material, http2)).await;
            match made {
                Ok(Ok(config)) => Ok(Arc::new(config)),
                Ok(Err(error)) => Err(error.to_string().into()),
                Err(error) => Err(format!("setting TLS up failed: {error}").into()),
            }
        };
        self.made.get_or_init(make).await.clone()
    }
}

// === impl Material ===

impl Material {
    /// Reads the files.
    pub(crate) async fn read(tls: &TlsConfig) -> Result<Self, SettingsError> {
        let key = part(
            "tls_config.key_file",
            tls.key.expose(),
            tls.key_file.as_deref(),
        )
        .await?;
        Ok(Self {
            ca: part("tls_config.ca_file", &tls.ca, tls.ca_file.as_deref()).await?,
            cert: part("tls_config.cert_file", &tls.cert, tls.cert_file.as_deref()).await?,
            key: key.map(Key),
        })
    }
}

async fn part(
    setting: &'static str,
    inline: &str,
    path: Option<&Path>,
) -> Result<Option<Vec<u8>>, SettingsError> {
    if !inline.is_empty() {
        return Ok(Some(inline.as_bytes().to_vec()));
    }
    let Some(path) = path else {
        return Ok(None);
    };
    match tokio::fs::read(path).await {
        Ok(content) => Ok(Some(content)),
        Err(source) => Err(SettingsError::File {
            setting,
            path: path.to_owned(),
            source,
        }),
    }
}

// === impl Key ===

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<secret>")
    }
}
