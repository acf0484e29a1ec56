//! One group of a job after its pipeline: the unit in which snapshots change and are rendered.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use bytes::Bytes;
use periplus_core::hash::ContentHasher;
use periplus_core::target::Outcome;
use periplus_core::{ContentHash, LabelSet, TargetGroup};

use crate::discovered::Discovered;
use crate::render::{self, FinalForm, Lengths};

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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupKey {
    /// The section that the group comes from.
    pub section: Arc<SectionKey>,
    /// The group's source within its provider.
    pub source: Arc<str>,
}

/// Identifies a section within a job. One for all its groups.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SectionKey {
    /// The mechanism.
    pub mechanism: Arc<str>,
    /// The identity of the section.
    pub identity: ContentHash,
}

/// A group with what the job's pipeline made of it.
#[derive(Debug)]
pub struct GroupResult {
    discovered: Discovered,
    /// Its targets after the transformers, in the order of the rows that they come from.
    pub targets: Arc<[TargetResult]>,
    /// What the transformers made; none where none ran, so that the discovered labels are not kept
    /// twice.
    edited: Option<Arc<Edited>>,
    /// Parallel to `targets`; none when no target is a copy of one elsewhere in the job.
    copies: Option<Arc<Vec<bool>>>,
    form: Arc<FinalForm>,
    /// The sum of the identities of the targets that the final stage shows,
    shown: ContentHash,
    /// and their number.
    standing: u32,
    /// The group's place in its job's index of equal targets.
    pub(crate) slot: u32,
    lengths: Lengths,
}

/// One target of a group.
#[derive(Clone, Debug)]
pub struct TargetResult {
    /// What relabeling made of it.
    pub outcome: Outcome,
    /// Index in the group's targets of the row that it comes from.
    pub row: u32,
    /// What makes an active target the same as another; means nothing of others.
    identity: Identity,
}

/// The hash of all that a final target shows; in halves, low one first, since they are kept by the
/// million, and a whole would be aligned to 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Identity([u64; 2]);

/// Parallel to a result's targets: their labels after the transformers.
#[derive(Debug)]
pub(crate) struct Edited {
    labels: Box<[LabelSet]>,
    /// The sum of their hashes; none if there are none.
    hash: Option<ContentHash>,
}

// === impl Stage ===

impl Stage {
    /// All stages in order.
    pub const ALL: [Self; 3] = [Self::Discovered, Self::Transformed, Self::Final];
}

// === impl GroupKey ===

impl GroupKey {
    /// The hash of the key and of some content. Sums of such hashes tell what a list shows, since
    /// lists are ordered by key.
    pub fn hash_with(&self, content: ContentHash) -> ContentHash {
        let mut hasher = ContentHasher::default();
        hasher
            .field(self.section.mechanism.as_bytes())
            .field(&self.section.identity.0.to_le_bytes())
            .field(self.source.as_bytes())
            .field(&content.0.to_le_bytes());
        hasher.finish()
    }
}

impl Ord for GroupKey {
    /// By section, then by source.
    fn cmp(&self, other: &Self) -> Ordering {
        let sections = if Arc::ptr_eq(&self.section, &other.section) {
            Ordering::Equal
        } else {
            self.section.cmp(&other.section)
        };
        sections.then_with(|| self.source.cmp(&other.source))
    }
}

impl PartialOrd for GroupKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

// === impl GroupResult ===

impl GroupResult {
    /// The result of a group, none of whose targets is a copy. `edited` are the targets' labels
    /// after the transformers, if there are any.
    pub(crate) fn new(
        discovered: Discovered,
        targets: Vec<TargetResult>,
        edited: Option<Vec<LabelSet>>,
        form: Arc<FinalForm>,
    ) -> Self {
        let (shown, standing) = sum(targets.iter().filter_map(TargetResult::identity));
        Self {
            discovered,
            targets: targets.into(),
            edited: edited.map(|labels| Arc::new(Edited::new(labels))),
            copies: None,
            form,
            shown,
            standing,
            slot: 0,
            lengths: Lengths::default(),
        }
    }

    /// How many targets the final stage shows.
    pub fn standing(&self) -> usize {
        self.standing as usize
    }

    /// What the provider found.
    pub fn discovered(&self) -> &Discovered {
        &self.discovered
    }

    /// The targets of one stage as `http_sd` objects joined by commas, without brackets; empty if
    /// there is no target. Sorted by labels, so that equal targets give equal bytes.
    pub fn segment(&self, stage: Stage) -> Bytes {
        let mut json = Vec::new();
        self.render(stage, &mut json);
        json.into()
    }

    /// Appends the segment of a stage to `json`.
    pub(crate) fn render(&self, stage: Stage, json: &mut Vec<u8>) {
        let start = json.len();
        render::segment(self, stage, json);
        self.lengths.learn(stage, json.len() - start);
    }

    /// The length of a stage's segment, if it was rendered before or shows nothing.
    pub(crate) fn known_length(&self, stage: Stage) -> Option<usize> {
        match self.stage_hash(stage) {
            None => Some(0),
            Some(_) => self.lengths.known(stage),
        }
    }

    /// A target's labels after the transformers, without defaults of the job. `group` is the
    /// result's own, so that it is made once for all its targets.
    pub fn transformed<'a>(&'a self, group: &TargetGroup, index: usize) -> Cow<'a, LabelSet> {
        if let Some(edited) = &self.edited {
            return edited
                .labels
                .get(index)
                .map_or_else(Cow::default, Cow::Borrowed);
        }
        let target = self.targets.get(index);
        let own = target.and_then(|target| group.targets.get(target.row as usize));
        let labels = own.map(|own| LabelSet::merge(&group.labels, own));
        Cow::Owned(labels.unwrap_or_default())
    }

    /// Whether the target at this index of `targets` is only a copy of one elsewhere in the job
    /// that has the same final labels and URL. Copies are left out of the final stage.
    pub fn is_copy(&self, index: usize) -> bool {
        let copies = self.copies.as_ref();
        copies.is_some_and(|copies| copies.get(index).copied().unwrap_or(false))
    }

    /// Every target: the row that it was found in, and its place among the results, unless a
    /// transformer dropped it. Those with results come first, in their order.
    pub fn places(&self) -> impl Iterator<Item = (usize, Option<usize>)> + use<> {
        let mut places = Vec::with_capacity(self.targets.len());
        let mut has_result = vec![false; self.discovered.len()];
        for (at, target) in self.targets.iter().enumerate() {
            let row = target.row as usize;
            places.push((row, Some(at)));
            if let Some(has) = has_result.get_mut(row) {
                *has = true;
            }
        }
        let without = has_result.iter().enumerate().filter(|(_, has)| !**has);
        places.extend(without.map(|(row, _)| (row, None)));
        places.into_iter()
    }

    /// Whether any target is a copy.
    pub(crate) fn has_any_copy(&self) -> bool {
        self.copies.is_some()
    }

    /// What the final stage leaves out.
    pub fn form(&self) -> &FinalForm {
        &self.form
    }

    /// The same result with other copies.
    pub(crate) fn with_copies(&self, copies: Vec<bool>) -> Self {
        let is_copy = |index: usize| copies.get(index).copied().unwrap_or(false);
        let standing = self.targets.iter().enumerate();
        let standing = standing.filter(|(index, _)| !is_copy(*index));
        let (shown, standing) = sum(standing.filter_map(|(_, target)| target.identity()));
        Self {
            discovered: self.discovered.clone(),
            targets: Arc::clone(&self.targets),
            edited: self.edited.clone(),
            copies: (!copies.is_empty()).then(|| Arc::new(copies)),
            form: Arc::clone(&self.form),
            shown,
            standing,
            slot: self.slot,
            lengths: self.lengths.without(Stage::Final),
        }
    }

    /// Whether exactly these targets are marked as copies.
    pub(crate) fn has_copies(&self, copies: &[bool]) -> bool {
        self.copies.as_ref().map_or(&[][..], |known| known) == copies
    }

    /// The active targets' identities by index.
    pub(crate) fn identities(&self) -> impl Iterator<Item = (usize, Identity)> {
        self.targets
            .iter()
            .enumerate()
            .filter_map(|(index, target)| Some((index, target.identity()?)))
    }

    /// The targets that come from a row, with their labels after the transformers.
    pub(crate) fn of_row(&self, row: u32) -> impl Iterator<Item = (&TargetResult, &LabelSet)> {
        let labels = self.edited().unwrap_or_default();
        let from = self.targets.partition_point(|target| target.row < row);
        let all = self.targets[from..].iter().zip(labels.iter().skip(from));
        all.take_while(move |(target, _)| target.row == row)
    }

    /// The labels after the transformers, parallel to the targets, if there are transformers.
    pub(crate) fn edited(&self) -> Option<&[LabelSet]> {
        self.edited.as_ref().map(|edited| &*edited.labels)
    }

    /// The hash of what a stage shows; none if it shows nothing.
    pub fn stage_hash(&self, stage: Stage) -> Option<ContentHash> {
        let discovered = || {
            let hash = self.discovered.content_hash();
            (!self.discovered.is_empty()).then_some(hash)
        };
        match (stage, &self.edited) {
            (Stage::Transformed, Some(edited)) => edited.hash,
            (Stage::Discovered | Stage::Transformed, _) => discovered(),
            (Stage::Final, _) => (self.standing > 0).then_some(self.shown),
        }
    }
}

impl PartialEq for GroupResult {
    /// Only the very same result is equal: that is what tells two snapshots apart, at no cost.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

// === impl TargetResult ===

impl TargetResult {
    pub(crate) fn new(outcome: Outcome, row: u32, form: &FinalForm) -> Self {
        let identity = match &outcome {
            Outcome::Active(last) => Identity::new(form.identity(&last.labels)),
            Outcome::Dropped | Outcome::Invalid(_) => Identity::default(),
        };
        Self {
            outcome,
            row,
            identity,
        }
    }

    /// The same result, of what is another row now.
    pub(crate) fn at(&self, row: u32) -> Self {
        Self {
            row,
            ..self.clone()
        }
    }

    /// What makes it the same as another, if it is active.
    pub(crate) fn identity(&self) -> Option<Identity> {
        matches!(self.outcome, Outcome::Active(_)).then_some(self.identity)
    }

    /// The discovered address of a target.
    pub(crate) fn address<'a>(&self, group: &'a TargetGroup) -> &'a str {
        discovered_address(group, self.row as usize)
    }

    /// Whether this is the very result that the other is, and not only an equal one.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.outcome, &other.outcome) {
            (Outcome::Active(one), Outcome::Active(two)) => one.labels.is_same(&two.labels),
            _ => false,
        }
    }
}

// === impl Identity ===

impl Identity {
    fn new(hash: ContentHash) -> Self {
        Self([hash.0 as u64, (hash.0 >> 64) as u64])
    }

    fn whole(self) -> u128 {
        u128::from(self.0[1]) << 64 | u128::from(self.0[0])
    }
}

// === impl Edited ===

impl Edited {
    fn new(labels: Vec<LabelSet>) -> Self {
        // Like a segment, it forgets order.
        let hashes = labels.iter().map(LabelSet::content_hash);
        let hash = hashes.reduce(|sum, hash| ContentHash(sum.0.wrapping_add(hash.0)));
        let labels = labels.into();
        Self { labels, hash }
    }
}

/// The discovered `__address__` of a row of a group; empty if it has none.
pub(crate) fn discovered_address(group: &TargetGroup, row: usize) -> &str {
    let own = group.targets.get(row);
    own.and_then(|own| own.get("__address__"))
        .or_else(|| group.labels.get("__address__"))
        .unwrap_or_default()
}

/// The sum of identities, which forgets order as a segment does, and their number.
fn sum(identities: impl Iterator<Item = Identity>) -> (ContentHash, u32) {
    let add = |(sum, count): (u128, u32), identity: Identity| {
        (sum.wrapping_add(identity.whole()), count + 1)
    };
    let (sum, count) = identities.fold((0, 0), add);
    (ContentHash(sum), count)
}
