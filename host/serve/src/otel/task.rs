//! The task that owns the [`Allocator`]; handlers ask it one by one.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::allocator::{Allocator, Question, Shares};
use super::answer::Refusal;
use super::metrics::AllocatorMetrics;

/// Questions that wait; further ones wait in their handlers.
const WAITING: usize = 64;

/// The way to the task. Cheap to clone; the task ends with the last one.
#[derive(Clone, Debug)]
pub(super) struct Asking(mpsc::Sender<Asked>);

#[derive(Debug)]
struct Asked {
    question: Question,
    answer: oneshot::Sender<Result<Shares, Refusal>>,
}

// === impl Asking ===

impl Asking {
    /// Starts the task.
    pub(super) fn start(metrics: AllocatorMetrics) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(run(receiver, metrics));
        Self(sender)
    }

    pub(super) async fn ask(&self, question: Question) -> Result<Shares, Refusal> {
        let ended = || Refusal::unavailable("the host is stopping");
        let (answer, shares) = oneshot::channel();
        let asked = Asked { question, answer };
        self.0.send(asked).await.map_err(|_| ended())?;
        shares.await.map_err(|_| ended())?
    }
}

async fn run(mut questions: mpsc::Receiver<Asked>, metrics: AllocatorMetrics) {
    let mut kept = None;
    while let Some(Asked { question, answer }) = questions.recv().await {
        let now = Instant::now();
        // From the first question on: whoever else there is has as much time to ask.
        let mut allocator = kept
            .take()
            .unwrap_or_else(|| Allocator::new(Arc::clone(&question.settings), now));
        let shares = if allocator.is_ready_for(&question, now) {
            allocator.answer(&question, now)
        } else {
            // Sharing out many targets takes a while, which others must not wait for.
            let work = tokio::task::spawn_blocking(move || {
                let shares = allocator.answer(&question, now);
                (allocator, shares)
            });
            let Ok((back, shares)) = work.await else {
                return;
            };
            allocator = back;
            shares
        };
        metrics.set(&allocator.totals());
        kept = Some(allocator);
        // Who asked may have gone.
        let _: Result<(), _> = answer.send(shares);
    }
}
