//! One line of a watch, and what it carries.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::wire::{Pairs, Text};

/// The annotation of the bookmark that ends a streamed state.
const STATE_END: &str = "k8s.io/initial-events-end";

/// An object without anything but how far the watch is.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Bookmark<'a> {
    #[serde(borrow)]
    pub(super) metadata: BookmarkMetadata<'a>,
}

/// See [`Bookmark`].
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct BookmarkMetadata<'a> {
    #[serde(borrow)]
    pub(super) resource_version: Text<'a>,
    #[serde(borrow)]
    annotations: Pairs<'a>,
}

/// One line of a watch, when it is not in the form that the API server gives it.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    object: &'a RawValue,
}

// === impl BookmarkMetadata ===

impl BookmarkMetadata<'_> {
    /// Whether all objects of the state were told before.
    pub(super) fn ends_state(&self) -> bool {
        let mut annotations = self.annotations.0.iter();
        annotations.any(|(name, value)| name.as_str() == STATE_END && value.as_str() == "true")
    }
}

/// The type of an event and its object.
pub(super) fn split(line: &[u8]) -> Result<(Cow<'_, str>, &[u8]), serde_json::Error> {
    match split_usual(line) {
        Some((kind, object)) => Ok((Cow::Borrowed(kind), object)),
        None => split_any(line).map(|(kind, object)| (Cow::Owned(kind), object)),
    }
}

/// Splits a line as the API server writes it, without parsing the object twice.
fn split_usual(line: &[u8]) -> Option<(&str, &[u8])> {
    let rest = line.strip_prefix(br#"{"type":""#)?;
    let (kind, rest) = rest.split_at(memchr::memchr(b'"', rest)?);
    let object = rest
        .strip_prefix(br#"","object":"#)?
        .trim_ascii_end()
        .strip_suffix(b"}")?;
    Some((std::str::from_utf8(kind).ok()?, object))
}

/// Splits a line in any form.
fn split_any(line: &[u8]) -> Result<(String, &[u8]), serde_json::Error> {
    let line: Line<'_> = serde_json::from_slice(line)?;
    Ok((line.kind.0.into_owned(), line.object.get().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_form_is_split_without_parsing() {
        for (line, split) in [
            (
                r#"{"type":"ADDED","object":{"a":1}}"#,
                Some(("ADDED", r#"{"a":1}"#)),
            ),
            ("{\"type\":\"X\",\"object\":7}\r", Some(("X", "7"))),
            (r#"{"type":"ADDED", "object":{"a":1}}"#, None),
            (r#"{"object":{"a":1},"type":"ADDED"}"#, None),
            (r#"{"type":"ADDED","object":"#, None),
            ("", None),
        ] {
            let found = split_usual(line.as_bytes());
            assert_eq!(
                found,
                split.map(|(kind, object)| (kind, object.as_bytes())),
                "{line}"
            );
        }
    }

    #[test]
    fn any_form_is_split_as_json() {
        let (kind, object) =
            split_any(br#" { "object" : {"a": 1} , "x": 2, "type":"A\u0042" } "#).unwrap();
        assert_eq!((kind.as_str(), object), ("AB", br#"{"a": 1}"#.as_slice()));
        assert!(split_any(br#"{"type":"A"}"#).is_err());
    }
}
