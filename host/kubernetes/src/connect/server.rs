//! `api_server` with the HTTP client settings of its section.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use kube::config::{AuthInfo, Config};
use periplus_config::{HttpClientConfig, TlsConfig, TlsVersion};
use periplus_http::ClientSettings;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use url::Url;

use super::ApiError;
use crate::api::error::with_causes;

/// What is written and cannot be done: better a refusal than a connection that is not as asked.
pub(super) fn refuse_unserved(http: &HttpClientConfig) -> Result<(), String> {
    let unserved = [
        (
            "proxy_connect_header",
            !http.proxy.connect_header.is_empty(),
        ),
        (
            "tls_config.min_version",
            http.tls
                .min_version
                .is_some_and(|version| version > TlsVersion::Tls12),
        ),
        (
            "tls_config.max_version",
            http.tls
                .max_version
                .is_some_and(|version| version < TlsVersion::Tls13),
        ),
    ];
    match unserved.iter().find(|(_, written)| *written) {
        Some((key, _)) => Err(format!("`{key}` is not served yet for an `api_server`")),
        None => Ok(()),
    }
}

/// Reads what is needed to connect.
pub(super) fn load(url: &Url, settings: &ClientSettings) -> Result<Config, ApiError> {
    let uri = url.as_str().parse().map_err(|error| {
        ApiError::Setup(format!("`{url}` is no address of an API server: {error}"))
    })?;
    let mut config = Config::new(uri);
    let tls = &settings.config().tls;
    config.accept_invalid_certs = tls.insecure_skip_verify;
    config.tls_server_name = Some(tls.server_name.clone()).filter(|name| !name.is_empty());
    if let Some(path) = &tls.ca_file {
        config.root_cert = Some(read_certificates(path)?);
    } else if !tls.ca.is_empty() {
        config.root_cert = Some(certificates(tls.ca.as_bytes(), "`tls_config.ca`")?);
    }
    config.auth_info = identity(tls)?;
    config.proxy_url = proxy(url, settings)?;
    Ok(config)
}

/// The certificates in a PEM file.
pub(super) fn read_certificates(path: &Path) -> Result<Vec<Vec<u8>>, ApiError> {
    certificates(&read(path)?, &format!("`{}`", path.display()))
}

fn certificates(pem: &[u8], what: &str) -> Result<Vec<Vec<u8>>, ApiError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem)
        .map(|certificate| certificate.map(|certificate| certificate.to_vec()))
        .collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(ApiError::Setup(format!("no certificate in {what}"))),
        Err(error) => Err(ApiError::Setup(format!(
            "cannot read certificates in {what}: {error}"
        ))),
    }
}

/// The client certificate, in the form that a kubeconfig has it.
fn identity(tls: &TlsConfig) -> Result<AuthInfo, ApiError> {
    let cert = match &tls.cert_file {
        Some(path) => read(path)?,
        None => tls.cert.as_bytes().to_vec(),
    };
    if cert.is_empty() {
        return Ok(AuthInfo::default());
    }
    let key = match &tls.key_file {
        Some(path) => read(path)?,
        None => tls.key.expose().as_bytes().to_vec(),
    };
    let identity = serde_json::json!({
        "client-certificate-data": STANDARD.encode(cert),
        "client-key-data": STANDARD.encode(key),
    });
    serde_json::from_value(identity).map_err(|error| {
        ApiError::Setup(format!(
            "cannot use the client certificate: {}",
            with_causes(&error)
        ))
    })
}

/// The headers that a request needs right now: files are read for each, as upstream does.
pub(super) async fn headers(settings: &ClientSettings) -> Result<HeaderMap, ApiError> {
    let headers = settings.headers().await;
    headers.map_err(|error| ApiError::Setup(with_causes(&error)))
}

/// The proxy on the way to `url`, if there is one.
fn proxy(url: &Url, settings: &ClientSettings) -> Result<Option<http::Uri>, ApiError> {
    let proxy = settings.proxy_for(url).map(|proxy| proxy.as_str().parse());
    proxy
        .transpose()
        .map_err(|error| ApiError::Setup(format!("`proxy_url` is no address: {error}")))
}

fn read(path: &Path) -> Result<Vec<u8>, ApiError> {
    std::fs::read(path)
        .map_err(|error| ApiError::Setup(format!("cannot read `{}`: {error}", path.display())))
}
