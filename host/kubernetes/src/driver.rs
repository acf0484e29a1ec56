//! The list/watch driver: keeps the records of one collection as the API server has them.
//!
//! One task per watch owns connection, buffers, store and back-off. [`state`] decides what comes
//! next, [`intake`] turns bytes into records and tells a [`Consumer`] what changed, and this file
//! asks the server and keeps the time.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

pub(crate) mod backoff;
pub(crate) mod intake;
pub(crate) mod kept;
pub(crate) mod state;
pub(crate) mod store;
mod turn;

use self::backoff::Backoff;
use self::intake::{Cursor, Intake};
use self::kept::SharedKept;
pub(crate) use self::state::Problem;
use self::state::{Listing, Outcome, Pause, State, Step, WatchEnd, Watching};
use self::turn::Turn;
use crate::api::{Api, ApiError, Body, Call, Collection, Request};
use crate::frame::{Lines, ListSplitter};
use crate::metrics::KubernetesMetrics;
use crate::record::Record;
use crate::resource::{ObjectKey, Resource};

/// How long the head of an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a page may pause between two pieces.
const PAGE_STALL: Duration = Duration::from_secs(30);
/// How long the server is asked to keep a watch open, drawn anew for each, so that watches that
/// began together do not end together.
const WATCH_SECONDS: std::ops::Range<u64> = 300..600;
/// How much longer than asked a watch may stay open.
const WATCH_GRACE: Duration = Duration::from_secs(10);
/// Bookmarks come about every minute: a watch that is silent for this long has lost its server.
/// They are not promised, so this costs one new watch and never a list.
const SILENCE: Duration = Duration::from_secs(150);
/// After a watch that was open for so long, the waits begin anew: something on the way may cut
/// connections every minute, and that must not add up to ever longer blindness.
const STABLE: Duration = Duration::from_secs(10);
/// A watch that ends sooner, without an event, was refused in disguise.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Is told what changed in a collection, in the order in which it happened to each object, and how
/// the watch does. Called under the lock of [`SharedKept`], so no call may block.
pub(crate) trait Consumer: Send + 'static {
    /// An object is new, or differs in what matters.
    fn changed(&mut self, key: &ObjectKey, record: &Record);
    /// An object is gone.
    fn gone(&mut self, key: &ObjectKey);
    /// What was told since the last call can be shown; its last byte was read at `read_at`.
    fn publish(&mut self, read_at: Instant);
    /// A list is complete: everything is known.
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
        let mut state = State::start();
        loop {
            let outcome = match &state {
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
        } = step;
        if let Some(version) = complete {
            self.intake.list_complete(&version);
            self.intake.kept().consumer.synced();
        }
        if let Some(problem) = problem {
            tracing::warn!(collection = %self.collection, problem = problem.text, "Kubernetes request failed");
            self.metrics.failure();
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

    async fn send(&self, call: Call) -> Result<Body, ApiError> {
        let request = Request {
            collection: Arc::clone(&self.collection),
            call,
        };
        timeout(ANSWER_TIMEOUT, self.api.send(&request))
            .await
            .unwrap_or(Err(ApiError::Timeout(ANSWER_TIMEOUT)))
    }

    async fn list(&mut self, listing: &Listing) -> Outcome {
        if listing.begins() {
            self.intake.list_begins();
        }
        match self.page(listing).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::PageFailed(error),
        }
    }

    async fn page(&mut self, listing: &Listing) -> Result<Outcome, ApiError> {
        let continue_token = listing.continue_token.clone();
        let mut body = self
            .send(Call::List {
                limit: listing.limit(),
                continue_token,
            })
            .await?;
        let mut turn = Turn::wait(&self.gate).await;
        let mut splitter = ListSplitter::default();
        loop {
            let piece = match turn.next(&mut body, PAGE_STALL).await {
                Ok(Some(piece)) => piece?,
                Ok(None) => break,
                Err(_) => return Err(ApiError::Timeout(PAGE_STALL)),
            };
            let read_at = Instant::now();
            let fed = splitter.feed(&piece, |item| self.intake.item(item));
            self.intake.publish(read_at);
            fed.map_err(|error| ApiError::garbled(&error))?;
        }
        let end = splitter
            .finish()
            .map_err(|error| ApiError::garbled(&error))?;
        self.intake.kept().consumer.answered();
        Ok(Outcome::Page(end))
    }

    async fn watch(&mut self, watching: &Watching) -> Outcome {
        let mut cursor = Cursor::new(&watching.resource_version);
        let timeout = Duration::from_secs(self.jitter.random_range(WATCH_SECONDS));
        let resource_version = watching.resource_version.clone();
        let end = match self
            .send(Call::Watch {
                resource_version,
                timeout,
            })
            .await
        {
            Ok(body) => {
                // After a watch that failed by an event, being open again says little.
                if watching.is_fresh() {
                    self.intake.kept().consumer.answered();
                }
                let opened = Instant::now();
                let end = self.read_watch(body, timeout, &mut cursor).await;
                if opened.elapsed() >= STABLE {
                    self.backoff.forgive();
                }
                end
            }
            Err(error) => WatchEnd::NotOpened(error),
        };
        self.metrics.watch_ended(&end);
        let Cursor {
            version, fruitful, ..
        } = cursor;
        Outcome::WatchEnded {
            resource_version: version,
            fruitful,
            end,
        }
    }

    async fn read_watch(
        &mut self,
        mut body: Body,
        timeout: Duration,
        cursor: &mut Cursor,
    ) -> WatchEnd {
        let opened = Instant::now();
        let deadline = opened + timeout + WATCH_GRACE;
        let mut lines = Lines::default();
        loop {
            let silent = Instant::now() + SILENCE;
            let piece = match timeout_at(deadline.min(silent), body.next()).await {
                Err(_) => return WatchEnd::Silent,
                Ok(None) if !cursor.fruitful && opened.elapsed() < AT_ONCE => {
                    return WatchEnd::ClosedAtOnce;
                }
                Ok(None) => return WatchEnd::Closed,
                Ok(Some(Err(error))) => return WatchEnd::Broken(error),
                Ok(Some(Ok(piece))) => piece,
            };
            let read_at = Instant::now();
            let mut end = None;
            lines.feed(&piece, |line| {
                if end.is_none() {
                    end = self.intake.event(line, cursor);
                }
            });
            self.intake.publish(read_at);
            if let Some(end) = end {
                return end;
            }
            self.intake.kept().consumer.answered();
        }
    }
}

#[cfg(test)]
mod tests;
