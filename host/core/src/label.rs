//! Label sets: immutable, sorted by name, cheap to clone and compare.

use std::fmt;
use std::sync::Arc;

use crate::hash::{ContentHash, ContentHasher};

/// A sorted, immutable set of labels. Cloning is a reference count.
///
/// A set that comes from a provider may hold empty values: in a target's own labels an empty value
/// hides the group's label of the same name. [`LabelBuilder::build`] leaves empty values out, since
/// for Prometheus a label with an empty value is absent.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LabelSet(Arc<[(Arc<str>, Arc<str>)]>);

/// Labels under change: sorted by name, at most one value each.
#[derive(Clone, Debug, Default)]
pub struct LabelBuilder(Vec<(Arc<str>, Arc<str>)>);

// === impl LabelSet ===

impl LabelSet {
    /// The value of a label, if it is there (it may be empty).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(n, _)| (**n).cmp(name)).ok()?;
        Some(&self.0[at].1)
    }

    /// Names and values in ascending order of the names' bytes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (&**n, &**v))
    }

    /// The number of labels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no label at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds names and values to a content hash.
    pub fn hash_into(&self, hasher: &mut ContentHasher) {
        hasher.number(self.len() as u64);
        for (name, value) in self.iter() {
            hasher.field(name.as_bytes()).field(value.as_bytes());
        }
    }

    /// The content hash of the whole set.
    #[must_use]
    pub fn content_hash(&self) -> ContentHash {
        let mut hasher = ContentHasher::default();
        self.hash_into(&mut hasher);
        hasher.finish()
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for LabelSet {
    /// Any order; of labels with one name the last wins. Empty values are kept.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(labels: I) -> Self {
        let mut builder = LabelBuilder::default();
        for (name, value) in labels {
            builder.set(name.as_ref(), value.as_ref());
        }
        Self(builder.0.into())
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

// === impl LabelBuilder ===

impl LabelBuilder {
    /// A builder that starts from the labels of `set`.
    #[must_use]
    pub fn from_set(set: &LabelSet) -> Self {
        Self(set.0.to_vec())
    }

    /// The value of a label; `None` if absent.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(n, _)| (**n).cmp(name)).ok()?;
        Some(&self.0[at].1)
    }

    /// Sets a label, also to the empty value.
    pub fn set(&mut self, name: &str, value: &str) {
        match self.0.binary_search_by(|(n, _)| (**n).cmp(name)) {
            Ok(at) => self.0[at].1 = value.into(),
            Err(at) => self.0.insert(at, (name.into(), value.into())),
        }
    }

    /// Removes a label.
    pub fn remove(&mut self, name: &str) {
        if let Ok(at) = self.0.binary_search_by(|(n, _)| (**n).cmp(name)) {
            self.0.remove(at);
        }
    }

    /// Removes every label whose name does not please `keep`.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|(name, _)| keep(name));
    }

    /// The finished set, without labels whose value is empty.
    #[must_use]
    pub fn build(&self) -> LabelSet {
        LabelSet(self.0.iter().filter(|(_, v)| !v.is_empty()).cloned().collect())
    }
}
