//! One page of targets among millions: what the interface for people lists.
//!
//! Nothing is kept between requests. Without a filter whole groups are counted and skipped, so that a
//! page costs about what it shows; with one every target is looked at until the page is full and some
//! time has passed, and the rest goes uncounted.

mod query;
mod row;

use std::sync::Arc;
use std::time::{Duration, Instant};

use periplus_core::target::Outcome;
use periplus_core::{LabelSet, TargetGroup};
use periplus_discovery::{GroupKey, GroupResult, Snapshot};

pub(crate) use query::{Query, Sort, State};
pub(crate) use row::{Row, RowState};

/// Targets on one page.
pub(crate) const PAGE: usize = 50;
/// Sorted lists reach this far; further on a filter has to help.
pub(crate) const MOST_SORTED: usize = 5000;
/// A page that is full counts on for so long.
const COUNTING: Duration = Duration::from_millis(80);
/// Targets between two looks at the clock.
const STRIDE: usize = 4096;

/// A page of targets.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) rows: Vec<Row>,
    /// Targets that match, as far as they were counted.
    pub(crate) total: usize,
    /// Whether there may be more than `total`.
    pub(crate) is_cut: bool,
}

/// A job with its targets at one moment.
pub(crate) type Pool = (String, Arc<Snapshot>);

/// One target in its place: the group's result, and where the target stands in it.
#[derive(Clone, Copy)]
struct Spot<'a> {
    job: &'a str,
    key: &'a GroupKey,
    result: &'a GroupResult,
    /// The row of the group that it was found in,
    row: usize,
    /// and its place among the results, unless a transformer dropped it.
    at: Option<usize>,
}

/// A group that is made at most once, and only if somebody needs it.
struct Lazy<'a> {
    result: &'a GroupResult,
    group: Option<Arc<TargetGroup>>,
}

/// Looks through the jobs' targets. Takes up to some hundred milliseconds: not for a thread that
/// serves.
pub(crate) fn browse(pools: &[Pool], query: &Query) -> Page {
    match &query.sort {
        Sort::Place => in_order(pools, query),
        Sort::Label { name, descending } => row::sorted(pools, query, name, *descending),
    }
}

fn in_order(pools: &[Pool], query: &Query) -> Page {
    let mut page = Page::default();
    let offset = query.page * PAGE;
    let mut clock = Clock::start();
    for (job, snapshot) in pools.iter().filter(|(job, _)| query.takes_job(job)) {
        for (key, result) in &snapshot.groups {
            if !query.takes_mechanism(&key.section.mechanism) {
                continue;
            }
            if let Some(count) = query.plain_count(result)
                && (page.total + count <= offset || page.rows.len() == PAGE)
            {
                page.total += count;
                continue;
            }
            let mut group = Lazy::of(result);
            for spot in spots(job, key, result) {
                if page.rows.len() == PAGE && clock.is_over(COUNTING) {
                    page.is_cut = true;
                    return page;
                }
                if !spot.matches(query, &mut group) {
                    continue;
                }
                page.total += 1;
                if page.total > offset && page.rows.len() < PAGE {
                    page.rows.push(spot.row(&mut group));
                }
            }
        }
    }
    page
}

fn spots<'a>(
    job: &'a str,
    key: &'a GroupKey,
    result: &'a GroupResult,
) -> impl Iterator<Item = Spot<'a>> {
    result.places().map(move |(row, at)| Spot {
        job,
        key,
        result,
        row,
        at,
    })
}

// === impl Spot ===

impl Spot<'_> {
    fn outcome(&self) -> Option<&Outcome> {
        self.at.map(|at| &self.result.targets[at].outcome)
    }

    fn state(&self) -> RowState {
        match self.outcome() {
            None => RowState::DroppedByTransformers,
            Some(Outcome::Dropped) => RowState::DroppedByRule,
            Some(Outcome::Invalid(_)) => RowState::Invalid,
            Some(Outcome::Active(_)) if self.at.is_some_and(|at| self.result.is_copy(at)) => {
                RowState::Copy
            }
            Some(Outcome::Active(_)) => RowState::Active,
        }
    }

    /// The labels that a person means: the last ones that the target had.
    fn last_labels(&self, group: &mut Lazy<'_>) -> LabelSet {
        match (self.outcome(), self.at) {
            (Some(Outcome::Active(last)), _) => last.labels.clone(),
            (_, Some(at)) => self.result.transformed(group.get(), at).into_owned(),
            (_, None) => self.discovered(group),
        }
    }

    fn discovered(&self, group: &mut Lazy<'_>) -> LabelSet {
        let group = group.get();
        let own = group.targets.get(self.row);
        own.map_or_else(LabelSet::default, |own| LabelSet::merge(&group.labels, own))
    }

    fn matches(&self, query: &Query, group: &mut Lazy<'_>) -> bool {
        query.takes_state(self.state())
            && (query.is_plain() || {
                match self.outcome() {
                    Some(Outcome::Active(last)) => query.takes_labels(&last.labels),
                    _ => query.takes_labels(&self.last_labels(group)),
                }
            })
    }
}

// === impl Lazy ===

impl<'a> Lazy<'a> {
    fn of(result: &'a GroupResult) -> Self {
        Self {
            result,
            group: None,
        }
    }

    fn get(&mut self) -> &TargetGroup {
        self.group
            .get_or_insert_with(|| self.result.discovered().group())
    }
}

/// Looks at the time now and then.
struct Clock {
    started: Instant,
    looks: usize,
    over: bool,
}

// === impl Clock ===

impl Clock {
    fn start() -> Self {
        Self {
            started: Instant::now(),
            looks: 0,
            over: false,
        }
    }

    fn is_over(&mut self, limit: Duration) -> bool {
        self.looks += 1;
        if self.looks.is_multiple_of(STRIDE) {
            self.over = self.started.elapsed() > limit;
        }
        self.over
    }
}
