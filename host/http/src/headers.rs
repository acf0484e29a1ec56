//! Which headers a guest may set, and how answers' headers look to it.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::{EgressError, FailureKind};

/// Headers of the connection and of the host itself.
const FORBIDDEN: [&str; 16] = [
    "accept-encoding",
    "connection",
    "content-length",
    "date",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// What still goes along when a redirect leads to another origin; anything else may be a secret.
const KEPT_ACROSS_ORIGINS: [&str; 4] = ["accept", "accept-language", "content-type", "user-agent"];

/// The headers of a request, refused if one is the host's own or one that `reserved` names (those
/// that a credential sets).
pub(crate) fn checked(
    headers: &[(String, String)],
    reserved: &[HeaderName],
) -> Result<HeaderMap, EgressError> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let invalid =
            |why: &str| EgressError::new(FailureKind::Invalid, format!("header `{name}` {why}"));
        let parsed =
            HeaderName::try_from(name.as_str()).map_err(|_| invalid("is not a header name"))?;
        if FORBIDDEN.contains(&parsed.as_str()) {
            return Err(invalid("is set by the host and may not be set by a plugin"));
        }
        if reserved.contains(&parsed) {
            return Err(invalid("is set by the client settings of the section"));
        }
        let bytes = latin1(value).ok_or_else(|| invalid("has a value beyond Latin-1"))?;
        let value = HeaderValue::from_bytes(&bytes)
            .map_err(|_| invalid("has a value that no header may have"))?;
        map.append(parsed, value);
    }
    Ok(map)
}

/// Drops what must not reach another origin.
pub(crate) fn strip_for_other_origin(headers: &mut HeaderMap) {
    let kept: HeaderMap = KEPT_ACROSS_ORIGINS
        .iter()
        .filter_map(|name| {
            let name = HeaderName::from_static(name);
            headers.get(&name).map(|value| (name, value.clone()))
        })
        .collect();
    *headers = kept;
}

/// Names in lower case, values as Latin-1; those that described the encoding are gone with it.
pub(crate) fn readable(headers: &HeaderMap, decoded: bool) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|(name, _)| {
            !(decoded && matches!(name.as_str(), "content-encoding" | "content-length"))
        })
        .map(|(name, value)| {
            let text = value
                .as_bytes()
                .iter()
                .map(|byte| char::from(*byte))
                .collect();
            (name.as_str().to_owned(), text)
        })
        .collect()
}

fn latin1(text: &str) -> Option<Vec<u8>> {
    text.chars()
        .map(|c| u8::try_from(u32::from(c)).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn headers_of_the_connection_are_refused() {
        for name in [
            "Host",
            "content-length",
            "Transfer-Encoding",
            "accept-encoding",
        ] {
            let error = checked(&[pair(name, "x")], &[]).unwrap_err();
            assert_eq!(error.kind, FailureKind::Invalid);
            assert!(error.message.contains(name), "{error}");
        }
    }

    #[test]
    fn headers_that_a_credential_sets_are_refused() {
        let reserved = [http::header::AUTHORIZATION];
        assert!(checked(&[pair("authorization", "x")], &reserved).is_err());
        assert!(checked(&[pair("authorization", "x")], &[]).is_ok());
    }

    #[test]
    fn a_line_break_in_a_value_is_refused() {
        assert!(checked(&[pair("x-a", "b\r\nhost: evil")], &[]).is_err());
        assert!(checked(&[pair("x-a\r\nhost", "b")], &[]).is_err());
    }

    #[test]
    fn latin1_survives_both_ways() {
        let map = checked(&[pair("x-a", "caf\u{e9}")], &[]).unwrap();
        assert_eq!(map["x-a"].as_bytes(), b"caf\xe9");
        assert_eq!(readable(&map, false), vec![pair("x-a", "caf\u{e9}")]);
    }
}
