//! Keeps web pages away from routes that change something.
//!
//! A listener on loopback is no border for a browser on the same machine: any page can send it
//! requests (cross-origin), and a page whose name was pointed at 127.0.0.1 even reads the answers
//! (DNS rebinding); the same goes for a browser in the network of a listener beyond loopback. Both
//! give themselves away by `Origin` and `Host`: an address cannot be pointed elsewhere, a name can,
//! so names have to be allowed by the operator.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::error::ApiError;

/// The address at which a connection was accepted, in the extensions of its requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalAddress(pub(crate) SocketAddr);

/// Names by which the host may be asked, besides loopback's and addresses. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct AllowedHosts(Arc<[String]>);

/// Refuses requests that a page of another origin made.
pub(crate) async fn check_origin(
    State(hosts): State<AllowedHosts>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    check(&request, &hosts)?;
    Ok(next.run(request).await)
}

fn check(request: &Request, hosts: &AllowedHosts) -> Result<(), ApiError> {
    // Where the connection is not known, the stricter rule holds.
    let local = request.extensions().get::<LocalAddress>();
    let on_loopback = local.is_none_or(|LocalAddress(address)| is_loopback(address.ip()));
    let Some(host) = host(request) else {
        let message = "the request has no valid `Host`";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "bad_data", message));
    };
    let name = host.host();
    let is_own = names_loopback(name) || (!on_loopback && names_address(name));
    if !is_own && !hosts.allows(name) {
        let message = format!(
            "host `{host}` is neither an address of this listener nor allowed by `--admin-host`"
        );
        return Err(ApiError::forbidden(message));
    }
    let headers = request.headers();
    if let Some(origin) = headers.get(header::ORIGIN) {
        let text = String::from_utf8_lossy(origin.as_bytes());
        let own = text
            .split_once("://")
            .is_some_and(|(_, it)| it.eq_ignore_ascii_case(host.as_str()));
        if !own {
            return Err(ApiError::forbidden(format!(
                "origin `{text}` is not `{host}`"
            )));
        }
    }
    if comes_from_elsewhere(headers) {
        return Err(ApiError::forbidden(
            "a page of another origin made the request",
        ));
    }
    Ok(())
}

/// From the target in HTTP/2, from the header otherwise.
fn host(request: &Request) -> Option<Authority> {
    if let Some(authority) = request.uri().authority() {
        return Some(authority.clone());
    }
    let mut values = request.headers().get_all(header::HOST).iter();
    let host = values.next()?.as_bytes().try_into().ok()?;
    values.next().is_none().then_some(host)
}

/// What browsers tell about themselves, also where they send no `Origin`.
fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    !matches!(site, None | Some(b"same-origin" | b"none"))
}

fn names_loopback(host: &str) -> bool {
    if let Some(address) = address(host) {
        return is_loopback(address);
    }
    let name = normalised(host);
    name == "localhost" || name.ends_with(".localhost")
}

fn names_address(host: &str) -> bool {
    address(host).is_some()
}

fn address(host: &str) -> Option<IpAddr> {
    let bare = host
        .strip_prefix('[')
        .and_then(|it| it.strip_suffix(']'))
        .unwrap_or(host);
    bare.parse().ok()
}

/// A name as it is compared.
fn normalised(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

// === impl AllowedHosts ===

impl AllowedHosts {
    pub(crate) fn new(names: Vec<String>) -> Self {
        Self(names.iter().map(|name| normalised(name)).collect())
    }

    fn allows(&self, name: &str) -> bool {
        self.0.contains(&normalised(name))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn allowed(local: Option<&str>, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::post("/-/reload");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        if let Some(local) = local {
            request
                .extensions_mut()
                .insert(LocalAddress(local.parse().unwrap()));
        }
        let hosts = AllowedHosts::new(vec!["Periplus.example".into()]);
        check(&request, &hosts).is_ok()
    }

    #[test]
    fn loopback_listener_takes_only_its_own_names() {
        let loopback = Some("127.0.0.1:9099");
        for host in [
            "localhost:9099",
            "LOCALHOST",
            "127.0.0.1:9099",
            "127.8.0.1",
            "[::1]:9099",
            "a.localhost",
        ] {
            assert!(allowed(loopback, &[("host", host)]), "{host}");
            assert!(allowed(None, &[("host", host)]), "{host}");
        }
        for host in [
            "evil.example:9099",
            "10.0.0.1",
            "localhost.evil.example",
            "[::2]",
            "a b",
            "",
        ] {
            assert!(!allowed(loopback, &[("host", host)]), "{host}");
            assert!(!allowed(None, &[("host", host)]), "{host}");
        }
        assert!(!allowed(loopback, &[]));
        assert!(!allowed(
            Some("[::ffff:127.0.0.1]:9099"),
            &[("host", "evil.example")]
        ));
        assert!(allowed(loopback, &[("host", "periplus.example:9098")]));
    }

    #[test]
    fn listener_beyond_loopback_takes_addresses_and_allowed_names() {
        let beyond = Some("10.0.0.1:9099");
        for host in [
            "10.0.0.1:9099",
            "192.0.2.7",
            "[2001:db8::1]:80",
            "localhost",
            "PERIPLUS.example.:9098",
        ] {
            assert!(allowed(beyond, &[("host", host)]), "{host}");
        }
        for host in ["evil.example:9099", "x.periplus.example", "periplus", ""] {
            assert!(!allowed(beyond, &[("host", host)]), "{host}");
        }
    }

    #[test]
    fn pages_of_other_origins_are_refused() {
        for local in [Some("127.0.0.1:9099"), Some("10.0.0.1:9099")] {
            let host = ("host", "localhost:9099");
            assert!(allowed(local, &[host, ("origin", "http://localhost:9099")]));
            assert!(allowed(local, &[host, ("sec-fetch-site", "same-origin")]));
            assert!(!allowed(
                local,
                &[host, ("origin", "http://localhost:8080")]
            ));
            assert!(!allowed(local, &[host, ("origin", "https://evil.example")]));
            assert!(!allowed(local, &[host, ("origin", "null")]));
            assert!(!allowed(local, &[host, ("sec-fetch-site", "cross-site")]));
            assert!(!allowed(local, &[host, ("sec-fetch-site", "same-site")]));
        }
    }
}
