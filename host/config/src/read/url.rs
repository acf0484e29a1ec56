//! URLs, by the rules of Go's `net/url`.

use super::quoted;
use crate::secret_url::without_credentials;
use crate::yaml::Value;

/// The parts of a URL that checks look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GoUrl {
    pub(super) text: String,
    pub(super) scheme: String,
    pub(super) host: String,
}

/// Reads a URL as `url.Parse` accepts it; null is none.
pub(super) fn read(value: &Value<'_>) -> Option<GoUrl> {
    if value.is_null() {
        return None;
    }
    let text = value.string()?;
    match parse(&text) {
        Ok(url) => Some(url),
        Err(message) => {
            value.error(parse_error(&text, &message));
            None
        }
    }
}

/// What Go says of a URL that it cannot parse; what might be a password in it is left out.
pub(super) fn parse_error(text: &str, message: &str) -> String {
    let shown = without_credentials(text);
    // What the message quotes may be a part of what is not shown.
    let message = match message.split_once('"') {
        Some((before, rest)) if shown != text => {
            let (_, after) = rest.rsplit_once('"').unwrap_or_default();
            format!("{before}\"<secret>\"{after}")
        }
        _ => message.to_owned(),
    };
    format!("parse {}: {message}", quoted(&shown))
}

/// `url.Parse`; the error is Go's without the URL.
pub(super) fn parse(text: &str) -> Result<GoUrl, String> {
    if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    let (without_fragment, fragment) = text.split_once('#').unwrap_or((text, ""));
    check_escapes(fragment)?;
    let (scheme, rest) = split_scheme(without_fragment)?;
    let rest = rest.split_once('?').map_or(rest, |(path, _)| path);
    let url = |host: &str| GoUrl {
        text: text.to_owned(),
        scheme: scheme.to_ascii_lowercase(),
        host: host.to_owned(),
    };
    if !rest.starts_with('/') {
        if !scheme.is_empty() {
            // An opaque URL such as `mailto:a`, which is not looked into.
            return Ok(url(""));
        }
        let segment = rest.split('/').next().unwrap_or_default();
        if segment.contains(':') {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
    }
    let mut host = "";
    let mut path = rest;
    if rest.starts_with("//") && (!scheme.is_empty() || !rest.starts_with("///")) {
        let authority = &rest[2..];
        let end = authority.find('/').unwrap_or(authority.len());
        path = &authority[end..];
        host = parse_authority(&authority[..end])?;
    }
    check_escapes(path)?;
    Ok(url(host))
}

fn split_scheme(text: &str) -> Result<(&str, &str), String> {
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if index > 0 => {}
            b':' if index == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => return Ok((&text[..index], &text[index + 1..])),
            _ => break,
        }
    }
    Ok(("", text))
}

fn parse_authority(authority: &str) -> Result<&str, String> {
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let host_ok = check_host(host);
    if !user.is_empty() {
        host_ok?;
        let allowed =
            |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
        if !user.bytes().all(allowed) {
            return Err("net/url: invalid userinfo".to_owned());
        }
        check_escapes(user)?;
        return Ok(host);
    }
    host_ok.map(|()| host)
}

fn check_host(host: &str) -> Result<(), String> {
    if let Some(start) = host.rfind('[') {
        let Some(end) = host.rfind(']') else {
            return Err("missing ']' in host".to_owned());
        };
        if start > 0 {
            return Err("invalid IP-literal".to_owned());
        }
        return check_port(&host[end + 1..]);
    }
    if let Some(colon) = host.rfind(':') {
        check_port(&host[colon..])?;
    }
    check_host_characters(host)
}

fn check_port(port: &str) -> Result<(), String> {
    let digits = port.strip_prefix(':');
    if port.is_empty() || digits.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit())) {
        return Ok(());
    }
    Err(format!("invalid port {} after host", quoted(port)))
}

fn check_host_characters(host: &str) -> Result<(), String> {
    let bytes = host.as_bytes();
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            b'%' => {
                let escape = &bytes[index..bytes.len().min(index + 3)];
                let valid = escape.len() == 3 && escape[1..].iter().all(u8::is_ascii_hexdigit);
                // Only bytes beyond ASCII may be escaped in a host.
                if !valid || escape[1] < b'8' {
                    return Err(invalid_escape(escape));
                }
            }
            b' ' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'}' | b'|'
                if !matches!(byte, b'"' | b'<' | b'>') =>
            {
                let shown = quoted(&char::from(*byte).to_string());
                return Err(format!("invalid character {shown} in host name"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_escapes(text: &str) -> Result<(), String> {
    let bytes = text.as_bytes();
    let mut index = 0;
    while index < bytes.len() {
        if bytes[index] == b'%' {
            let escape = &bytes[index..bytes.len().min(index + 3)];
            if escape.len() < 3 || !escape[1..].iter().all(u8::is_ascii_hexdigit) {
                return Err(invalid_escape(escape));
            }
            index += 2;
        }
        index += 1;
    }
    Ok(())
}

fn invalid_escape(escape: &[u8]) -> String {
    format!(
        "invalid URL escape {}",
        quoted(&String::from_utf8_lossy(escape))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_refused_with_the_words_of_go() {
        for (text, error) in [
            ("http://%zz", "invalid URL escape \"%zz\""),
            ("http://h/%zz", "invalid URL escape \"%zz\""),
            ("http://[::1", "missing ']' in host"),
            (":6443", "missing protocol scheme"),
            ("http://a b/", "invalid character \" \" in host name"),
            ("http://h\n/", "net/url: invalid control character in URL"),
            ("a:b/c:d", ""),
            ("1a:b", "first path segment in URL cannot contain colon"),
            ("http://h:x/", "invalid port \":x\" after host"),
        ] {
            assert_eq!(
                parse(text).map_or_else(|error| error, |_| String::new()),
                error,
                "{text}"
            );
        }
    }

    #[test]
    fn parts_are_found() {
        let url = parse("HTTPS://user:pw@example.com:6443/path?q#f").unwrap();
        assert_eq!(
            (url.scheme.as_str(), url.host.as_str()),
            ("https", "example.com:6443")
        );
        assert_eq!(parse("").unwrap().scheme, "");
        assert_eq!(parse("//host").unwrap().host, "host");
    }
}
