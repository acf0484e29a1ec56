//! Conditional requests: `ETag` and `If-None-Match`.

use axum::http::{HeaderMap, HeaderValue, header};
use periplus_core::ContentHash;

use crate::encoding::Encoding;

/// Goes up when equal targets are written as other bytes than before.
const FORMAT: u8 = 1;

/// The strong tag of a body: from the hash of what it shows, so that it can be told before the
/// body exists and is the same on every replica.
pub(crate) fn etag(version: ContentHash, encoding: Encoding) -> HeaderValue {
    let tag = match encoding.name() {
        None => format!("\"{FORMAT}-{version}\""),
        Some(name) => format!("\"{FORMAT}-{version}-{name}\""),
    };
    HeaderValue::try_from(tag).expect("digits, letters, dashes and quotes")
}

/// Whether the reader has this very body already (RFC 9110, 13.1.2: by weak comparison).
pub(crate) fn is_known_to_reader(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH);
    values
        .iter()
        .any(|value| Tags(value.as_bytes()).any(|tag| tag == b"*" || tag == etag))
}

/// The opaque tags of a list, with their quotes and without `W/`. A malformed rest ends the list.
struct Tags<'a>(&'a [u8]);

impl<'a> Iterator for Tags<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self
            .0
            .iter()
            .position(|byte| !matches!(byte, b' ' | b'\t' | b','))?;
        let rest = &self.0[start..];
        let rest = rest.strip_prefix(b"W/").unwrap_or(rest);
        let length = match rest.first()? {
            b'*' => 1,
            b'"' => rest[1..].iter().position(|byte| *byte == b'"')? + 2,
            _ => return None,
        };
        let (tag, rest) = rest.split_at(length);
        self.0 = rest;
        Some(tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_match_in_lists_weak_and_by_star() {
        let etag = HeaderValue::from_static("\"1-abc\"");
        let cases: &[(&[&str], bool)] = &[
            (&[], false),
            (&["\"1-abc\""], true),
            (&["W/\"1-abc\""], true),
            (&["\"x\", \"1-abc\""], true),
            (&["\"x,\\\",\"1-abc\""], true),
            (&["\"x\"", "W/\"1-abc\""], true),
            (&["*"], true),
            (&["\"1-abc-gzip\""], false),
            (&["1-abc"], false),
            (&["\"1-abc"], false),
            (&["\"x, \\\"1-abc\\\"\""], false),
            (&[""], false),
        ];
        for (values, expected) in cases {
            let mut headers = HeaderMap::new();
            for value in *values {
                headers.append(header::IF_NONE_MATCH, value.parse().unwrap());
            }
            assert_eq!(is_known_to_reader(&headers, &etag), *expected, "{values:?}");
        }
    }

    #[test]
    fn encodings_have_tags_of_their_own() {
        let plain = etag(ContentHash(7), Encoding::Identity);
        assert_eq!(plain, "\"1-00000000000000000000000000000007\"");
        assert_eq!(
            etag(ContentHash(7), Encoding::Gzip),
            "\"1-00000000000000000000000000000007-gzip\""
        );
    }
}
