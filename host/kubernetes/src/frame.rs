//! Splits what the API server sends into single objects, without parsing them.
//!
//! [`Lines`] splits a watch into lines. [`ListSplitter`] splits the body of a list into its items
//! and what stands around them. Both take the bytes in whatever pieces they come, lend out what
//! lies whole within a piece, and copy only what crosses from one piece to the next.

use serde::Deserialize;

use crate::wire::{Text, nullable};

/// No object of a real cluster comes near this: etcd refuses objects above 1.5 MiB.
pub(crate) const MAX_OBJECT: usize = 8 << 20;
/// What may stand around the items of a list.
const MAX_ENVELOPE: usize = 64 << 10;
/// A buffer that grew beyond this for one object is given back.
const KEPT_BUFFER: usize = 256 << 10;

/// One object, or what is left of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// The bytes of one object.
    Whole(&'a [u8]),
    /// An object larger than [`MAX_OBJECT`]; its bytes are gone.
    Oversized,
}

/// Why a body is no list.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListError {
    /// The body broke off.
    #[error("the list ends in the middle")]
    Cut,
    /// The body is no JSON object with items.
    #[error("the answer is no list")]
    NoList,
    /// More than [`MAX_ENVELOPE`] around the items.
    #[error("the answer has too much around its items")]
    Envelope,
    /// What stands around the items is no JSON.
    #[error("the answer is not readable as a list")]
    Unreadable(#[source] serde_json::Error),
}

/// What stands around the items of a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ListEnd {
    /// The version that the list shows.
    pub(crate) resource_version: String,
    /// Where the next page begins, if there is one.
    pub(crate) continue_token: Option<String>,
}

/// Splits a stream at line ends. Empty lines are left out.
#[derive(Default)]
pub(crate) struct Lines {
    rest: Partial,
}

/// Splits the body of a list into its items.
#[derive(Default)]
pub(crate) struct ListSplitter {
    place: Place,
    nesting: Nesting,
    envelope: Vec<u8>,
    item: Partial,
}

/// Where in the body of a list the splitter is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// Before the items, or after them.
    #[default]
    Envelope,
    /// Within the array, between items.
    BetweenItems,
    /// Within an item.
    Item,
}

/// How deep in JSON a position is.
#[derive(Clone, Copy, Default)]
struct Nesting {
    depth: u32,
    in_string: bool,
    escaped: bool,
}

/// An object of which only the beginning was read.
#[derive(Default)]
struct Partial {
    bytes: Vec<u8>,
    oversized: bool,
}

// === impl Partial ===

impl Partial {
    fn push(&mut self, bytes: &[u8]) {
        if self.bytes.len() + bytes.len() > MAX_OBJECT {
            self.oversized = true;
            self.bytes = Vec::new();
        }
        if !self.oversized {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// Joins what is kept with the object's last bytes and hands it on.
    fn end(&mut self, last: &[u8], each: &mut impl FnMut(Frame<'_>)) {
        if self.bytes.is_empty() && !self.oversized && last.len() <= MAX_OBJECT {
            each(Frame::Whole(last));
            return;
        }
        self.push(last);
        each(if self.oversized {
            Frame::Oversized
        } else {
            Frame::Whole(&self.bytes)
        });
        self.oversized = false;
        self.bytes.clear();
        if self.bytes.capacity() > KEPT_BUFFER {
            self.bytes = Vec::new();
        }
    }
}

// === impl Lines ===

impl Lines {
    /// Takes the next piece and hands on each line that ends in it.
    pub(crate) fn feed(&mut self, mut piece: &[u8], mut each: impl FnMut(Frame<'_>)) {
        while let Some(end) = memchr::memchr(b'\n', piece) {
            self.rest.end(&piece[..end], &mut |frame| match frame {
                Frame::Whole(line) if line.trim_ascii().is_empty() => {}
                frame => each(frame),
            });
            piece = &piece[end + 1..];
        }
        if !piece.is_empty() {
            self.rest.push(piece);
        }
    }
}

// === impl Nesting ===

impl Nesting {
    /// Takes one byte; true if it is part of the structure and not of a string.
    fn step(&mut self, byte: u8) -> bool {
        if self.in_string {
            if self.escaped {
                self.escaped = false;
            } else if byte == b'\\' {
                self.escaped = true;
            } else if byte == b'"' {
                self.in_string = false;
            }
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        true
    }

    /// How many bytes from the beginning of `piece` end the value that began at depth zero: up to
    /// the comma or bracket behind it, exclusively. `None` if it does not end in this piece.
    fn value_end(&mut self, piece: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < piece.len() {
            if self.in_string {
                if self.escaped {
                    self.escaped = false;
                    at += 1;
                    continue;
                }
                // Most bytes are in strings: find their ends with wide instructions.
                let found = memchr::memchr2(b'"', b'\\', &piece[at..])?;
                self.escaped = piece[at + found] == b'\\';
                self.in_string = self.escaped;
                at += found + 1;
                continue;
            }
            match piece[at] {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b',' | b']' if self.depth == 0 => return Some(at),
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            at += 1;
        }
        None
    }
}

// === impl ListSplitter ===

impl ListSplitter {
    /// Takes the next piece and hands on each item that ends in it.
    pub(crate) fn feed(
        &mut self,
        mut piece: &[u8],
        mut each: impl FnMut(Frame<'_>),
    ) -> Result<(), ListError> {
        while !piece.is_empty() {
            piece = match self.place {
                Place::Envelope => self.feed_envelope(piece)?,
                Place::BetweenItems => self.feed_between(piece),
                Place::Item => match self.nesting.value_end(piece) {
                    Some(end) => {
                        self.place = Place::BetweenItems;
                        self.item.end(&piece[..end], &mut each);
                        &piece[end..]
                    }
                    None => {
                        self.item.push(piece);
                        &[]
                    }
                },
            };
        }
        Ok(())
    }

    /// The end of the body: what stood around the items.
    pub(crate) fn finish(self) -> Result<ListEnd, ListError> {
        if self.place != Place::Envelope || self.nesting.depth != 0 || self.nesting.in_string {
            return Err(ListError::Cut);
        }
        if self.envelope.trim_ascii().is_empty() {
            return Err(ListError::Cut);
        }
        let envelope: Envelope<'_> =
            serde_json::from_slice(&self.envelope).map_err(ListError::Unreadable)?;
        if !envelope.has_items {
            return Err(ListError::NoList);
        }
        let Meta {
            resource_version,
            continue_token,
        } = envelope.metadata;
        Ok(ListEnd {
            resource_version: resource_version.0.into_owned(),
            continue_token: Some(continue_token.0.into_owned()).filter(|token| !token.is_empty()),
        })
    }

    fn feed_envelope<'p>(&mut self, piece: &'p [u8]) -> Result<&'p [u8], ListError> {
        for (at, &byte) in piece.iter().enumerate() {
            let structure = self.nesting.step(byte);
            if self.envelope.len() == MAX_ENVELOPE {
                return Err(ListError::Envelope);
            }
            self.envelope.push(byte);
            if structure && byte == b'[' && self.nesting.depth == 2 && self.at_items() {
                self.place = Place::BetweenItems;
                return Ok(&piece[at + 1..]);
            }
        }
        Ok(&[])
    }

    /// Whether the bracket that was just read opens the value of the key `items`.
    fn at_items(&self) -> bool {
        let before = self.envelope[..self.envelope.len() - 1].trim_ascii_end();
        before
            .strip_suffix(b":")
            .is_some_and(|key| key.trim_ascii_end().ends_with(b"\"items\""))
    }

    fn feed_between<'p>(&mut self, piece: &'p [u8]) -> &'p [u8] {
        let Some(at) = piece
            .iter()
            .position(|b| !(b.is_ascii_whitespace() || *b == b','))
        else {
            return &[];
        };
        if piece[at] == b']' {
            self.place = Place::Envelope;
            // Where the array's opening bracket left off.
            self.nesting = Nesting {
                depth: 2,
                ..Nesting::default()
            };
            return &piece[at..];
        }
        self.place = Place::Item;
        self.nesting = Nesting::default();
        &piece[at..]
    }
}

/// The envelope as JSON; its items are gone already.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default, deserialize_with = "nullable")]
    metadata: Meta<'a>,
    #[serde(default, rename = "items", deserialize_with = "present")]
    has_items: bool,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Meta<'a> {
    #[serde(borrow)]
    resource_version: Text<'a>,
    #[serde(borrow, rename = "continue")]
    continue_token: Text<'a>,
}

/// An array or `null` (Go's empty list) is there.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Option::<Vec<serde::de::IgnoredAny>>::deserialize(deserializer)?;
    Ok(true)
}

#[cfg(test)]
mod tests;
