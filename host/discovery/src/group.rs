//! One group of a job after its pipeline: the unit in which snapshots change and are rendered.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use periplus_core::hash::ContentHasher;
use periplus_core::target::Outcome;
use periplus_core::{ContentHash, LabelSet, TargetGroup};

use crate::render::{self, FinalForm};
use crate::updates::Entry;

/// The three stages of a target's labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// As the provider said, without defaults of the job.
    Discovered = 0,
    /// After the job's transformers, before relabeling.
    Transformed = 1,
    /// After relabeling, ready to scrape.
    Final = 2,
}

/// Identifies a group within a job: the same over reloads and on every replica.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    /// The mechanism.
    pub mechanism: Arc<str>,
    /// The identity of the section that the group comes from.
    pub section: ContentHash,
    /// The group's source within its provider.
    pub source: Arc<str>,
}

/// A group with what the job's pipeline made of it.
#[derive(Clone, Debug)]
pub struct GroupResult {
    /// The group as discovered.
    pub group: Arc<TargetGroup>,
    /// Its targets after the transformers, in the order of the rows that they come from.
    pub targets: Arc<[TargetResult]>,
    /// Parallel to `targets`; empty when no target is a copy of one elsewhere in the job.
    copies: Box<[bool]>,
    /// Parallel to `targets`: what makes an active target the same as another.
    identities: Arc<[Option<ContentHash>]>,
    form: Arc<FinalForm>,
    /// What each stage shows; none where it shows nothing.
    hashes: [Option<ContentHash>; 3],
    segments: [OnceLock<Bytes>; 3],
}

/// One target of a group.
#[derive(Clone, Debug)]
pub struct TargetResult {
    /// After the transformers, without defaults of the job; none where no transformer ran, so that
    /// the discovered labels are not kept twice. [`GroupResult::transformed`] gives either.
    pub transformed: Option<LabelSet>,
    /// What relabeling made of it.
    pub outcome: Outcome,
    /// Index in the group's targets of the row that it comes from.
    pub row: u32,
}

// === impl Stage ===

impl Stage {
    /// All stages in order.
    pub const ALL: [Self; 3] = [Self::Discovered, Self::Transformed, Self::Final];
}

// === impl GroupKey ===

impl GroupKey {
    pub(crate) fn hash_with(&self, content: ContentHash) -> ContentHash {
        let mut hasher = ContentHasher::default();
        hasher
            .field(self.mechanism.as_bytes())
            .field(&self.section.0.to_le_bytes())
            .field(self.source.as_bytes())
            .field(&content.0.to_le_bytes());
        hasher.finish()
    }
}

fn transformed<'a>(group: &TargetGroup, target: &'a TargetResult) -> Cow<'a, LabelSet> {
    if let Some(labels) = &target.transformed {
        return Cow::Borrowed(labels);
    }
    let own = group.targets.get(target.row as usize);
    Cow::Owned(own.map_or_else(LabelSet::default, |own| LabelSet::merge(&group.labels, own)))
}

// === impl GroupResult ===

impl GroupResult {
    /// The result of a group, none of whose targets is a copy.
    pub fn new(
        group: Arc<TargetGroup>,
        targets: impl Into<Arc<[TargetResult]>>,
        form: Arc<FinalForm>,
    ) -> Self {
        let hash = group.content_hash();
        Self::with_hash(group, hash, targets, form)
    }

    /// Like [`GroupResult::new`] for a group whose hash is known.
    pub(crate) fn with_hash(
        group: Arc<TargetGroup>,
        hash: ContentHash,
        targets: impl Into<Arc<[TargetResult]>>,
        form: Arc<FinalForm>,
    ) -> Self {
        let targets = targets.into();
        let identities = targets.iter().map(|target| match &target.outcome {
            Outcome::Active(last) => Some(form.identity(&last.labels)),
            Outcome::Dropped | Outcome::Invalid(_) => None,
        });
        let identities: Arc<[_]> = identities.collect();
        let discovered = (!group.targets.is_empty()).then_some(hash);
        let untouched = targets.iter().all(|target| target.transformed.is_none());
        let transformed = if untouched && targets.len() == group.targets.len() {
            discovered
        } else {
            let labels = targets.iter().map(|target| transformed(&group, target));
            sum(labels.map(|labels| labels.content_hash()))
        };
        let hashes = [
            discovered,
            transformed,
            sum(identities.iter().copied().flatten()),
        ];
        let (copies, segments) = Default::default();
        Self {
            group,
            targets,
            copies,
            identities,
            form,
            hashes,
            segments,
        }
    }

    /// The targets of one stage as `http_sd` objects joined by commas, without brackets; empty if
    /// there is no target. Sorted by labels, so that equal targets give equal bytes. Rendered once.
    pub fn segment(&self, stage: Stage) -> Bytes {
        self.segments[stage as usize]
            .get_or_init(|| render::segment(self, stage))
            .clone()
    }

    /// A target's labels after the transformers, without defaults of the job.
    pub fn transformed<'a>(&self, target: &'a TargetResult) -> Cow<'a, LabelSet> {
        transformed(&self.group, target)
    }

    /// Whether the target at this index of `targets` is only a copy of one elsewhere in the job
    /// that has the same final labels and URL. Copies are left out of the final stage.
    pub fn is_copy(&self, index: usize) -> bool {
        self.copies.get(index).copied().unwrap_or(false)
    }

    /// What the final stage leaves out.
    pub fn form(&self) -> &FinalForm {
        &self.form
    }

    /// The same result with other copies; what the other stages rendered stays.
    pub(crate) fn with_copies(&self, copies: Box<[bool]>) -> Self {
        let mut changed = self.clone();
        changed.copies = copies;
        changed.segments[Stage::Final as usize] = OnceLock::new();
        let standing = changed.identities.iter().enumerate();
        changed.hashes[Stage::Final as usize] =
            sum(standing.filter_map(|(index, id)| id.filter(|_| !changed.is_copy(index))));
        changed
    }

    /// The group as it went into the pipeline.
    pub(crate) fn entry(&self) -> Entry {
        let hash = self.hashes[Stage::Discovered as usize];
        let hash = hash.unwrap_or_else(|| self.group.content_hash());
        Entry {
            group: Arc::clone(&self.group),
            hash,
        }
    }

    /// Whether exactly these targets are marked as copies.
    pub(crate) fn has_copies(&self, copies: &[bool]) -> bool {
        *self.copies == *copies
    }

    /// The active targets' identities by index.
    pub(crate) fn identities(&self) -> impl Iterator<Item = (usize, ContentHash)> {
        self.identities
            .iter()
            .enumerate()
            .filter_map(|(index, id)| Some((index, (*id)?)))
    }

    /// The address of the row that a target comes from, as discovered.
    pub(crate) fn discovered_address(&self, index: usize) -> &str {
        let Some(target) = self.targets.get(index) else {
            return "";
        };
        let own = self
            .group
            .targets
            .get(target.row as usize)
            .and_then(|own| own.get("__address__"));
        own.or_else(|| self.group.labels.get("__address__"))
            .unwrap_or_default()
    }

    /// The hash of what a stage shows; none if it shows nothing.
    pub(crate) fn stage_hash(&self, stage: Stage) -> Option<ContentHash> {
        self.hashes[stage as usize]
    }
}

/// A hash that forgets order, as a segment does; none if there is nothing.
fn sum(hashes: impl Iterator<Item = ContentHash>) -> Option<ContentHash> {
    hashes.reduce(|sum, hash| ContentHash(sum.0.wrapping_add(hash.0)))
}
