//! Content hashes that are equal on every machine and in every version.

use std::fmt;

/// A 128-bit hash of content (XXH3), stable across machines and versions, so that replicas agree
/// on `ETag`s. Not cryptographic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ContentHash(pub u128);

/// Computes a [`ContentHash`] from fields; each field is framed by its length, so that moving a
/// byte from one field to the next changes the hash.
///
/// Fields are gathered and hashed at once: that is several times faster than a hasher that is fed
/// a few bytes at a time, and contents are small.
pub struct ContentHasher(Vec<u8>);

// === impl ContentHash ===

impl ContentHash {
    /// The hash of one run of bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(xxhash_rust::xxh3::xxh3_128(bytes))
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// === impl ContentHasher ===

impl ContentHasher {
    /// Adds one field.
    pub fn field(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    /// Adds one number.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    /// The hash of all fields so far.
    #[must_use]
    pub fn finish(&self) -> ContentHash {
        ContentHash::of(&self.0)
    }
}

impl Default for ContentHasher {
    fn default() -> Self {
        // Enough for the labels of most targets.
        Self(Vec::with_capacity(1024))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_fields_never_changes() {
        let mut hasher = ContentHasher::default();
        hasher.field(b"source").number(7).field(&[b'x'; 1000]);
        let mut streamed = xxhash_rust::xxh3::Xxh3::default();
        for (length, field) in [(6_u64, &b"source"[..]), (7, b""), (1000, &[b'x'; 1000])] {
            streamed.update(&length.to_le_bytes());
            streamed.update(field);
        }
        assert_eq!(hasher.finish().0, streamed.digest128());
    }
}
