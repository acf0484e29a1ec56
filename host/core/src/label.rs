//! Label sets: immutable, sorted by name, cheap to clone and compare.
//!
//! A set is two parts. Its names are shared by all sets with the same names, of which there are
//! few: every target of a role has the same ones, give or take. Its values are one packed text. So
//! a set costs one allocation, and its equality and its hash are those of two runs of bytes.

mod builder;
mod names;
mod packed;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::de::{MapAccess, Visitor};

pub use builder::{BuilderIter, LabelBuilder};
pub(crate) use builder::{Copied, LabelRef, Scratch};

use crate::hash::{ContentHash, ContentHasher};
use names::Names;
use packed::{Packed, Packer};

/// A sorted, immutable set of labels. Cloning is a reference count.
///
/// A set that comes from a provider may hold empty values: in a target's own labels an empty value
/// hides the group's label of the same name. [`LabelBuilder::build`] leaves empty values out, since
/// for Prometheus a label with an empty value is absent.
#[derive(Clone)]
pub struct LabelSet {
    names: Arc<Names>,
    values: Packed,
}

/// Names and values of a [`LabelSet`], in ascending order of the names.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    set: &'a LabelSet,
    at: usize,
    /// Where the next name and the next value begin.
    name: usize,
    value: usize,
}

// === impl LabelSet ===

impl LabelSet {
    /// The value of a label, if it is there (it may be empty).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.names.find(name).ok().map(|at| self.value(at))
    }

    /// Names and values in ascending order of the names' bytes.
    pub fn iter(&self) -> Iter<'_> {
        self.iter_at(0)
    }

    /// The number of labels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no label at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.len() == 0
    }

    /// The labels of a target in a group: `target`'s own, then those of `group` that it does not
    /// name itself; empty values left out.
    #[must_use]
    pub fn merge(group: &Self, target: &Self) -> Self {
        let mut packer = Packer::default();
        let (mut of_group, mut of_target) = (group.iter().peekable(), target.iter().peekable());
        loop {
            let order = match (of_group.peek(), of_target.peek()) {
                (None, None) => return packer.finish(),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((left, _)), Some((right, _))) => left.cmp(right),
            };
            if order == Ordering::Equal {
                of_group.next();
            }
            let next = if order == Ordering::Less {
                of_group.next()
            } else {
                of_target.next()
            };
            if let Some((name, value)) = next.filter(|(_, value)| !value.is_empty()) {
                packer.push(name, value);
            }
        }
    }

    /// Adds the set to a content hash.
    pub fn hash_into(&self, hasher: &mut ContentHasher) {
        hasher.field(&self.content_hash().0.to_le_bytes());
    }

    /// The content hash of the whole set.
    #[must_use]
    pub fn content_hash(&self) -> ContentHash {
        let values = ContentHash::of(self.values.as_bytes());
        let mut both = [0; 32];
        both[..16].copy_from_slice(&self.names.hash().to_le_bytes());
        both[16..].copy_from_slice(&values.0.to_le_bytes());
        ContentHash::of(&both)
    }

    /// The bytes that this set alone keeps; the names are shared.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.values.as_bytes().len()
    }

    /// Whether this is the very set that the other is, and not only an equal one.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.names, &other.names) && self.values.is_same(&other.values)
    }

    fn iter_at(&self, at: usize) -> Iter<'_> {
        Iter {
            set: self,
            at,
            name: self.names.start(at),
            value: self.values.start(at),
        }
    }

    fn name(&self, at: usize) -> &str {
        self.names.get(at)
    }

    fn value(&self, at: usize) -> &str {
        self.values.get(at, self.names.len())
    }
}

impl Default for LabelSet {
    fn default() -> Self {
        Self {
            names: Names::none(),
            values: Packed::default(),
        }
    }
}

impl PartialEq for LabelSet {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values
            && (Arc::ptr_eq(&self.names, &other.names) || self.names == other.names)
    }
}

impl Eq for LabelSet {}

impl Hash for LabelSet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.names.hash().hash(state);
        self.values.hash(state);
    }
}

impl Ord for LabelSet {
    /// By the labels in order, name before value.
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.names, &other.names) {
            let mut values = (0..self.len()).map(|at| self.value(at).cmp(other.value(at)));
            return values
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal);
        }
        self.iter().cmp(other.iter())
    }
}

impl PartialOrd for LabelSet {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for LabelSet {
    /// Any order; of labels with one name the last wins. Empty values are kept.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(labels: I) -> Self {
        let mut labels: Vec<(N, V)> = labels.into_iter().collect();
        // The sort is stable, so that the last of equal names stays the last.
        labels.sort_by(|(left, _), (right, _)| left.as_ref().cmp(right.as_ref()));
        let mut packer = Packer::default();
        for (at, (name, value)) in labels.iter().enumerate() {
            let next = labels.get(at + 1).map(|(next, _)| next.as_ref());
            if next != Some(name.as_ref()) {
                packer.push(name.as_ref(), value.as_ref());
            }
        }
        packer.finish()
    }
}

impl<'a> IntoIterator for &'a LabelSet {
    type Item = (&'a str, &'a str);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl fmt::Debug for LabelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl serde::Serialize for LabelSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> serde::Deserialize<'de> for LabelSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Labels;

        impl<'de> Visitor<'de> for Labels {
            type Value = LabelSet;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of label names to values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LabelSet, A::Error> {
                let mut labels = Vec::with_capacity(map.size_hint().unwrap_or_default().min(64));
                while let Some(label) = map.next_entry::<String, String>()? {
                    labels.push(label);
                }
                Ok(labels.into_iter().collect())
            }
        }

        deserializer.deserialize_map(Labels)
    }
}

// === impl Iter ===

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        if self.at == self.set.len() {
            return None;
        }
        let (name, name_end) = self.set.names.get_from(self.at, self.name);
        let (value, value_end) = self
            .set
            .values
            .get_from(self.at, self.set.len(), self.value);
        (self.at, self.name, self.value) = (self.at + 1, name_end, value_end);
        Some((name, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.set.len() - self.at;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Iter<'_> {}

#[cfg(test)]
mod tests;
