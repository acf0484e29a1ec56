//! URLs as Go's `net/url` writes them.

use std::fmt::Write as _;

/// Go's `url.Values.Encode` of parameters that are sorted by name.
pub(super) fn encode_query(params: &[(&str, Vec<&str>)]) -> String {
    let mut query = String::new();
    for (name, values) in params {
        for value in values {
            if !query.is_empty() {
                query.push('&');
            }
            escape(&mut query, name, is_plain_in_query);
            query.push('=');
            escape(&mut query, value, is_plain_in_query);
        }
    }
    query
}

/// Go's `url.URL.String` of a URL with these parts.
pub(super) fn assemble(scheme: &str, host: &str, path: &str, query: &str) -> String {
    let mut url = String::new();
    if !scheme.is_empty() {
        url.push_str(scheme);
        url.push(':');
    }
    if !scheme.is_empty() || !host.is_empty() {
        // Go omits the slashes only if there is neither host nor path.
        if !host.is_empty() || !path.is_empty() {
            url.push_str("//");
        }
        escape_host(&mut url, host);
    }
    if !path.is_empty() && !path.starts_with('/') && !host.is_empty() {
        url.push('/');
    }
    escape_path(&mut url, path);
    if !query.is_empty() {
        url.push('?');
        url.push_str(query);
    }
    url
}

fn escape_host(url: &mut String, host: &str) {
    escape(url, host, is_plain_in_host);
}

fn escape_path(url: &mut String, path: &str) {
    if path == "*" {
        url.push('*');
        return;
    }
    escape(url, path, is_plain_in_path);
}

/// Escapes the bytes that are not plain; a space in a query becomes `+`.
fn escape(out: &mut String, text: &str, is_plain: fn(u8) -> bool) {
    for byte in text.bytes() {
        if is_plain(byte) {
            out.push(char::from(byte));
        } else if byte == b' ' && is_plain as usize == is_plain_in_query as usize {
            out.push('+');
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~')
}

fn is_plain_in_query(byte: u8) -> bool {
    is_unreserved(byte)
}

fn is_plain_in_path(byte: u8) -> bool {
    is_unreserved(byte) || b"$&+,/:;=@".contains(&byte)
}

fn is_plain_in_host(byte: u8) -> bool {
    is_unreserved(byte) || b"!$&'()*+,;=:[]<>\"".contains(&byte)
}
