//! Groups as providers found them: kept whole, or made again when somebody looks.

use std::fmt;
use std::sync::Arc;

use periplus_core::{ContentHash, TargetGroup};

/// Groups with no more targets than this are worked in whole, so that nothing has to be remembered
/// of each target.
const SMALL_GROUP: usize = 4;

/// Makes a group again from what its provider keeps of it, so that nothing else has to keep it.
///
/// It must be pure: as long as it exists, it gives the very group that it was handed over with.
/// Changed records belong to a new origin. It is asked by readers, so it must be cheap (some
/// microseconds), never wait, and hold little: it lives as long as the group, and in old snapshots.
pub trait GroupOrigin: Send + Sync {
    /// The group.
    fn derive(&self) -> TargetGroup;
}

/// A group as its provider found it. Cheap to clone.
#[derive(Clone)]
pub struct Discovered {
    hash: ContentHash,
    body: Body,
    targets: u32,
    /// What each target's labels depend on; none for small groups. Thin, since most are small.
    inputs: Option<Arc<Vec<u64>>>,
}

#[derive(Clone)]
enum Body {
    Whole(Arc<TargetGroup>),
    Derived(Arc<dyn GroupOrigin>),
}

// === impl Discovered ===

impl Discovered {
    /// A group that is kept as it is.
    pub(crate) fn whole(group: Arc<TargetGroup>) -> Self {
        let (hash, inputs) = hashes(&group);
        Self {
            hash,
            targets: group.targets.len() as u32,
            inputs,
            body: Body::Whole(group),
        }
    }

    /// A group of which only its origin is kept.
    pub(crate) fn derived(group: &TargetGroup, origin: Arc<dyn GroupOrigin>) -> Self {
        let (hash, inputs) = hashes(group);
        Self {
            hash,
            targets: group.targets.len() as u32,
            inputs,
            body: Body::Derived(origin),
        }
    }

    /// The group itself; made now if it is not kept.
    pub fn group(&self) -> Arc<TargetGroup> {
        match &self.body {
            Body::Whole(group) => Arc::clone(group),
            Body::Derived(origin) => {
                let group = origin.derive();
                debug_assert_eq!(group.content_hash(), self.hash, "the origin is not pure");
                Arc::new(group)
            }
        }
    }

    /// How many targets it has.
    pub fn len(&self) -> usize {
        self.targets as usize
    }

    /// Whether it has no targets, which says that it is gone.
    pub fn is_empty(&self) -> bool {
        self.targets == 0
    }

    /// The content hash of the group.
    pub fn content_hash(&self) -> ContentHash {
        self.hash
    }

    /// Whether the group is kept whole.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.body, Body::Whole(_))
    }

    /// For each target what its labels depend on: equal for equal labels, the group's included.
    /// Nothing for small groups. 64 bits suffice: they tell a target from its own past.
    pub(crate) fn inputs(&self) -> &[u64] {
        self.inputs.as_ref().map_or(&[], |inputs| inputs)
    }
}

impl fmt::Debug for Discovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovered")
            .field("hash", &self.hash)
            .field("targets", &self.targets)
            .field("is_whole", &self.is_whole())
            .finish_non_exhaustive()
    }
}

fn hashes(group: &TargetGroup) -> (ContentHash, Option<Arc<Vec<u64>>>) {
    if group.targets.len() <= SMALL_GROUP {
        return (group.content_hash(), None);
    }
    let shared = group.labels.content_hash().0;
    let mut inputs = Vec::with_capacity(group.targets.len());
    let hash = group.content_hash_with(|own| inputs.push(own.0.wrapping_add(shared) as u64));
    (hash, Some(Arc::new(inputs)))
}
