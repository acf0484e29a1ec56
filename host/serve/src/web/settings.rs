//! The file, checked and ready for use.

use std::path::Path;

use axum::http::{HeaderName, HeaderValue};
use periplus_core::duration::PromDuration;

use super::auth::Users;
use super::error::WebConfigError;
use super::file::{HttpServer, Material, RateLimit};
use super::limit::Limit;
use super::tls::Tls;

/// The headers that upstream lets one set, with the values they may have.
const HEADERS: &[(&str, &[&str])] = &[
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
    ("Content-Security-Policy", &[]),
];

/// What handshakes and requests are held to.
pub(crate) struct Settings {
    pub(crate) tls: Option<Tls>,
    pub(crate) http2: bool,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) users: Users,
    pub(super) limit: Option<Limit>,
    pub(super) notes: Vec<String>,
}

// === impl Settings ===

impl Settings {
    pub(super) fn new(file: &Path, material: &Material) -> Result<Self, WebConfigError> {
        Self::check(material).map_err(|reason| WebConfigError::Invalid {
            file: file.to_owned(),
            reason,
        })
    }

    fn check(material: &Material) -> Result<Self, String> {
        let written = &material.written;
        let http = written.http_server_config.clone().unwrap_or_default();
        let headers = headers(&http)?;
        let users = written.basic_auth_users.clone().unwrap_or_default();
        let users = Users::new(&users.0)?;
        let limit = written.rate_limit.as_ref().map(limit).transpose()?;
        let http2 = http.http2.unwrap_or(true);
        let mut notes = Vec::new();
        let tls = Tls::new(material, http2, &mut notes)?;
        if tls.is_none() && !users.is_empty() {
            notes.push("basic_auth_users without TLS: passwords can be read on the way".into());
        }
        Ok(Self {
            tls,
            http2,
            headers,
            users,
            limit: limit.flatten(),
            notes,
        })
    }
}

fn headers(http: &HttpServer) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let mut headers = Vec::new();
    for (name, value) in http.headers.iter().flatten() {
        let value = value.as_deref().unwrap_or_default();
        let Some((_, allowed)) = HEADERS.iter().find(|(known, _)| known == name) else {
            return Err(format!("HTTP header {name:?} can not be configured"));
        };
        if !allowed.is_empty() && !allowed.contains(&value) {
            let allowed: Vec<_> = allowed.iter().map(|it| format!("{it:?}")).collect();
            return Err(format!(
                "invalid value for {name}. Expected one of: [{}], but got: {value:?}",
                allowed.join(" ")
            ));
        }
        // Blank means unset.
        if value.is_empty() {
            continue;
        }
        let parsed = HeaderValue::from_str(value)
            .map_err(|_| format!("invalid value for {name}: no header can have {value:?}"))?;
        let name = HeaderName::try_from(name.as_str()).map_err(|error| error.to_string())?;
        headers.push((name, parsed));
    }
    Ok(headers)
}

fn limit(written: &RateLimit) -> Result<Option<Limit>, String> {
    let interval = written.interval.as_deref().unwrap_or("0");
    let parsed: PromDuration = interval
        .parse()
        .map_err(|error| format!("rate_limit.interval: {error}"))?;
    let interval: std::time::Duration = parsed.into();
    let burst = written.burst.unwrap_or_default();
    if interval.is_zero() {
        return Ok(None);
    }
    if burst == 0 {
        return Err("rate_limit.burst must be 1 at least, or every request is refused".into());
    }
    Ok(Some(Limit::new(interval, burst)))
}
