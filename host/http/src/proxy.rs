//! Which proxy a request goes through, by the rules of Prometheus (Go's `httpproxy`).

mod bypass;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::PROXY_AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use periplus_config::{ProxyConfig, SecretUrl};
use url::Url;

use self::bypass::Bypass;
use crate::settings::SettingsError;

/// `proxy_url`, `no_proxy`, `proxy_from_environment` and `proxy_connect_header`, ready to use.
#[derive(Debug, Default)]
pub(crate) struct ProxyRules {
    /// For `http` URLs.
    http: Option<Proxy>,
    /// For `https` URLs.
    https: Option<Proxy>,
    bypass: Bypass,
    connect_headers: HeaderMap,
}

/// One proxy.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub(crate) scheme: ProxyScheme,
    /// Without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    credentials: Option<(String, String)>,
}

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyScheme {
    Http,
    Https,
    /// Names are resolved by the proxy, for `socks5` as for `socks5h`.
    Socks5,
}

// === impl ProxyRules ===

impl ProxyRules {
    /// Reads the settings; `variable` looks up the environment.
    pub(crate) fn new(
        url: Option<&SecretUrl>,
        config: &ProxyConfig,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingsError> {
        let connect_headers = connect_headers(config)?;
        if config.from_environment {
            let either = |upper: &str| {
                let lower = upper.to_ascii_lowercase();
                let found = variable(upper).filter(|value| !value.is_empty());
                found.or_else(|| variable(&lower).filter(|value| !value.is_empty()))
            };
            // One that cannot be understood is passed over, as upstream does.
            let proxy = |name| either(name).and_then(|text| Proxy::lenient(&text));
            return Ok(Self {
                http: proxy("HTTP_PROXY"),
                https: proxy("HTTPS_PROXY"),
                bypass: Bypass::new(&either("NO_PROXY").unwrap_or_default()),
                connect_headers,
            });
        }
        let Some(url) = url.filter(|url| !url.is_empty()) else {
            return Ok(Self::default());
        };
        let proxy = Proxy::parse(url.expose())?;
        // Without `no_proxy` even this machine is reached through the proxy.
        let bypass = match config.no_proxy.as_str() {
            "" => Bypass::nothing(),
            list => Bypass::new(list),
        };
        Ok(Self {
            http: Some(proxy.clone()),
            https: Some(proxy),
            bypass,
            connect_headers,
        })
    }

    /// The proxy on the way to an absolute URL; none if it is reached directly.
    pub(crate) fn route(&self, uri: &Uri) -> Option<&Proxy> {
        let (proxy, default_port) = match uri.scheme_str()? {
            "http" => (self.http.as_ref()?, 80),
            "https" => (self.https.as_ref()?, 443),
            _ => return None,
        };
        let host = uri.host()?.trim_matches(['[', ']']);
        let port = uri.port_u16().unwrap_or(default_port);
        (!self.bypass.matches(host, port)).then_some(proxy)
    }

    /// Headers of a `CONNECT` through this proxy.
    pub(crate) fn connect_headers(&self, proxy: &Proxy) -> HeaderMap {
        let mut headers = self.connect_headers.clone();
        headers.extend(proxy.authorization().map(|it| (PROXY_AUTHORIZATION, it)));
        headers
    }

    /// What a plain `http` request must say to its proxy, which reads the request itself.
    pub(crate) fn forward_authorization(&self, uri: &Uri) -> Option<HeaderValue> {
        let is_plain = uri.scheme_str() == Some("http");
        let proxy = self.route(uri).filter(|_| is_plain)?;
        let reads_requests = proxy.scheme != ProxyScheme::Socks5;
        proxy.authorization().filter(|_| reads_requests)
    }
}

fn connect_headers(config: &ProxyConfig) -> Result<HeaderMap, SettingsError> {
    let invalid = |message: &str| SettingsError::invalid("proxy_connect_header", message);
    let mut headers = HeaderMap::new();
    for (name, values) in &config.connect_header {
        let name = HeaderName::try_from(name.as_str())
            .map_err(|_| invalid(&format!("`{name}` is not a header name")))?;
        for value in values {
            let mut value = HeaderValue::from_str(value.expose())
                .map_err(|_| invalid(&format!("a value of `{name}` has forbidden bytes")))?;
            value.set_sensitive(true);
            headers.append(&name, value);
        }
    }
    Ok(headers)
}

// === impl Proxy ===

impl Proxy {
    fn parse(text: &str) -> Result<Self, SettingsError> {
        let invalid = |message: &str| SettingsError::invalid("proxy_url", message);
        let hint = "write it as `http://host:port`; schemes are http, https, socks5 and socks5h";
        let url = Url::parse(text).map_err(|_| invalid(&format!("it is not a URL; {hint}")))?;
        let (scheme, default_port) = match url.scheme() {
            "http" => (ProxyScheme::Http, 80),
            "https" => (ProxyScheme::Https, 443),
            "socks5" | "socks5h" => (ProxyScheme::Socks5, 1080),
            other => return Err(invalid(&format!("scheme `{other}` is not known; {hint}"))),
        };
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        if host.is_empty() {
            return Err(invalid(&format!("it has no host; {hint}")));
        }
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let password = url.password().unwrap_or_default();
        let credentials = (!url.username().is_empty() || !password.is_empty())
            .then(|| (decoded(url.username()), decoded(password)));
        Ok(Self {
            scheme,
            host: host.to_owned(),
            port: url.port().unwrap_or(default_port),
            credentials,
        })
    }

    /// As variables of the environment are read: `host:port` is a proxy that speaks HTTP.
    fn lenient(text: &str) -> Option<Self> {
        let parsed = Self::parse(text).or_else(|_| Self::parse(&format!("http://{text}")));
        parsed.ok()
    }

    /// User and password, decoded.
    pub(crate) fn credentials(&self) -> Option<(&str, &str)> {
        let (user, password) = self.credentials.as_ref()?;
        Some((user, password))
    }

    /// The proxy as a URL, with its credentials.
    pub(crate) fn url(&self) -> Option<Url> {
        let mut url = Url::parse(&self.to_string()).ok()?;
        if let Some((user, password)) = self.credentials() {
            url.set_username(user).ok()?;
            url.set_password(Some(password)).ok()?;
        }
        Some(url)
    }

    fn authorization(&self) -> Option<HeaderValue> {
        let (user, password) = self.credentials()?;
        let encoded = BASE64_STANDARD.encode(format!("{user}:{password}"));
        let mut value = HeaderValue::try_from(format!("Basic {encoded}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// Without credentials.
impl std::fmt::Display for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = match self.scheme {
            ProxyScheme::Http => "http",
            ProxyScheme::Https => "https",
            ProxyScheme::Socks5 => "socks5",
        };
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        write!(f, "{scheme}://{host}:{}", self.port)
    }
}

#[cfg(test)]
mod tests;
