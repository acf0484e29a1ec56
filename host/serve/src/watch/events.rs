//! The events of a stream, and the two ways in which they are written.

use axum::http::{HeaderMap, HeaderValue, header};
use bytes::Bytes;
use periplus_core::ContentHash;
use periplus_core::hash::ContentHasher;
use periplus_discovery::GroupKey;

/// Goes up when equal targets are told in another way than before.
const FORMAT: u8 = 1;

/// What a stream says.
pub(super) enum Event<'a> {
    /// Forget all groups.
    Snapshot,
    /// The targets of a group from now on, as `http_sd` objects joined by commas.
    Group(&'a GroupKey, &'a [u8]),
    /// All groups so far are the state of this version.
    Version(&'a str),
}

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Server-sent events.
    Events,
    /// One JSON object on each line.
    Lines,
}

/// A version as readers see it.
pub(super) fn version(version: ContentHash, view_hash: u32) -> String {
    format!("{FORMAT}-{version}-{view_hash:08x}")
}

/// The version in a text, if it is one of the same view.
pub(super) fn parse_version(text: &str, view_hash: u32) -> Option<ContentHash> {
    let mut parts = text.split('-');
    let found = ContentHash(u128::from_str_radix(parts.nth(1)?, 16).ok()?);
    (version(found, view_hash) == text).then_some(found)
}

// === impl Format ===

impl Format {
    /// Server-sent events for those who ask for them, lines for all others.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut accepted = headers.get_all(header::ACCEPT).iter();
        let is_events = accepted.any(|value| {
            let value = value.to_str().unwrap_or_default().to_ascii_lowercase();
            value.contains("text/event-stream")
        });
        if is_events { Self::Events } else { Self::Lines }
    }

    pub(super) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Events => "text/event-stream",
            Self::Lines => "application/x-ndjson",
        })
    }

    /// Shows that the stream is alive.
    pub(super) fn heartbeat(self) -> Bytes {
        Bytes::from_static(match self {
            Self::Events => b":\n\n",
            Self::Lines => b"{\"type\":\"heartbeat\"}\n",
        })
    }

    /// Appends an event.
    pub(super) fn write(self, event: &Event<'_>, piece: &mut Vec<u8>) {
        if self == Self::Events {
            if let Event::Version(version) = event {
                piece.extend_from_slice(format!("id: {version}\n").as_bytes());
            }
            piece.extend_from_slice(format!("event: {}\ndata: ", event.name()).as_bytes());
        }
        event.json(piece);
        piece.extend_from_slice(match self {
            Self::Events => b"\n\n",
            Self::Lines => b"\n",
        });
    }
}

// === impl Event ===

impl Event<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Group(..) => "group",
            Self::Version(_) => "version",
        }
    }

    /// Appends the event as JSON, which has no line break.
    fn json(&self, piece: &mut Vec<u8>) {
        piece.extend_from_slice(format!("{{\"type\":\"{}\"", self.name()).as_bytes());
        match self {
            Self::Snapshot => {}
            Self::Group(key, targets) => {
                let name = format!(",\"group\":\"{}\",\"targets\":[", group_name(key));
                piece.extend_from_slice(name.as_bytes());
                piece.extend_from_slice(targets);
                piece.push(b']');
            }
            // Digits, letters and dashes.
            Self::Version(version) => {
                piece.extend_from_slice(format!(",\"version\":\"{version}\"").as_bytes());
            }
        }
        piece.push(b'}');
    }
}

/// The name of a group within its job, the same on every replica. A hash: what a group's source is
/// called is the provider's matter.
fn group_name(key: &GroupKey) -> ContentHash {
    let mut hasher = ContentHasher::default();
    hasher
        .field(key.section.mechanism.as_bytes())
        .field(&key.section.identity.0.to_le_bytes())
        .field(key.source.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_they_are_written_and_belong_to_a_view() {
        let text = version(ContentHash(7), 0xab);
        assert_eq!(text, "1-00000000000000000000000000000007-000000ab");
        assert_eq!(parse_version(&text, 0xab), Some(ContentHash(7)));
        assert_eq!(parse_version(&text, 0xac), None);
        for wrong in [
            "",
            "1",
            "1-7-000000ab",
            "1--",
            "2-00000000000000000000000000000007-000000ab",
        ] {
            assert_eq!(parse_version(wrong, 0xab), None, "{wrong}");
        }
    }
}
