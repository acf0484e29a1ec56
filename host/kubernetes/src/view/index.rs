//! Who shows what: from the key of an object to those that show something of it.

use std::hash::Hash;

use rustc_hash::{FxHashMap, FxHashSet};

/// From texts to sets. The object with that key need not exist.
pub(super) struct Index<T>(FxHashMap<Box<str>, Holders<T>>);

/// A set that is mostly of one.
enum Holders<T> {
    One(T),
    Many(FxHashSet<T>),
}

// === impl Index ===

impl<T: Copy + Eq + Hash> Index<T> {
    pub(super) fn add(&mut self, key: &str, holder: T) {
        match self.0.get_mut(key) {
            None => {
                self.0.insert(key.into(), Holders::One(holder));
            }
            Some(Holders::One(known)) if *known == holder => {}
            Some(holders) => holders.add(holder),
        }
    }

    pub(super) fn remove(&mut self, key: &str, holder: T) {
        let is_last = match self.0.get_mut(key) {
            None => false,
            Some(Holders::One(known)) => *known == holder,
            Some(Holders::Many(many)) => {
                many.remove(&holder);
                many.is_empty()
            }
        };
        if is_last {
            self.0.remove(key);
        }
    }

    /// Those that show something of an object.
    pub(super) fn of(&self, key: &str) -> impl Iterator<Item = T> {
        let (one, many) = match self.0.get(key) {
            None => (None, None),
            Some(Holders::One(one)) => (Some(*one), None),
            Some(Holders::Many(many)) => (None, Some(many)),
        };
        one.into_iter().chain(many.into_iter().flatten().copied())
    }

    /// Puts a holder under the keys `after` instead of the keys `before`, at the cost of what
    /// differs; the keys that are new.
    pub(super) fn replace(
        &mut self,
        holder: T,
        mut before: Vec<String>,
        mut after: Vec<String>,
    ) -> Vec<String> {
        before.sort_unstable();
        after.sort_unstable();
        for key in &after {
            if before.binary_search(key).is_err() {
                self.add(key, holder);
            }
        }
        for key in &before {
            if after.binary_search(key).is_err() {
                self.remove(key, holder);
            }
        }
        after.retain(|key| before.binary_search(key).is_err());
        after
    }

    /// How many keys there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self(FxHashMap::default())
    }
}

// === impl Holders ===

impl<T: Copy + Eq + Hash> Holders<T> {
    fn add(&mut self, holder: T) {
        match self {
            Self::One(known) => *self = Self::Many([*known, holder].into_iter().collect()),
            Self::Many(many) => {
                many.insert(holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(index: &Index<u32>, key: &str) -> Vec<u32> {
        let mut of: Vec<u32> = index.of(key).collect();
        of.sort_unstable();
        of
    }

    #[test]
    fn holders_come_and_go() {
        let mut index = Index::default();
        for holder in [1, 2, 1, 3] {
            index.add("a", holder);
        }
        assert_eq!(of(&index, "a"), [1, 2, 3]);
        index.remove("a", 2);
        index.remove("a", 4);
        index.remove("b", 1);
        assert_eq!(of(&index, "a"), [1, 3]);
        index.remove("a", 1);
        index.remove("a", 3);
        assert!(of(&index, "a").is_empty() && index.len() == 0);
    }

    #[test]
    fn a_holder_moves_to_other_keys() {
        let texts = |keys: &[&str]| keys.iter().map(|&key| key.to_owned()).collect();
        let mut index = Index::default();
        index.replace(1, vec![], texts(&["b", "a", "a"]));
        index.replace(2, vec![], texts(&["b"]));
        index.replace(1, texts(&["b", "a", "a"]), texts(&["c", "b"]));
        assert!(of(&index, "a").is_empty());
        assert_eq!(of(&index, "b"), [1, 2]);
        assert_eq!(of(&index, "c"), [1]);
        index.replace(1, texts(&["c", "b"]), vec![]);
        index.replace(2, texts(&["b"]), vec![]);
        assert_eq!(index.len(), 0);
    }
}
