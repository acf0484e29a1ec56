//! One target as a page shows it, and pages in the order of a label.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use periplus_core::LabelSet;
use periplus_core::target::Outcome;

use super::{Lazy, MOST_SORTED, PAGE, Page, Pool, Query, Spot, spots};

/// What became of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowState {
    Active,
    /// Another target of the job has the same final labels and stands for both.
    Copy,
    DroppedByRule,
    DroppedByTransformers,
    Invalid,
}

/// One target.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) job: String,
    pub(crate) mechanism: String,
    pub(crate) source: String,
    pub(crate) state: RowState,
    /// Why it is invalid.
    pub(crate) reason: Option<String>,
    /// Its discovered address.
    pub(crate) address: String,
    pub(crate) discovered: LabelSet,
    /// Final labels; none unless it is active or a copy.
    pub(crate) last: Option<LabelSet>,
}

/// Keeps the first of a page's end by order, and never more.
struct Candidate<'a> {
    key: String,
    /// Counted, so that equal keys stand in the order of lists.
    number: usize,
    /// The same for all of a page.
    descending: bool,
    spot: Spot<'a>,
}

// === impl Row ===

impl Row {
    /// The name under which `explain` finds it: the instance, if it has one.
    pub(crate) fn name(&self) -> &str {
        let instance = self.last.as_ref().and_then(|labels| labels.get("instance"));
        instance.unwrap_or(&self.address)
    }
}

// === impl Spot ===

impl Spot<'_> {
    pub(super) fn row(&self, group: &mut Lazy<'_>) -> Row {
        let discovered = self.discovered(group);
        let (reason, last) = match self.outcome() {
            Some(Outcome::Invalid(reason)) => (Some(reason.clone()), None),
            Some(Outcome::Active(last)) => {
                let shown = self.result.form().shown(&last.labels);
                (None, Some(shown.collect()))
            }
            _ => (None, None),
        };
        Row {
            job: self.job.to_owned(),
            mechanism: self.key.section.mechanism.to_string(),
            source: self.key.source.to_string(),
            state: self.state(),
            reason,
            address: discovered.get("__address__").unwrap_or_default().to_owned(),
            discovered,
            last,
        }
    }

    fn sort_key(&self, name: &str, group: &mut Lazy<'_>) -> String {
        if name == "job" {
            return self.job.to_owned();
        }
        match self.outcome() {
            Some(Outcome::Active(last)) => last.labels.get(name).unwrap_or_default().to_owned(),
            _ => self
                .last_labels(group)
                .get(name)
                .unwrap_or_default()
                .to_owned(),
        }
    }
}

/// A page in the order of a label. Reads every target, and keeps those up to the page's end alone.
pub(super) fn sorted(pools: &[Pool], query: &Query, name: &str, descending: bool) -> Page {
    let offset = query.page * PAGE;
    let end = (offset + PAGE).min(MOST_SORTED);
    let mut total = 0;
    let mut first = BinaryHeap::new();
    for (job, snapshot) in pools.iter().filter(|(job, _)| query.takes_job(job)) {
        for (key, result) in &snapshot.groups {
            if !query.takes_mechanism(&key.section.mechanism) {
                continue;
            }
            let mut group = Lazy::of(result);
            for spot in spots(job, key, result) {
                if spot.matches(query, &mut group) {
                    first.push(Candidate {
                        key: spot.sort_key(name, &mut group),
                        number: total,
                        descending,
                        spot,
                    });
                    if first.len() > end {
                        first.pop();
                    }
                    total += 1;
                }
            }
        }
    }
    let rows = first.into_sorted_vec().into_iter().skip(offset);
    Page {
        rows: rows
            .map(|Candidate { spot, .. }| spot.row(&mut Lazy::of(spot.result)))
            .collect(),
        total,
        is_cut: false,
    }
}

// === impl Candidate ===

impl Ord for Candidate<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let keys = self.key.cmp(&other.key);
        let order = keys.then_with(|| self.number.cmp(&other.number));
        if self.descending {
            order.reverse()
        } else {
            order
        }
    }
}

impl PartialOrd for Candidate<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Candidate<'_> {}
