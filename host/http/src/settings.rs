//! The client settings of `prometheus.yml`, applied by the host so that no plugin sees a secret.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use periplus_config::{Authorization, BasicAuth, HttpClientConfig, TlsConfig, TlsVersion};

/// Client settings, ready to use. Files with secrets are read for each request, as upstream does.
#[derive(Clone, Default)]
pub struct ClientSettings {
    config: HttpClientConfig,
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A setting that is not offered yet.
    #[error("`{0}` is not offered for requests of plugins by this host yet")]
    NotOffered(&'static str),
    /// A file that a setting names.
    #[error("failed to read `{}` of `{setting}`", path.display())]
    File {
        /// The setting.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A value that the client refuses.
    #[error("`{setting}` cannot be used: {message}")]
    Invalid {
        /// The setting.
        setting: &'static str,
        /// Why, without the value.
        message: String,
    },
    /// The client could not be set up.
    #[error("failed to set up the HTTP client")]
    Client(#[source] reqwest::Error),
}

// === impl ClientSettings ===

impl ClientSettings {
    /// Settings as configured; what is not offered yet is an error here, not at the first request.
    pub fn new(config: HttpClientConfig) -> Result<Self, SettingsError> {
        if config.oauth2.is_some() {
            return Err(SettingsError::NotOffered("oauth2"));
        }
        if !config.tls.server_name.is_empty() {
            return Err(SettingsError::NotOffered("tls_config.server_name"));
        }
        if config.proxy.from_environment {
            return Err(SettingsError::NotOffered("proxy_from_environment"));
        }
        if !config.proxy.connect_header.is_empty() {
            return Err(SettingsError::NotOffered("proxy_connect_header"));
        }
        Ok(Self { config })
    }

    /// Whether redirects are followed.
    pub(crate) fn follows_redirects(&self) -> bool {
        self.config.follow_redirects
    }

    /// The host of the proxy, which may resolve to any address.
    pub(crate) fn proxy_host(&self) -> Option<String> {
        let url = url::Url::parse(self.config.proxy_url.as_deref()?).ok()?;
        url.host_str().map(str::to_owned)
    }

    /// Headers that the settings set, so that a plugin may not.
    pub(crate) fn reserved_headers(&self) -> Vec<HeaderName> {
        let mut names: Vec<_> = self
            .config
            .http_headers
            .keys()
            .filter_map(|name| HeaderName::try_from(name.as_str()).ok())
            .collect();
        if self.config.basic_auth.is_some() || self.config.authorization.is_some() {
            names.push(AUTHORIZATION);
        }
        names
    }

    /// TLS and proxy of the client.
    pub(crate) fn apply(
        &self,
        mut builder: reqwest::ClientBuilder,
    ) -> Result<reqwest::ClientBuilder, SettingsError> {
        builder = apply_tls(builder, &self.config.tls)?;
        if !self.config.enable_http2 {
            builder = builder.http1_only();
        }
        let Some(url) = &self.config.proxy_url else {
            return Ok(builder.no_proxy());
        };
        let proxy = reqwest::Proxy::all(url.as_str())
            .map_err(|_| invalid("proxy_url", "it is not a URL of a proxy"))?
            .no_proxy(reqwest::NoProxy::from_string(&self.config.proxy.no_proxy));
        Ok(builder.proxy(proxy))
    }

    /// The headers of one request; reads the files that hold secrets.
    pub(crate) async fn headers(&self) -> Result<HeaderMap, SettingsError> {
        let mut headers = HeaderMap::new();
        if let Some(auth) = &self.config.basic_auth {
            headers.insert(AUTHORIZATION, basic(auth).await?);
        }
        if let Some(auth) = &self.config.authorization {
            headers.insert(AUTHORIZATION, authorization(auth).await?);
        }
        for (name, values) in &self.config.http_headers {
            let name = HeaderName::try_from(name.as_str())
                .map_err(|_| invalid("http_headers", "a name is not a header name"))?;
            for value in &values.values {
                headers.append(&name, secret_value("http_headers", value)?);
            }
            for value in &values.secrets {
                headers.append(&name, secret_value("http_headers", value.expose())?);
            }
            for path in &values.files {
                let value = read_text("http_headers", path).await?;
                headers.append(&name, secret_value("http_headers", &value)?);
            }
        }
        Ok(headers)
    }
}

async fn basic(auth: &BasicAuth) -> Result<HeaderValue, SettingsError> {
    let username = match &auth.username_file {
        Some(path) => read_text("basic_auth", path).await?,
        None => auth.username.clone(),
    };
    let password = match &auth.password_file {
        Some(path) => read_text("basic_auth", path).await?,
        None => auth.password.expose().to_owned(),
    };
    let text = format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("{username}:{password}"))
    );
    secret_value("basic_auth", &text)
}

async fn authorization(auth: &Authorization) -> Result<HeaderValue, SettingsError> {
    let credentials = match &auth.credentials_file {
        Some(path) => read_text("authorization", path).await?,
        None => auth.credentials.expose().to_owned(),
    };
    let kind = if auth.kind.is_empty() {
        "Bearer"
    } else {
        &auth.kind
    };
    secret_value("authorization", &format!("{kind} {credentials}"))
}

fn apply_tls(
    mut builder: reqwest::ClientBuilder,
    tls: &TlsConfig,
) -> Result<reqwest::ClientBuilder, SettingsError> {
    if let Some(pem) = pem("tls_config.ca", &tls.ca, tls.ca_file.as_deref())? {
        let certificates = reqwest::Certificate::from_pem_bundle(&pem)
            .map_err(|_| invalid("tls_config.ca", "it is not PEM with certificates"))?;
        builder = builder.tls_certs_only(certificates);
    }
    let certificate = pem("tls_config.cert", &tls.cert, tls.cert_file.as_deref())?;
    let key = pem("tls_config.key", tls.key.expose(), tls.key_file.as_deref())?;
    if let (Some(mut both), Some(key)) = (certificate, key) {
        both.push(b'\n');
        both.extend_from_slice(&key);
        let identity = reqwest::Identity::from_pem(&both)
            .map_err(|_| invalid("tls_config.cert", "certificate and key are no PEM pair"))?;
        builder = builder.identity(identity);
    }
    if tls.insecure_skip_verify {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    if let Some(version) = tls.min_version.and_then(version) {
        builder = builder.tls_version_min(version);
    }
    if let Some(version) = tls.max_version.and_then(version) {
        builder = builder.tls_version_max(version);
    }
    Ok(builder)
}

/// rustls knows no version below 1.2.
fn version(version: TlsVersion) -> Option<reqwest::tls::Version> {
    match version {
        TlsVersion::Tls10 | TlsVersion::Tls11 => None,
        TlsVersion::Tls12 => Some(reqwest::tls::Version::TLS_1_2),
        TlsVersion::Tls13 => Some(reqwest::tls::Version::TLS_1_3),
    }
}

fn pem(
    setting: &'static str,
    inline: &str,
    path: Option<&Path>,
) -> Result<Option<Vec<u8>>, SettingsError> {
    if !inline.is_empty() {
        return Ok(Some(inline.as_bytes().to_vec()));
    }
    path.map(|path| {
        std::fs::read(path).map_err(|source| SettingsError::File {
            setting,
            path: path.to_owned(),
            source,
        })
    })
    .transpose()
}

async fn read_text(setting: &'static str, path: &Path) -> Result<String, SettingsError> {
    let text = tokio::fs::read_to_string(path)
        .await
        .map_err(|source| SettingsError::File {
            setting,
            path: path.to_owned(),
            source,
        })?;
    Ok(text.trim().to_owned())
}

/// A value that no log prints.
fn secret_value(setting: &'static str, text: &str) -> Result<HeaderValue, SettingsError> {
    let mut value = HeaderValue::from_bytes(text.as_bytes())
        .map_err(|_| invalid(setting, "it holds bytes that no header may have"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn invalid(setting: &'static str, message: &str) -> SettingsError {
    SettingsError::Invalid {
        setting,
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_offered_is_refused_by_name() {
        let oauth2 = HttpClientConfig {
            oauth2: Some(periplus_config::OAuth2::default()),
            ..Default::default()
        };
        let mut connect_header = HttpClientConfig::default();
        let headers = &mut connect_header.proxy.connect_header;
        headers.insert("X-Team".to_owned(), Vec::new());
        for (config, name) in [
            (oauth2, "`oauth2`"),
            (connect_header, "`proxy_connect_header`"),
        ] {
            let error = ClientSettings::new(config).err().unwrap().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
