//! A snapshot's targets one by one, for fronts that do not send them as they are rendered.
//!
//! Targets that are copies of others are left out at every stage, not only at the last: readers
//! that share a job by shards would otherwise relabel two copies to the same target each.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use periplus_core::target::Outcome;
use periplus_core::{LabelSet, TargetGroup};

use crate::discovered::Discovered;
use crate::group::{GroupKey, GroupResult, Stage, discovered_address};
use crate::render::{self, FinalForm};
use crate::snapshot::Snapshot;

/// A target at one stage.
#[derive(Clone, Debug)]
pub struct StagedTarget<'a> {
    labels: Cow<'a, LabelSet>,
    form: Option<&'a FinalForm>,
    rows: &'a Rows<'a>,
    row: u32,
    index: usize,
    is_active: bool,
}

/// The discovered rows of a group, which is derived when the first of them is looked at: its final
/// targets can be shown without.
#[derive(Debug)]
struct Rows<'a> {
    discovered: &'a Discovered,
    group: OnceCell<Arc<TargetGroup>>,
}

/// Whether copies are shown at the stages before the last; the last one never shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Copies {
    Shown,
    Hidden,
}

// === impl Snapshot ===

impl Snapshot {
    /// Shows every target of a stage that is no copy of another, in the order of the groups' keys
    /// and of the targets in them: the same order on every replica that knows the same. Takes time
    /// in proportion to all targets: about a microsecond each where groups are derived for it, that
    /// is but for final targets whose shard key nobody asks for.
    ///
    /// Means nothing as long as the job is not `known`.
    pub fn visit_targets(&self, stage: Stage, mut visit: impl FnMut(&GroupKey, &StagedTarget<'_>)) {
        for (key, result) in &self.groups {
            result.visit_targets(stage, |target| visit(key, target));
        }
    }
}

// === impl GroupResult ===

impl GroupResult {
    /// Shows every target of a stage that is no copy of another one in the job, in the order of
    /// the provider.
    pub fn visit_targets(&self, stage: Stage, visit: impl FnMut(&StagedTarget<'_>)) {
        self.visit(stage, Copies::Hidden, visit);
    }

    pub(crate) fn visit(
        &self,
        stage: Stage,
        copies: Copies,
        mut visit: impl FnMut(&StagedTarget<'_>),
    ) {
        let rows = &Rows {
            discovered: self.discovered(),
            group: OnceCell::new(),
        };
        if stage == Stage::Discovered {
            return self.visit_rows(rows, copies, visit);
        }
        let is_shown = |index| copies == Copies::Shown || !self.is_copy(index);
        for (index, target) in self.targets.iter().enumerate() {
            let (labels, form) = match (stage, &target.outcome) {
                (Stage::Final, Outcome::Active(last)) if !self.is_copy(index) => {
                    (Cow::Borrowed(&last.labels), Some(self.form()))
                }
                (Stage::Final, _) => continue,
                _ if is_shown(index) => (self.transformed(rows.group(), index), None),
                _ => continue,
            };
            visit(&StagedTarget {
                labels,
                form,
                rows,
                row: target.row,
                index,
                is_active: matches!(target.outcome, Outcome::Active(_)),
            });
        }
    }

    fn visit_rows(
        &self,
        rows: &Rows<'_>,
        copies: Copies,
        mut visit: impl FnMut(&StagedTarget<'_>),
    ) {
        let group = rows.group();
        let is_hidden = match copies {
            Copies::Hidden => self.hidden_rows(group.targets.len()),
            Copies::Shown => Vec::new(),
        };
        for (row, own) in group.targets.iter().enumerate() {
            if is_hidden.get(row).is_some_and(|hidden| *hidden) {
                continue;
            }
            visit(&StagedTarget {
                labels: Cow::Owned(LabelSet::merge(&group.labels, own)),
                form: None,
                rows,
                row: row as u32,
                index: row,
                is_active: true,
            });
        }
    }

    /// Appends a target after the transformers to `json`, as an `http_sd` object. `group` is the
    /// result's own, so that it is made once for all its targets.
    pub fn write_transformed(&self, group: &TargetGroup, index: usize, json: &mut Vec<u8>) {
        let labels = self.transformed(group, index);
        let address = labels.get(render::ADDRESS).unwrap_or_default();
        render::object(json, address, labels.iter());
    }

    /// The discovered rows that became nothing but copies; empty if there is none.
    fn hidden_rows(&self, rows: usize) -> Vec<bool> {
        if !self.has_any_copy() {
            return Vec::new();
        }
        let (mut has_copy, mut has_other) = (vec![false; rows], vec![false; rows]);
        for (index, target) in self.targets.iter().enumerate() {
            let rows = if self.is_copy(index) {
                &mut has_copy
            } else {
                &mut has_other
            };
            if let Some(row) = rows.get_mut(target.row as usize) {
                *row = true;
            }
        }
        let rows = has_copy.into_iter().zip(has_other);
        rows.map(|(copy, other)| copy && !other).collect()
    }
}

// === impl Rows ===

impl Rows<'_> {
    fn group(&self) -> &TargetGroup {
        self.group.get_or_init(|| self.discovered.group())
    }
}

// === impl StagedTarget ===

impl StagedTarget<'_> {
    /// The labels that are shown, sorted by name; `__address__` is one of them.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let form = self.form;
        let all = self.labels.iter();
        all.filter(move |(name, value)| form.is_none_or(|form| !form.is_implied(name, value)))
    }

    /// The value of a label that is shown; empty if there is none.
    pub fn get(&self, name: &str) -> &str {
        let value = self.labels.get(name).unwrap_or_default();
        match self.form {
            Some(form) if form.is_implied(name, value) => "",
            _ => value,
        }
    }

    /// The label set behind [`labels`](Self::labels): at the final stage it also holds the scrape
    /// settings that are not shown.
    pub fn label_set(&self) -> &LabelSet {
        &self.labels
    }

    /// The discovered `__address__`, which no transformer or rule has touched: what a target is
    /// assigned to a shard or collector by. Empty if the provider gave none.
    pub fn shard_key(&self) -> &str {
        discovered_address(self.rows.group(), self.row as usize)
    }

    /// Its place among the targets of its group at this stage; at the final one among those before.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Whether relabeling leaves it to be scraped; of the discovered stage that is not known, and true.
    pub fn is_active(&self) -> bool {
        self.is_active
    }
}
