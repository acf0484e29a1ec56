//! Content hashes that are equal on every machine and in every version.

use std::fmt;

use xxhash_rust::xxh3::Xxh3;

/// A 128-bit hash of content (XXH3), stable across machines and versions, so that replicas agree
/// on `ETag`s. Not cryptographic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ContentHash(pub u128);

/// Computes a [`ContentHash`] from fields; each field is framed by its length, so that moving a
/// byte from one field to the next changes the hash.
#[derive(Default)]
pub struct ContentHasher(Xxh3);

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
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds one number.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.0.update(&number.to_le_bytes());
        self
    }

    /// The hash of all fields so far.
    #[must_use]
    pub fn finish(&self) -> ContentHash {
        ContentHash(self.0.digest128())
    }
}
