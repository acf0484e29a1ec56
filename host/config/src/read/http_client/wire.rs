//! Proxies and headers.

use std::collections::BTreeMap;

use crate::http_client::{HeaderValues, ProxyConfig};
use crate::read::{Context, path, url};
use crate::secret::Secret;
use crate::secret_url::SecretUrl;
use crate::yaml::{Fields, Value};

/// Headers that nobody may set.
const RESERVED_HEADERS: [&str; 18] = [
    "Authorization",
    "Host",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "User-Agent",
    "Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Www-Authenticate",
    "Accept-Encoding",
    "X-Prometheus-Remote-Write-Version",
    "X-Prometheus-Remote-Read-Version",
    "X-Prometheus-Scrape-Timeout-Seconds",
    "X-Amz-Date",
    "X-Amz-Security-Token",
    "X-Amz-Content-Sha256",
];

pub(super) fn take_proxy(fields: &mut Fields<'_>) -> (Option<SecretUrl>, ProxyConfig) {
    let proxy_url = fields
        .read("proxy_url", |value| url::read(&value))
        .map(|url| SecretUrl::new(url.text));
    let proxy = ProxyConfig {
        no_proxy: fields.string("no_proxy"),
        from_environment: fields.bool("proxy_from_environment", false),
        connect_header: fields
            .read("proxy_connect_header", |value| read_connect_header(&value))
            .unwrap_or_default(),
    };
    (proxy_url, proxy)
}

fn read_connect_header(value: &Value<'_>) -> Option<BTreeMap<String, Vec<Secret>>> {
    let pairs = value.map("config.ProxyHeader")?;
    let header = pairs.iter().filter_map(|(key, value)| {
        let values = value.list("[]config.Secret", |item| item.string().map(Secret::new))?;
        Some((key.string()?, values))
    });
    Some(header.collect())
}

pub(super) fn check_proxy(
    fields: &Fields<'_>,
    proxy_url: Option<&SecretUrl>,
    proxy: &ProxyConfig,
) -> Option<()> {
    let has_url = proxy_url.is_some_and(|url| !url.is_empty());
    let problem = if !proxy.connect_header.is_empty() && !proxy.from_environment && !has_url {
        Some((
            "proxy_connect_header",
            "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured",
        ))
    } else if proxy.from_environment && has_url {
        Some((
            "proxy_url",
            "if proxy_from_environment is configured, proxy_url must not be configured",
        ))
    } else if proxy.from_environment && !proxy.no_proxy.is_empty() {
        Some((
            "no_proxy",
            "if proxy_from_environment is configured, no_proxy must not be configured",
        ))
    } else if proxy_url.is_none() && !proxy.no_proxy.is_empty() {
        Some((
            "no_proxy",
            "if no_proxy is configured, proxy_url must also be configured",
        ))
    } else {
        None
    };
    match problem {
        Some((key, message)) => {
            fields.place(&[key]).error(message);
            None
        }
        None => Some(()),
    }
}

pub(super) fn read_headers(
    value: &Value<'_>,
    context: &Context<'_>,
) -> Option<BTreeMap<String, HeaderValues>> {
    if value.is_null() {
        return None;
    }
    let pairs = value.map("config.Headers")?;
    let headers = pairs.iter().filter_map(|(key, value)| {
        let mut fields = value.fields()?;
        let files = fields
            .read("files", |value| value.strings())
            .unwrap_or_default();
        let secrets = fields.read("secrets", |value| {
            value.list("[]config.Secret", |item| item.string().map(Secret::new))
        });
        let header = HeaderValues {
            values: fields
                .read("values", |value| value.strings())
                .unwrap_or_default(),
            secrets: secrets.unwrap_or_default(),
            files: files
                .iter()
                .map(|file| path::join(context.directory, file))
                .collect(),
        };
        fields.finish();
        Some((key.string()?, header))
    });
    Some(headers.collect())
}

/// Go's `http.CanonicalHeaderKey`: a name with characters that no header has stays as it is.
fn canonical_header(name: &str) -> String {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !name.bytes().all(is_token) {
        return name.to_owned();
    }
    let mut upper = true;
    let canonical = name.chars().map(|character| {
        let mapped = if upper {
            character.to_ascii_uppercase()
        } else {
            character.to_ascii_lowercase()
        };
        upper = character == '-';
        mapped
    });
    canonical.collect()
}

/// The first header that nobody may set, in its canonical form.
pub(super) fn reserved_header(headers: &BTreeMap<String, HeaderValues>) -> Option<String> {
    let mut canonical = headers.keys().map(|name| canonical_header(name));
    canonical.find(|name| RESERVED_HEADERS.contains(&name.as_str()))
}
