//! What a reader wants to see of a job.

use std::sync::Arc;

use imbl::ordmap::DiffItem;
use periplus_core::{ContentHash, Selector};

use crate::group::{GroupKey, GroupResult, Stage};
use crate::render;
use crate::shard::Shard;
use crate::snapshot::Snapshot;
use crate::targets::StagedTarget;

/// Segments end after a group whose key is drawn; with so many targets per draw on average.
const SEGMENT_TARGETS: u64 = 128;

/// A stage of a job, or the part of it that a reader asks for.
///
/// Without a shard, stages before the last show copies too, since the reader collapses them itself.
/// With one they are hidden: two readers would otherwise have the same target.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct View {
    /// The stage of the labels.
    pub stage: Stage,
    /// The part of the job; none for all of it.
    pub shard: Option<Shard>,
    /// The names that the reader takes.
    pub names: Names,
    /// Any of them must match the labels that the stage shows; all targets match if there are none.
    pub selectors: Arc<[Selector]>,
}

/// The label names that a reader takes. One that it does not take would make it refuse the whole
/// list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Names {
    /// Any.
    #[default]
    Utf8,
    /// Letters, digits and underscores; labels with other names are left out.
    Legacy,
}

// === impl View ===

impl View {
    /// All of a stage.
    pub fn of(stage: Stage) -> Self {
        Self {
            stage,
            shard: None,
            names: Names::Utf8,
            selectors: Arc::default(),
        }
    }

    /// Whether it is all of a stage, as it is.
    pub fn is_whole(&self) -> bool {
        self.shard.is_none() && self.names == Names::Utf8 && self.selectors.is_empty()
    }

    /// Whether a target is in the view's shard and matches its selectors.
    pub fn shows(&self, target: &StagedTarget<'_>) -> bool {
        let is_match = |selector: &Selector| selector.is_match(|name| target.get(name));
        self.shard
            .is_none_or(|shard| shard.holds(target.shard_key()))
            && (self.selectors.is_empty() || self.selectors.iter().any(is_match))
    }
}

// === impl GroupResult ===

impl GroupResult {
    /// Appends what a view shows of the group to `json`: `http_sd` objects joined by commas, sorted
    /// by labels. Returns how many labels were left out because the reader does not take their
    /// names.
    pub fn render_view(&self, view: &View, json: &mut Vec<u8>) -> usize {
        if view.is_whole() {
            self.render(view.stage, json);
            return 0;
        }
        render::view_segment(self, view, json)
    }
}

// === impl GroupKey ===

impl GroupKey {
    /// Whether a segment of a list ends with this group. Depends on the group's key and size alone,
    /// so that every replica cuts alike, and a change moves only the ends next to it.
    pub fn ends_segment(&self, result: &GroupResult) -> bool {
        let weight = result.discovered().len() as u64;
        // Its low bits are uniform.
        let drawn = self.hash_with(ContentHash::default()).0 as u64 % SEGMENT_TARGETS;
        drawn < weight
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// The keys of groups that are in one of two snapshots only, or not the same in both. Takes
    /// time in proportion to the differences, as long as one came from the other by changes.
    pub fn changes_from<'a>(&'a self, earlier: &'a Self) -> impl Iterator<Item = &'a GroupKey> {
        let changes = earlier.groups.diff(&self.groups);
        changes.map(|change| match change {
            DiffItem::Add(key, _) | DiffItem::Remove(key, _) => key,
            DiffItem::Update { new, .. } => new.0,
        })
    }
}
