//! `api_server` with the HTTP client settings of its section.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use kube::config::{AuthInfo, Config};
use periplus_config::{Authorization, BasicAuth, HttpClientConfig, TlsConfig, TlsVersion};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use url::Url;

use super::ApiError;
use crate::api::error::with_causes;

/// What is written and cannot be done: better a refusal than a connection that is not as asked.
pub(super) fn refuse_unserved(http: &HttpClientConfig) -> Result<(), String> {
    let unserved = [
        ("oauth2", http.oauth2.is_some()),
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
pub(super) fn load(url: &Url, http: &HttpClientConfig) -> Result<Config, ApiError> {
    let uri = url.as_str().parse().map_err(|error| {
        ApiError::Setup(format!("`{url}` is no address of an API server: {error}"))
    })?;
    let mut config = Config::new(uri);
    let tls = &http.tls;
    config.accept_invalid_certs = tls.insecure_skip_verify;
    config.tls_server_name = Some(tls.server_name.clone()).filter(|name| !name.is_empty());
    if let Some(path) = &tls.ca_file {
        config.root_cert = Some(read_certificates(path)?);
    } else if !tls.ca.is_empty() {
        config.root_cert = Some(certificates(tls.ca.as_bytes(), "`tls_config.ca`")?);
    }
    config.auth_info = identity(tls)?;
    config.proxy_url = proxy(url, http)?;
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
pub(super) fn headers(http: &HttpClientConfig) -> Result<HeaderMap, ApiError> {
    let mut headers = HeaderMap::new();
    for (name, values) in &http.http_headers {
        let name: HeaderName = name
            .parse()
            .map_err(|_| ApiError::Setup(format!("`{name}` is no name of an HTTP header")))?;
        for value in &values.values {
            headers.append(&name, header(value, name.as_str())?);
        }
        for secret in &values.secrets {
            headers.append(&name, sensitive(secret.expose(), name.as_str())?);
        }
        for path in &values.files {
            headers.append(&name, sensitive(read_text(path)?.trim(), name.as_str())?);
        }
    }
    let authorization = match (&http.basic_auth, &http.authorization) {
        (Some(basic), _) => Some(basic_header(basic)?),
        (None, Some(authorization)) => authorization_header(authorization)?,
        (None, None) => None,
    };
    if let Some(value) = authorization {
        let value = sensitive(&value, "authorization")?;
        headers.insert(http::header::AUTHORIZATION, value);
    }
    Ok(headers)
}

fn basic_header(basic: &BasicAuth) -> Result<String, ApiError> {
    let user = match &basic.username_file {
        Some(path) => read_text(path)?.trim().to_owned(),
        None => basic.username.clone(),
    };
    let password = match &basic.password_file {
        Some(path) => read_text(path)?.trim().to_owned(),
        None => basic.password.expose().to_owned(),
    };
    Ok(format!(
        "Basic {}",
        STANDARD.encode(format!("{user}:{password}"))
    ))
}

fn authorization_header(authorization: &Authorization) -> Result<Option<String>, ApiError> {
    let credentials = match &authorization.credentials_file {
        Some(path) => read_text(path)?.trim().to_owned(),
        None => authorization.credentials.expose().to_owned(),
    };
    let kind = if authorization.kind.is_empty() {
        "Bearer"
    } else {
        &authorization.kind
    };
    Ok((!credentials.is_empty()).then(|| format!("{kind} {credentials}")))
}

fn header(value: &str, name: &str) -> Result<HeaderValue, ApiError> {
    HeaderValue::from_str(value)
        .map_err(|_| ApiError::Setup(format!("the value for header `{name}` has forbidden bytes")))
}

fn sensitive(value: &str, name: &str) -> Result<HeaderValue, ApiError> {
    let mut value = header(value, name)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The proxy on the way to `url`, if there is one.
fn proxy(url: &Url, http: &HttpClientConfig) -> Result<Option<http::Uri>, ApiError> {
    let variable = |name: &str| {
        [name.to_ascii_uppercase(), name.to_owned()]
            .iter()
            .find_map(|name| std::env::var(name).ok())
            .filter(|value| !value.is_empty())
    };
    let (proxy, direct) = if http.proxy.from_environment {
        let name = if url.scheme() == "https" {
            "https_proxy"
        } else {
            "http_proxy"
        };
        (variable(name), variable("no_proxy").unwrap_or_default())
    } else {
        (
            http.proxy_url.as_ref().map(|url| url.expose().to_owned()),
            http.proxy.no_proxy.clone(),
        )
    };
    let Some(proxy) = proxy.filter(|proxy| !proxy.is_empty() && !is_direct(url, &direct)) else {
        return Ok(None);
    };
    let proxy = if proxy.contains("://") {
        proxy
    } else {
        format!("http://{proxy}")
    };
    let uri = proxy
        .parse()
        .map_err(|error| ApiError::Setup(format!("`proxy_url` is no address: {error}")))?;
    Ok(Some(uri))
}

/// Whether `no_proxy` names the host: itself, a domain above it, or `*`.
fn is_direct(url: &Url, no_proxy: &str) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or_default().to_string();
    no_proxy
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .any(|entry| {
            let (name, wanted_port) = match entry.rsplit_once(':') {
                Some((name, port)) if !name.contains(':') => (name, Some(port)),
                _ => (entry, None),
            };
            let above = name.strip_prefix("*.").or_else(|| name.strip_prefix('.'));
            let matches = match above {
                Some(domain) => host
                    .strip_suffix(domain)
                    .is_some_and(|rest| rest.ends_with('.')),
                None => {
                    name == "*"
                        || host == name.trim_matches(['[', ']'])
                        || host
                            .strip_suffix(name)
                            .is_some_and(|rest| rest.ends_with('.'))
                }
            };
            matches && wanted_port.is_none_or(|wanted| wanted == port)
        })
}

fn read(path: &Path) -> Result<Vec<u8>, ApiError> {
    std::fs::read(path)
        .map_err(|error| ApiError::Setup(format!("cannot read `{}`: {error}", path.display())))
}

fn read_text(path: &Path) -> Result<String, ApiError> {
    std::fs::read_to_string(path)
        .map_err(|error| ApiError::Setup(format!("cannot read `{}`: {error}", path.display())))
}
