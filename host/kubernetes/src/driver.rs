//! The list/watch driver: keeps the records of one collection as the API server has them.
//!
//! One task per watch owns connection, buffers, store and back-off. [`state`] decides what comes
//! next, [`intake`] turns bytes into records and tells a [`Consumer`] what changed, and this file
//! asks the server and keeps the time.

use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

pub(crate) mod backoff;
pub(crate) mod intake;
pub(crate) mod kept;
mod list;
pub(crate) mod state;
pub(crate) mod store;
mod turn;
mod watch;

use self::backoff::Backoff;
use self::intake::Intake;
use self::kept::SharedKept;
pub(crate) use self::state::Problem;
use self::state::{Pause, State, Step};
use self::watch::OpenWatch;
use crate::api::capabilities::REMEMBERED;
use crate::api::{Api, ApiError, Body, Call, Collection, Request};
use crate::metrics::KubernetesMetrics;
use crate::record::Record;
use crate::resource::{ObjectKey, Resource};

/// How long the head of an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a consumer is told that all is well.
const ANSWERED_EVERY: Duration = Duration::from_secs(1);

/// Is told what changed in a collection, in the order in which it happened to each object, and how
/// the watch does. Called under the lock of [`SharedKept`], so no call may block.
pub(crate) trait Consumer: Send + 'static {
    /// An object is new, or differs in what matters.
    fn changed(&mut self, key: &ObjectKey, record: &Record);
    /// An object is gone.
    fn gone(&mut self, key: &ObjectKey);
    /// What was told since the last call can be shown; its last byte was read at `read_at`.
    fn publish(&mut self, read_at: Instant);
    /// A whole state was told: everything is known.
    fn synced(&mut self);
    /// The server answered as it should.
    fn answered(&mut self);
    /// The server did not answer as it should.
    fn failed(&mut self, problem: &Problem);
}

/// Follows one collection.
pub(crate) struct Driver<R, C> {
    api: Arc<dyn Api>,
    collection: Arc<Collection>,
    metrics: KubernetesMetrics,
    intake: Intake<R, C>,
    /// The stream that showed the last state, to be watched on.
    open: Option<OpenWatch>,
    /// A list is complete, and whether it can be followed is not known yet. Who may list and not
    /// watch would otherwise show a state that never changes as if all were well.
    unconfirmed: bool,
    /// When the consumer was told that the server answers; `None` since it did not.
    answered: Option<Instant>,
    gate: Arc<Semaphore>,
    backoff: Backoff,
    jitter: StdRng,
}

// === impl Driver ===

impl<R: Resource, C: Consumer> Driver<R, C> {
    /// A driver that keeps in `kept` what `collection` holds, and tells its consumer. While it
    /// reads a whole state it holds a permit of `gate`, which bounds how many do so at a time.
    pub(crate) fn new(
        api: Arc<dyn Api>,
        resource: R,
        collection: Collection,
        kept: SharedKept<C>,
        gate: Arc<Semaphore>,
        metrics: KubernetesMetrics,
    ) -> Self {
        Self {
            api,
            collection: Arc::new(collection),
            intake: Intake::new(resource, kept, metrics.clone()),
            metrics,
            open: None,
            unconfirmed: false,
            answered: None,
            gate,
            backoff: Backoff::default(),
            jitter: StdRng::from_rng(&mut rand::rng()),
        }
    }

    /// Follows the collection until `stop` is cancelled.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(self.follow()).await;
    }

    async fn follow(&mut self) {
        let mut state = State::start("");
        loop {
            let outcome = match &state {
                State::Streaming(streaming) => self.stream(streaming).await,
                State::Listing(listing) => self.list(listing).await,
                State::Watching(watching) => self.watch(watching).await,
            };
            state = self.act_on(state.step(outcome)).await;
        }
    }

    async fn act_on(&mut self, step: Step) -> State {
        let Step {
            state,
            pause,
            problem,
            complete,
            lists_only,
        } = step;
        if lists_only {
            tracing::info!(collection = %self.collection, "The server streams no state; listing");
            let capabilities = self.api.capabilities();
            capabilities.lists_only(&self.collection, REMEMBERED);
        }
        if let Some(version) = complete {
            self.intake.complete(&version);
            self.unconfirmed = true;
        }
        if let Some(problem) = problem {
            tracing::warn!(collection = %self.collection, problem = problem.text, "Kubernetes request failed");
            self.metrics.failure();
            self.answered = None;
            self.intake.kept().consumer.failed(&problem);
        }
        let now = Instant::now();
        let wait = match pause {
            Pause::None => Duration::ZERO,
            Pause::Surprise => self.backoff.after_surprise(now, &mut self.jitter),
            Pause::Failure => self.backoff.after_failure(now, &mut self.jitter),
            Pause::AtLeast(asked) => self.backoff.after_refusal(now, asked, &mut self.jitter),
        };
        if !wait.is_zero() {
            sleep(wait).await;
        }
        state
    }

    /// Tells the consumer that the server answers, unless it was told so a moment ago: there may
    /// be thousands of answers a second.
    fn answered(&mut self) {
        let now = Instant::now();
        if self
            .answered
            .is_none_or(|told| now.duration_since(told) >= ANSWERED_EVERY)
        {
            self.answered = Some(now);
            self.intake.kept().consumer.answered();
        }
    }

    async fn send(&mut self, call: Call) -> Result<Body, ApiError> {
        let request = Request {
            collection: Arc::clone(&self.collection),
            call,
        };
        timeout(ANSWER_TIMEOUT, self.api.send(&request))
            .await
            .unwrap_or(Err(ApiError::Timeout(ANSWER_TIMEOUT)))
    }
}

#[cfg(test)]
mod tests;
