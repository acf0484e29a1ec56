//! The client settings of `prometheus.yml`, applied by the host so that no plugin sees a secret.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use periplus_config::{Authorization, BasicAuth, HttpClientConfig};
use url::Url;

use crate::oauth2::TokenSource;
use crate::proxy::ProxyRules;
use crate::tls;

/// Client settings, ready to use. Files with secrets are read for each request, as upstream does.
/// Cheap to clone; clones share one OAuth2 token.
#[derive(Clone, Default)]
pub struct ClientSettings {
    config: Arc<HttpClientConfig>,
    proxies: Arc<ProxyRules>,
    tokens: Option<Arc<TokenSource>>,
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Settings that exclude each other, or need what this host does not have; upstream's words
    /// where it has some.
    #[error("{0}")]
    Refused(&'static str),
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
    /// A value that cannot be used.
    #[error("`{setting}` cannot be used: {message}")]
    Invalid {
        /// The setting.
        setting: &'static str,
        /// Why, without the value.
        message: String,
    },
    /// No token, so no request.
    #[error("failed to fetch an OAuth2 token from `{url}`: {message}")]
    Token {
        /// Where tokens are fetched, without what may be secret.
        url: String,
        /// Why, without what the server said beyond its error code.
        message: String,
    },
}

// === impl ClientSettings ===

impl ClientSettings {
    /// Settings as configured; what can never work is an error here, not at the first request.
    /// Reads no file, and the environment only if the settings say so.
    pub fn new(config: HttpClientConfig) -> Result<Self, SettingsError> {
        if config.has_refs || config.tls.has_refs {
            return Err(SettingsError::Refused(
                "cannot use secret ref without manager",
            ));
        }
        tls::check(&config.tls)?;
        for name in config.http_headers.keys() {
            header_name(name)?;
        }
        let variable = |name: &str| std::env::var(name).ok();
        let proxies = ProxyRules::new(config.proxy_url.as_ref(), &config.proxy, variable)?;
        let tokens = config.oauth2.as_ref().map(TokenSource::new).transpose()?;
        Ok(Self {
            proxies: Arc::new(proxies),
            tokens: tokens.map(Arc::new),
            config: Arc::new(config),
        })
    }

    /// The settings as configured.
    pub fn config(&self) -> &HttpClientConfig {
        &self.config
    }

    pub(crate) fn proxies(&self) -> Arc<ProxyRules> {
        Arc::clone(&self.proxies)
    }

    /// The proxy on the way to a URL, with its credentials, for a client that connects by itself.
    #[must_use]
    pub fn proxy_for(&self, url: &Url) -> Option<Url> {
        self.proxies.route(&url.as_str().parse().ok()?)?.url()
    }

    /// Headers that the settings set, so that a plugin may not.
    pub(crate) fn reserved_headers(&self) -> Vec<HeaderName> {
        let names = self.config.http_headers.keys();
        let mut names: Vec<_> = names.filter_map(|name| header_name(name).ok()).collect();
        let config = &self.config;
        if config.basic_auth.is_some() || config.authorization.is_some() || config.oauth2.is_some()
        {
            names.push(AUTHORIZATION);
        }
        names
    }

    /// The headers of one request; reads the files that hold secrets, and fetches a token if the
    /// last one has expired. No value is printed by `Debug`.
    pub async fn headers(&self) -> Result<HeaderMap, SettingsError> {
        let mut headers = HeaderMap::new();
        if let Some(auth) = &self.config.basic_auth {
            headers.insert(AUTHORIZATION, basic(auth).await?);
        }
        if let Some(auth) = &self.config.authorization {
            headers.insert(AUTHORIZATION, authorization(auth).await?);
        }
        if let Some(tokens) = &self.tokens {
            headers.insert(AUTHORIZATION, tokens.header().await?);
        }
        for (name, values) in &self.config.http_headers {
            let name = header_name(name)?;
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

    /// A token is fetched anew for the next request.
    pub async fn forget_token(&self) {
        if let Some(tokens) = &self.tokens {
            tokens.forget_any().await;
        }
    }

    /// The server refused what it was sent: a token is fetched anew for the next request. Says
    /// whether there is one, so that asking again may help.
    pub(crate) async fn refused(&self, headers: &HeaderMap) -> bool {
        match (&self.tokens, headers.get(AUTHORIZATION)) {
            (Some(tokens), Some(used)) => {
                tokens.forget(used).await;
                true
            }
            _ => false,
        }
    }
}

impl std::fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.config.fmt(f)
    }
}

fn header_name(name: &str) -> Result<HeaderName, SettingsError> {
    HeaderName::try_from(name).map_err(|_| {
        SettingsError::invalid("http_headers", &format!("`{name}` is not a header name"))
    })
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
    basic_value("basic_auth", &username, &password)
}

/// `Basic` with user and password.
pub(crate) fn basic_value(
    setting: &'static str,
    username: &str,
    password: &str,
) -> Result<HeaderValue, SettingsError> {
    let pair = BASE64_STANDARD.encode(format!("{username}:{password}"));
    secret_value(setting, &format!("Basic {pair}"))
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

/// A file's text without blanks around it.
pub(crate) async fn read_text(setting: &'static str, path: &Path) -> Result<String, SettingsError> {
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
pub(crate) fn secret_value(
    setting: &'static str,
    text: &str,
) -> Result<HeaderValue, SettingsError> {
    let mut value = HeaderValue::from_bytes(text.as_bytes())
        .map_err(|_| SettingsError::invalid(setting, "it holds bytes that no header may have"))?;
    value.set_sensitive(true);
    Ok(value)
}

// === impl SettingsError ===

impl SettingsError {
    pub(crate) fn invalid(setting: &'static str, message: &str) -> Self {
        Self::Invalid {
            setting,
            message: message.to_owned(),
        }
    }
}
