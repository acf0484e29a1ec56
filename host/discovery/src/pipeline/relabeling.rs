//! From a group's rows to its result, through the rules of the job.

use std::sync::Arc;

use periplus_config::Job;
use periplus_core::relabel::Relabeler;
use periplus_core::target::Populator;
use periplus_core::{LabelSet, TargetGroup};

use super::chain::Row;
use super::stays::Stays;
use crate::discovered::Discovered;
use crate::group::{GroupResult, TargetResult};
use crate::metrics::DiscoveryMetrics;
use crate::render::FinalForm;

/// The rules of a generation.
pub(super) struct Relabeling {
    populator: Populator,
    form: Arc<FinalForm>,
    metrics: DiscoveryMetrics,
}

// === impl Relabeling ===

impl Relabeling {
    pub(super) fn new(job: &Job, metrics: DiscoveryMetrics) -> Self {
        Self {
            populator: Populator::new(&job.defaults, Relabeler::new(&job.relabel_rules)),
            form: Arc::new(FinalForm::of(job)),
            metrics,
        }
    }

    /// The result of a group in a job without transformers.
    pub(super) fn group(
        &mut self,
        group: &TargetGroup,
        discovered: &Discovered,
        last: Option<&Arc<GroupResult>>,
        stays: &Stays,
    ) -> GroupResult {
        let mut targets = Vec::with_capacity(group.targets.len());
        for (row, own) in (0..).zip(&group.targets) {
            let before = stays.row(row).zip(last);
            if let Some(target) = before.and_then(|(row, last)| last.targets.get(row as usize)) {
                targets.push(target.at(row));
                continue;
            }
            let labels = LabelSet::merge(&group.labels, own);
            // Rules that give two labels one name visit a target's own labels first.
            targets.push(self.target(row, &labels, Some(own)));
        }
        GroupResult::new(discovered.clone(), targets, None, Arc::clone(&self.form))
    }

    /// The result of a group after the transformers. `rows` are those that do not stay, in order.
    pub(super) fn edited(
        &mut self,
        discovered: &Discovered,
        rows: Vec<Row>,
        last: Option<&Arc<GroupResult>>,
        stays: &Stays,
    ) -> GroupResult {
        let (mut targets, mut edited) = (Vec::new(), Vec::new());
        let mut rows = rows.into_iter().peekable();
        for row in 0..discovered.len() as u32 {
            if let Some((before, last)) = stays.row(row).zip(last) {
                for (target, labels) in last.of_row(before) {
                    targets.push(target.at(row));
                    edited.push(labels.clone());
                }
            }
            while let Some((_, labels)) = rows.next_if(|(of, _)| *of == row) {
                targets.push(self.target(row, &labels, None));
                edited.push(labels);
            }
        }
        let form = Arc::clone(&self.form);
        GroupResult::new(discovered.clone(), targets, Some(edited), form)
    }

    fn target(&mut self, row: u32, labels: &LabelSet, own: Option<&LabelSet>) -> TargetResult {
        self.metrics.relabelled_targets.inc();
        if labels
            .iter()
            .next()
            .is_some_and(|(name, _)| name.is_empty())
        {
            self.metrics.refused_labels.inc();
        }
        let outcome = self.populator.outcome(labels, own);
        TargetResult::new(outcome, row, &self.form)
    }
}
