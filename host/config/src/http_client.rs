//! HTTP client settings, as Prometheus configures them everywhere.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::secret::Secret;
use crate::secret_url::SecretUrl;

/// How requests are made: authentication, TLS, proxies, headers. File paths are joined with the
/// configuration's directory.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HttpClientConfig {
    /// `basic_auth`; present even if it is empty.
    pub basic_auth: Option<BasicAuth>,
    /// `authorization`, or what `bearer_token` and `bearer_token_file` stand for.
    pub authorization: Option<Authorization>,
    /// `oauth2`.
    pub oauth2: Option<OAuth2>,
    /// `tls_config`.
    pub tls: TlsConfig,
    /// Whether redirects are followed; true unless written.
    pub follow_redirects: bool,
    /// Whether HTTP/2 is offered; true unless written.
    pub enable_http2: bool,
    /// `proxy_url`, as written.
    pub proxy_url: Option<SecretUrl>,
    /// `no_proxy`, `proxy_from_environment`, `proxy_connect_header`.
    pub proxy: ProxyConfig,
    /// `http_headers`, added to each request.
    pub http_headers: BTreeMap<String, HeaderValues>,
    /// Whether a secret is left to a secret manager (`password_ref` and the like), which Prometheus
    /// accepts in a file and cannot use.
    #[serde(skip)]
    pub has_refs: bool,
}

/// `basic_auth`; of each pair at most one is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BasicAuth {
    /// The user.
    pub username: String,
    /// A file with the user, read for each request.
    pub username_file: Option<PathBuf>,
    /// The password.
    pub password: Secret,
    /// A file with the password, read for each request.
    pub password_file: Option<PathBuf>,
}

/// The header `Authorization: <kind> <credentials>`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Authorization {
    /// `Bearer` unless written.
    pub kind: String,
    /// The credentials.
    pub credentials: Secret,
    /// A file with the credentials, read for each request.
    pub credentials_file: Option<PathBuf>,
}

/// `oauth2`: client credentials or a signed assertion (RFC 7523).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct OAuth2 {
    /// The client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
    /// A file with its secret.
    pub client_secret_file: Option<PathBuf>,
    /// Names the key that signs assertions.
    pub client_certificate_key_id: String,
    /// The key that signs assertions.
    pub client_certificate_key: Secret,
    /// A file with the key that signs assertions. Not joined with the directory, as upstream.
    pub client_certificate_key_file: Option<PathBuf>,
    /// Empty for client credentials.
    pub grant_type: String,
    /// Empty for RS256.
    pub signature_algorithm: String,
    /// Issuer of assertions; empty for the client.
    pub iss: String,
    /// Audience of assertions; empty for the token URL.
    pub audience: String,
    /// Further claims of assertions.
    pub claims: serde_json::Map<String, serde_json::Value>,
    /// Scopes to ask for.
    pub scopes: Vec<String>,
    /// Where tokens are fetched.
    pub token_url: SecretUrl,
    /// Further parameters of the token request.
    pub endpoint_params: BTreeMap<String, String>,
    /// TLS towards the token URL.
    pub tls: TlsConfig,
    /// `proxy_url` towards the token URL.
    pub proxy_url: Option<SecretUrl>,
    /// Proxies towards the token URL.
    pub proxy: ProxyConfig,
}

/// `tls_config`; texts are PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TlsConfig {
    /// Certificates that are trusted.
    pub ca: String,
    /// A file with certificates that are trusted.
    pub ca_file: Option<PathBuf>,
    /// The client's certificate.
    pub cert: String,
    /// A file with the client's certificate.
    pub cert_file: Option<PathBuf>,
    /// The client's key.
    pub key: Secret,
    /// A file with the client's key.
    pub key_file: Option<PathBuf>,
    /// The name that the server must prove; empty for the host of the URL.
    pub server_name: String,
    /// Accept any certificate.
    pub insecure_skip_verify: bool,
    /// The lowest version of TLS.
    pub min_version: Option<TlsVersion>,
    /// The highest version of TLS.
    pub max_version: Option<TlsVersion>,
    /// Whether a part is left to a secret manager, as [`HttpClientConfig::has_refs`].
    #[serde(skip)]
    pub has_refs: bool,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TlsVersion {
    /// TLS 1.0
    Tls10,
    /// TLS 1.1
    Tls11,
    /// TLS 1.2
    Tls12,
    /// TLS 1.3
    Tls13,
}

/// Which proxies are used beyond `proxy_url`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProxyConfig {
    /// Hosts that are reached directly.
    pub no_proxy: String,
    /// Take proxies from the environment.
    pub from_environment: bool,
    /// Headers for `CONNECT`.
    pub connect_header: BTreeMap<String, Vec<Secret>>,
}

/// The values of one header in `http_headers`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HeaderValues {
    /// Values in plain text.
    pub values: Vec<String>,
    /// Values that are secrets.
    pub secrets: Vec<Secret>,
    /// Files with values.
    pub files: Vec<PathBuf>,
}

// === impl HttpClientConfig ===

impl Default for HttpClientConfig {
    fn default() -> Self {
        Self {
            basic_auth: None,
            authorization: None,
            oauth2: None,
            tls: TlsConfig::default(),
            follow_redirects: true,
            enable_http2: true,
            proxy_url: None,
            proxy: ProxyConfig::default(),
            http_headers: BTreeMap::new(),
            has_refs: false,
        }
    }
}

impl HttpClientConfig {
    /// The keys under which these settings are written.
    pub const KEYS: [&'static str; 13] = [
        "basic_auth",
        "authorization",
        "oauth2",
        "bearer_token",
        "bearer_token_file",
        "tls_config",
        "follow_redirects",
        "enable_http2",
        "proxy_url",
        "no_proxy",
        "proxy_from_environment",
        "proxy_connect_header",
        "http_headers",
    ];

    /// The secrets in a fixed order; the serialised form does not show them.
    pub(crate) fn secrets(&self) -> Vec<&str> {
        let mut secrets = vec![
            self.basic_auth
                .as_ref()
                .map_or("", |basic| basic.password.expose()),
            self.authorization
                .as_ref()
                .map_or("", |it| it.credentials.expose()),
            self.tls.key.expose(),
        ];
        if let Some(oauth2) = &self.oauth2 {
            secrets.extend([
                oauth2.client_secret.expose(),
                oauth2.client_certificate_key.expose(),
                oauth2.tls.key.expose(),
            ]);
            secrets.extend(
                oauth2
                    .proxy
                    .connect_header
                    .values()
                    .flatten()
                    .map(Secret::expose),
            );
        }
        secrets.extend(
            self.proxy
                .connect_header
                .values()
                .flatten()
                .map(Secret::expose),
        );
        let headers = self
            .http_headers
            .values()
            .flat_map(|header| &header.secrets);
        secrets.extend(headers.map(Secret::expose));
        secrets.extend(self.proxy_url.as_ref().and_then(SecretUrl::secret));
        if let Some(oauth2) = &self.oauth2 {
            secrets.extend(oauth2.token_url.secret());
            secrets.extend(oauth2.proxy_url.as_ref().and_then(SecretUrl::secret));
        }
        secrets
    }
}
