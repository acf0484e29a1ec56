//! Target groups: what a provider hands over as one unit of change.

use std::sync::Arc;

use crate::hash::{ContentHash, ContentHasher};
use crate::label::LabelSet;

/// Targets that share labels, known within their provider by `source`.
///
/// The unit of change: a later group with the same source replaces this one, and a group without
/// targets says that the source is gone.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TargetGroup {
    /// Identifies the group within its provider; may be empty.
    pub source: Arc<str>,
    /// Labels of every target; a target's own label of the same name wins, and hides it when empty.
    pub labels: LabelSet,
    /// The labels of each target, `__address__` among them.
    pub targets: Vec<LabelSet>,
}

// === impl TargetGroup ===

impl TargetGroup {
    /// The content hash: equal for groups that mean the same, `source` included.
    #[must_use]
    pub fn content_hash(&self) -> ContentHash {
        self.content_hash_with(|_| ())
    }

    /// As [`TargetGroup::content_hash`]; `each` is told the hash of every target's own labels, in
    /// order, since it comes for free.
    pub fn content_hash_with(&self, mut each: impl FnMut(ContentHash)) -> ContentHash {
        let mut hasher = ContentHasher::default();
        hasher.field(self.source.as_bytes());
        self.labels.hash_into(&mut hasher);
        hasher.number(self.targets.len() as u64);
        for target in &self.targets {
            let own = target.content_hash();
            hasher.field(&own.0.to_le_bytes());
            each(own);
        }
        hasher.finish()
    }

    /// The discovered labels of each target: its own, then the group's that it does not set itself;
    /// empty values left out. No defaults of a job are in them.
    pub fn discovered(&self) -> impl ExactSizeIterator<Item = LabelSet> + '_ {
        self.targets
            .iter()
            .map(|target| LabelSet::merge(&self.labels, target))
    }
}
