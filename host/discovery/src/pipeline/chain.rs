//! A job's transformers, in order, over batches of groups.

use std::collections::VecDeque;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::select_all;
use periplus_config::OnError;
use periplus_core::LabelSet;
use tokio::sync::watch;

use super::stays::Stays;
use crate::discoverer::{TransformError, Transformer};
use crate::updates::Entry;

/// Rows of one call, unless a single group has more.
const BATCH_ROWS: usize = 4096;

/// Failing calls of one transformer in one pass before the pass gives up on it: a few to tell a
/// plugin that is broken from one that stumbles over a row,
const FAILURES_AT_FIRST: u32 = 7;
/// and more once any call has succeeded.
const FAILURES_AT_MOST: u32 = 40;

/// All transformers of a job.
#[derive(Default)]
pub(crate) struct Chain {
    links: Vec<Link>,
}

/// One transformer with its place in the configuration.
pub(crate) struct Link {
    transformer: Arc<dyn Transformer>,
    plugin: String,
    on_error: OnError,
    generation: watch::Receiver<u64>,
}

/// What became of a group in the chain.
#[derive(Debug)]
pub(super) struct Transformed {
    /// The rows afterwards, each with the index of the target that it comes from, but for those
    /// that stay; none if the group has to stay as it was.
    pub(super) rows: Option<Vec<Row>>,
    /// Whether all of the group is dropped, the rows that stayed included.
    pub(super) is_dropped: bool,
    /// The transformer that failed and why; the group has to be tried again.
    pub(super) failure: Option<Failure>,
}

pub(super) type Row = (u32, LabelSet);

/// A transformer's failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("transformer `{plugin}` failed: {message}")]
pub(super) struct Failure {
    pub(super) plugin: String,
    pub(super) message: String,
}

/// How one link's calls went in one pass.
#[derive(Default)]
struct Record {
    failures: u32,
    has_succeeded: bool,
}

// === impl Chain ===

impl Chain {
    pub(crate) fn new(links: Vec<Link>) -> Self {
        Self { links }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Until the answers of any transformer may differ from before; never without transformers.
    pub(super) async fn changed(&mut self) {
        if self.links.is_empty() {
            return std::future::pending().await;
        }
        let changes = self.links.iter_mut().map(|link| {
            Box::pin(async {
                if link.generation.changed().await.is_err() {
                    // The sender is gone: nothing will change any more.
                    std::future::pending::<()>().await;
                }
            })
        });
        select_all(changes).await;
    }

    /// Whether answers may differ from before, once per change.
    pub(super) fn take_changed(&mut self) -> bool {
        let mut changed = false;
        for link in &mut self.links {
            changed |= link.generation.has_changed().unwrap_or(false);
            link.generation.mark_unchanged();
        }
        changed
    }

    /// Runs all transformers on the rows that do not stay; one answer per group, in order.
    pub(super) async fn run(
        &self,
        work: &[(Entry, Stays)],
        mut on_failure: impl FnMut(&Failure),
    ) -> Vec<Transformed> {
        let groups = work.iter();
        let groups = groups.map(|(entry, stays)| Transformed::discovered(entry, stays));
        let mut groups: Vec<Transformed> = groups.collect();
        for link in &self.links {
            link.run(&mut groups, &mut on_failure).await;
        }
        groups
    }
}

// === impl Link ===

impl Link {
    pub(crate) fn new(
        transformer: Arc<dyn Transformer>,
        plugin: String,
        on_error: OnError,
    ) -> Self {
        let mut generation = transformer.generation();
        generation.mark_unchanged();
        Self {
            transformer,
            plugin,
            on_error,
            generation,
        }
    }

    async fn run(&self, groups: &mut [Transformed], on_failure: &mut impl FnMut(&Failure)) {
        let mut record = Record::default();
        let mut batches: VecDeque<Range<usize>> = batches(groups).into();
        while let Some(batch) = batches.pop_front() {
            match self.call(&groups[batch.clone()]).await {
                Ok(answers) => {
                    record.has_succeeded = true;
                    distribute(&mut groups[batch], answers);
                }
                Err(error) => {
                    record.failures += 1;
                    let failure = Failure {
                        plugin: self.plugin.clone(),
                        message: error.message,
                    };
                    on_failure(&failure);
                    // One row must not hold back the others: look for it in halves.
                    if batch.len() > 1 && record.may_go_on() {
                        let middle = batch.start + batch.len() / 2;
                        batches.push_back(batch.start..middle);
                        batches.push_back(middle..batch.end);
                    } else {
                        for group in &mut groups[batch] {
                            group.fail(self.on_error, &failure);
                        }
                    }
                }
            }
        }
    }

    async fn call(&self, groups: &[Transformed]) -> Result<Vec<Vec<LabelSet>>, TransformError> {
        let rows = groups
            .iter()
            .filter_map(|group| group.rows.as_ref())
            .flatten();
        let rows: Vec<LabelSet> = rows.map(|(_, labels)| labels.clone()).collect();
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let answers = AssertUnwindSafe(self.transformer.transform(&rows))
            .catch_unwind()
            .await;
        let answers = answers.map_err(|_| TransformError::new("it panicked"))??;
        if answers.len() == rows.len() {
            Ok(answers)
        } else {
            let (said, asked) = (answers.len(), rows.len());
            Err(TransformError::new(format!(
                "answered {said} rows when asked about {asked}"
            )))
        }
    }
}

/// Runs of whole groups with at most [`BATCH_ROWS`] rows, or one group.
fn batches(groups: &[Transformed]) -> Vec<Range<usize>> {
    let mut batches = Vec::new();
    let (mut start, mut rows) = (0, 0);
    for (index, group) in groups.iter().enumerate() {
        let more = group.rows.as_ref().map_or(0, Vec::len);
        if rows + more > BATCH_ROWS && index > start {
            batches.push(start..index);
            (start, rows) = (index, 0);
        }
        rows += more;
    }
    if start < groups.len() {
        batches.push(start..groups.len());
    }
    batches
}

fn distribute(groups: &mut [Transformed], answers: Vec<Vec<LabelSet>>) {
    let mut answers = answers.into_iter();
    for rows in groups.iter_mut().filter_map(|group| group.rows.as_mut()) {
        let before = std::mem::take(rows);
        for ((row, _), answer) in before.into_iter().zip(answers.by_ref()) {
            rows.extend(answer.into_iter().map(|labels| (row, labels)));
        }
    }
}

// === impl Transformed ===

impl Transformed {
    fn discovered(entry: &Entry, stays: &Stays) -> Self {
        let group = entry.group();
        let rows = (0..).zip(&group.targets);
        let rows = rows.filter(|(row, _)| stays.row(*row).is_none());
        let rows = rows.map(|(row, own)| (row, LabelSet::merge(&group.labels, own)));
        Self {
            rows: Some(rows.collect()),
            is_dropped: false,
            failure: None,
        }
    }

    fn fail(&mut self, on_error: OnError, failure: &Failure) {
        // A group that an earlier transformer gave up on was not part of this call.
        let Some(rows) = &mut self.rows else { return };
        match on_error {
            OnError::Keep => self.rows = None,
            OnError::Drop => {
                rows.clear();
                self.is_dropped = true;
            }
            OnError::Pass => {}
        }
        self.failure = Some(failure.clone());
    }
}

// === impl Record ===

impl Record {
    fn may_go_on(&self) -> bool {
        self.failures
            < if self.has_succeeded {
                FAILURES_AT_MOST
            } else {
                FAILURES_AT_FIRST
            }
    }
}
