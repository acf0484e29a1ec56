//! URLs as Go's `net/url` writes them.

use std::fmt::Write as _;

/// A part of a URL; what is plain differs between them.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Host,
    Path,
    Query,
}

/// Go's `url.Values.Encode` of parameters that are sorted by name.
pub(super) fn encode_query(params: &[(&str, Vec<&str>)]) -> String {
    let mut query = String::new();
    for (name, values) in params {
        for value in values {
            if !query.is_empty() {
                query.push('&');
            }
            escape(&mut query, name, Part::Query);
            query.push('=');
            escape(&mut query, value, Part::Query);
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
        escape(&mut url, host, Part::Host);
    }
    if !path.is_empty() && !path.starts_with('/') && !host.is_empty() {
        url.push('/');
    }
    // A first segment with a colon would be taken for a scheme.
    if url.is_empty()
        && path
            .split('/')
            .next()
            .is_some_and(|first| first.contains(':'))
    {
        url.push_str("./");
    }
    if path == "*" {
        url.push('*');
    } else {
        escape(&mut url, path, Part::Path);
    }
    if !query.is_empty() {
        url.push('?');
        url.push_str(query);
    }
    url
}

/// Escapes the bytes that are not plain in this part of a URL.
fn escape(out: &mut String, text: &str, part: Part) {
    for byte in text.bytes() {
        if part.is_plain(byte) {
            out.push(char::from(byte));
        } else if byte == b' ' && part == Part::Query {
            out.push('+');
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

// === impl Part ===

impl Part {
    fn is_plain(self, byte: u8) -> bool {
        let reserved: &[u8] = match self {
            Self::Query => b"",
            Self::Path => b"$&+,/:;=@",
            Self::Host => b"!$&'()*+,;=:[]<>\"",
        };
        byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || reserved.contains(&byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_written_as_go_writes_them() {
        for (scheme, host, path, query, url) in [
            ("http", "a:80", "/metrics", "", "http://a:80/metrics"),
            ("http", "a", "metrics", "x=1", "http://a/metrics?x=1"),
            ("", "a", "/m", "", "//a/m"),
            ("", "a", "", "", "//a"),
            ("http", "[::1]:80", "/", "", "http://[::1]:80/"),
            ("http", "a b%c", "/", "", "http://a%20b%25c/"),
            (
                "http",
                "a",
                "/a b?c#d%2f",
                "",
                "http://a/a%20b%3Fc%23d%252f",
            ),
            ("http", "a", "/é!'()*", "", "http://a/%C3%A9%21%27%28%29%2A"),
            ("http", "a", "*", "", "http://a/*"),
            ("http", "", "", "", "http:"),
            ("", "", "a:b", "", "./a:b"),
        ] {
            assert_eq!(assemble(scheme, host, path, query), url);
        }
    }

    #[test]
    fn queries_are_escaped_and_keep_every_value() {
        let params = [("a b", vec!["1", "x&y"]), ("é", vec![""]), ("none", vec![])];
        assert_eq!(encode_query(&params), "a+b=1&a+b=x%26y&%C3%A9=");
    }
}
