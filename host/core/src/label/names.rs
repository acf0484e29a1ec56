//! The names of label sets, shared between all sets with the same names.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use rustc_hash::FxBuildHasher;

use crate::hash::ContentHash;

/// Below this number of entries, dead ones are not worth a look.
const SWEEP_FROM: usize = 1024;

static INTERNED: LazyLock<Mutex<Interned>> = LazyLock::new(Mutex::default);
static NONE: LazyLock<Arc<Names>> = LazyLock::new(|| intern("", &[]));

/// Sorted, distinct names in one text, and where each ends.
#[derive(Debug)]
pub(super) struct Names {
    hash: u128,
    ends: Box<[u32]>,
    text: Box<str>,
}

/// All lists of names in use. Entries whose list is gone are swept when the table has doubled.
struct Interned {
    lists: HashMap<u128, Weak<Names>, FxBuildHasher>,
    sweep_at: usize,
}

/// The shared list of these names, which must be sorted and distinct.
pub(super) fn intern(text: &str, ends: &[u32]) -> Arc<Names> {
    let hash = hash_of(text, ends);
    let mut interned = INTERNED.lock().unwrap_or_else(PoisonError::into_inner);
    interned.get_or_insert(hash, || Names {
        hash,
        ends: ends.into(),
        text: text.into(),
    })
}

/// Stable across versions and machines: content hashes of label sets are made of it.
fn hash_of(text: &str, ends: &[u32]) -> u128 {
    let mut framed = Vec::with_capacity(ends.len() * 4 + 16);
    for end in ends {
        framed.extend_from_slice(&end.to_le_bytes());
    }
    framed.extend_from_slice(&ContentHash::of(text.as_bytes()).0.to_le_bytes());
    ContentHash::of(&framed).0
}

// === impl Names ===

impl Names {
    /// The list without names.
    pub(super) fn none() -> Arc<Self> {
        Arc::clone(&NONE)
    }

    pub(super) fn hash(&self) -> u128 {
        self.hash
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, at: usize) -> &str {
        self.get_from(at, self.start(at)).0
    }

    /// The place of a name, or where it would be.
    pub(super) fn find(&self, name: &str) -> Result<usize, usize> {
        let at = self.lower_bound(name);
        if at < self.len() && self.get(at) == name {
            Ok(at)
        } else {
            Err(at)
        }
    }

    /// As [`Names::find`]; fast if `hint` is the answer.
    pub(super) fn find_near(&self, name: &str, hint: usize) -> Result<usize, usize> {
        if hint < self.len() && self.get(hint) == name {
            return Ok(hint);
        }
        let is_below = |at: usize| self.get(at) < name;
        let is_place = hint <= self.len()
            && (hint == 0 || is_below(hint - 1))
            && (hint == self.len() || self.get(hint) > name);
        if is_place { Err(hint) } else { self.find(name) }
    }

    /// Where the name before `at` ends.
    pub(super) fn start(&self, at: usize) -> usize {
        if at == 0 {
            0
        } else {
            self.ends[at - 1] as usize
        }
    }

    /// The name at `at`, which begins at `start`, and where it ends.
    pub(super) fn get_from(&self, at: usize, start: usize) -> (&str, usize) {
        let end = self.ends[at] as usize;
        (&self.text[start..end], end)
    }

    /// Whether this is the list of these names.
    pub(super) fn is(&self, text: &str, ends: &[u32]) -> bool {
        *self.ends == *ends && *self.text == *text
    }

    /// The first name that is not less than `name`.
    pub(super) fn lower_bound(&self, name: &str) -> usize {
        let (mut from, mut to) = (0, self.len());
        while from < to {
            let middle = from.midpoint(to);
            if self.get(middle) < name {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        from
    }
}

impl PartialEq for Names {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.ends == other.ends && self.text == other.text
    }
}

// === impl Interned ===

impl Default for Interned {
    fn default() -> Self {
        Self {
            lists: HashMap::default(),
            sweep_at: SWEEP_FROM,
        }
    }
}

impl Interned {
    fn get_or_insert(&mut self, hash: u128, names: impl FnOnce() -> Names) -> Arc<Names> {
        if let Some(known) = self.lists.get(&hash).and_then(Weak::upgrade) {
            return known;
        }
        if self.lists.len() >= self.sweep_at {
            self.lists.retain(|_, names| names.strong_count() > 0);
            self.sweep_at = (self.lists.len() * 2).max(SWEEP_FROM);
        }
        let names = Arc::new(names());
        self.lists.insert(hash, Arc::downgrade(&names));
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lists_are_one() {
        let names = intern("ab", &[1, 2]);
        assert!(Arc::ptr_eq(&names, &intern("ab", &[1, 2])));
        assert!(!Arc::ptr_eq(&names, &intern("ab", &[2])));
    }

    #[test]
    fn lists_that_nobody_uses_are_swept() {
        let mut interned = Interned::default();
        let kept = interned.get_or_insert(0, || Names {
            hash: 0,
            ends: [].into(),
            text: "".into(),
        });
        for hash in 1..10 * SWEEP_FROM as u128 {
            interned.get_or_insert(hash, || Names {
                hash,
                ends: [].into(),
                text: "".into(),
            });
        }
        assert!(
            interned.lists.len() <= SWEEP_FROM + 1,
            "{}",
            interned.lists.len()
        );
        let again = interned.get_or_insert(0, || Names {
            hash: 1,
            ends: [].into(),
            text: "".into(),
        });
        assert!(Arc::ptr_eq(&kept, &again));
    }

    #[test]
    fn the_hash_never_changes() {
        assert_eq!(hash_of("", &[]), 0x9d25_da91_cb22_a20a_c372_580d_ba6b_9e98);
        assert_eq!(
            hash_of("ab", &[1, 2]),
            0xee1c_5d7b_3799_d40a_790b_c60d_970d_829f
        );
    }
}
