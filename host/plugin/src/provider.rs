//! A provider plugin as a [`Discoverer`]: one instance per section, asked again and again.
//!
//! ```text
//!          start (configure) --> refresh --> publish --> wait --+
//!            ^                     |  ^________________________|
//!            | back-off            |
//!            +--- store lost: trap, limit          new generation: tried beside, then swapped
//! ```
//!
//! Targets are never withdrawn because a plugin failed: only a good update changes what is known.

pub(crate) mod backoff;
mod instance;
mod trial;
mod update;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use periplus_config::PluginSection;
use periplus_discovery::{Discoverer, Updates};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::error::{CallError, list};
use crate::generation::Generation;
use crate::limits::{MAX_FAILED_STARTS, MAX_INTERVAL, MIN_INTERVAL};
use crate::plugin::Plugin;
use backoff::Backoff;
use instance::{Answer, Instance, StartError};
use trial::Trial;
use update::CheckedUpdate;

/// A section that a plugin serves, ready to run.
pub(crate) struct PluginDiscoverer {
    pub(crate) plugin: Arc<Plugin>,
    pub(crate) seed: Seed,
}

/// What an instance is made from, whatever its generation. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Seed {
    /// `sockets/3`.
    pub(crate) name: Arc<str>,
    pub(crate) mechanism: Arc<str>,
    pub(crate) section: Arc<PluginSection>,
}

/// The loop's state.
struct Driver {
    plugin: Arc<Plugin>,
    seed: Seed,
    updates: Updates,
    generations: watch::Receiver<Arc<Generation>>,
    rejections: watch::Receiver<Option<Arc<str>>>,
    /// What the running instance, or the next one, is made from.
    generation: Arc<Generation>,
    /// None: a call is under way, or it must be started anew.
    instance: Option<Instance>,
    work: Option<BoxFuture<'static, Finished>>,
    trial: Option<Trial>,
    /// When to ask next; None: not before file or configuration change.
    due: Option<Instant>,
    backoff: Backoff,
    failed_starts: u32,
    /// Whether a complete update was published, by whichever instance.
    published: bool,
}

/// How one round of work ended.
enum Finished {
    /// An answer, good or bad; the instance lives.
    Answered(Box<(Instance, Answer)>),
    /// No instance came to be.
    NotStarted(StartError),
    /// The call failed, and the store is gone.
    Lost(CallError),
}

// === impl PluginDiscoverer ===

#[async_trait]
impl Discoverer for PluginDiscoverer {
    async fn run(self: Box<Self>, updates: Updates, stop: CancellationToken) {
        let driver = Driver::new(*self, updates);
        // Dropping the driver drops the store, wherever the guest is.
        tokio::select! {
            () = stop.cancelled() => {}
            () = driver.run() => {}
        }
    }
}

// === impl Driver ===

impl Driver {
    fn new(discoverer: PluginDiscoverer, updates: Updates) -> Self {
        let PluginDiscoverer { plugin, seed } = discoverer;
        let mut generations = plugin.generations();
        let generation = Arc::clone(&generations.borrow_and_update());
        updates.waiting_for(Some(format!(
            "first complete update of plugin `{}`",
            generation.name()
        )));
        Self {
            rejections: plugin.rejections(),
            plugin,
            seed,
            updates,
            generations,
            generation,
            instance: None,
            work: None,
            trial: None,
            due: Some(Instant::now()),
            backoff: Backoff::default(),
            failed_starts: 0,
            published: false,
        }
    }

    async fn run(mut self) {
        loop {
            let busy = self.work.is_some();
            self.updates.schedule(self.due.filter(|_| !busy));
            tokio::select! {
                Ok(()) = self.generations.changed() => self.new_generation(),
                Ok(()) = self.rejections.changed() => self.show_rejection(),
                outcome = Trial::finished(&mut self.trial) => self.end_trial(outcome),
                finished = work(&mut self.work) => self.finish(finished),
                () = self.updates.asked(), if !busy => self.asked(),
                () = wake(busy, self.due, self.instance.as_mut()) => self.begin(),
            }
        }
    }

    /// Somebody wants an answer now, also of what waits for a new file.
    fn asked(&mut self) {
        self.failed_starts = 0;
        self.backoff.reset();
        self.begin();
    }

    /// Starts a round: a new instance if there is none, then one refresh.
    fn begin(&mut self) {
        self.due = None;
        let (generation, seed) = (Arc::clone(&self.generation), self.seed.clone());
        let meters = self.plugin.meters.clone();
        let instance = self.instance.take();
        self.work = Some(
            async move {
                let mut instance = match instance {
                    Some(instance) => instance,
                    None => match Instance::start(&generation, &seed, &meters).await {
                        Ok(instance) => instance,
                        Err(error) => return Finished::NotStarted(error),
                    },
                };
                match instance.refresh().await {
                    Ok(answer) => Finished::Answered(Box::new((instance, answer))),
                    Err(error) => Finished::Lost(error),
                }
            }
            .boxed(),
        );
    }

    fn finish(&mut self, finished: Finished) {
        self.work = None;
        match finished {
            Finished::Answered(answered) => {
                let (instance, answer) = *answered;
                self.failed_starts = 0;
                self.answered(&instance, answer);
                self.instance = Some(instance);
            }
            Finished::NotStarted(error) => self.not_started(&error),
            Finished::Lost(error) => {
                self.plugin.meters.failed(error.kind(), true);
                self.fail(&format!("plugin `{}`: {error}", self.generation.name()));
                self.retry(None);
            }
        }
    }

    fn answered(&mut self, instance: &Instance, answer: Answer) {
        match answer {
            Answer::Update(update) => {
                let next = update
                    .next_after
                    .unwrap_or(self.seed.section.refresh_interval);
                self.publish(update, instance.is_complete());
                self.backoff.reset();
                self.due = Some(Instant::now() + next.clamp(MIN_INTERVAL, MAX_INTERVAL));
            }
            Answer::Unavailable {
                message,
                retry_after,
            } => {
                self.plugin.meters.failed("unavailable", false);
                self.fail(&message);
                self.retry(retry_after);
            }
            Answer::Refused(message) => {
                self.plugin.meters.failed("refused", false);
                let name = self.generation.name();
                self.fail(&format!("plugin `{name}`: update refused: {message}"));
                self.retry(None);
            }
        }
    }

    /// Hands a good update over. Nothing of an instance is published before it was complete once.
    fn publish(&mut self, update: CheckedUpdate, was_complete: bool) {
        let lapsed: Vec<_> = update
            .lapses
            .iter()
            .map(|(source, _)| Arc::clone(source))
            .collect();
        if update.complete {
            self.updates.replace_except(update.groups, &lapsed);
            self.published = true;
        } else if was_complete {
            self.updates.apply_all(update.groups);
        }
        if self.published {
            self.plugin.adopted(&self.generation);
        }
        self.updates.success();
        self.plugin.note(None);
        if let Some((source, message)) = update.lapses.first() {
            let more = match update.lapses.len() - 1 {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            self.updates.failure(format!(
                "group `{source}` could not be read: {message}{more}"
            ));
        }
        self.show_rejection();
    }

    /// Configuration errors and worse: some attempts, then quarantine.
    fn not_started(&mut self, error: &StartError) {
        self.failed_starts += 1;
        if let StartError::Call(error) = error {
            self.plugin.meters.failed(error.kind(), true);
        }
        let mut message = match error {
            StartError::Config(problems) => {
                format!(
                    "plugin `{}` refuses its configuration: {}",
                    self.generation.name(),
                    list(problems)
                )
            }
            StartError::Call(error) => {
                format!(
                    "plugin `{}` failed to start: {error}",
                    self.generation.name()
                )
            }
            StartError::Outside(message) => message.clone(),
        };
        if self.failed_starts >= MAX_FAILED_STARTS {
            message.push_str("; it waits for a new file or configuration");
            self.fail(&message);
            self.due = None;
        } else {
            self.fail(&message);
            self.retry(None);
        }
    }

    fn fail(&self, message: &str) {
        tracing::warn!(provider = %self.seed.name, error = message, "Plugin refresh failed");
        self.updates.failure(message);
        self.plugin.note(Some(message.to_owned()));
    }

    fn retry(&mut self, after: Option<Duration>) {
        let pause = match after {
            Some(after) => after.clamp(MIN_INTERVAL, MAX_INTERVAL),
            None => self.backoff.next(),
        };
        self.due = Some(Instant::now() + pause);
    }

    /// Tries a new generation beside the running one; with nothing to lose, at once.
    fn new_generation(&mut self) {
        let next = Arc::clone(&self.generations.borrow_and_update());
        if Arc::ptr_eq(&next, &self.generation) {
            return;
        }
        if self.published {
            self.trial = Some(Trial::begin(
                Arc::clone(&self.plugin),
                next,
                self.seed.clone(),
            ));
            return;
        }
        self.trial = None;
        self.work = None;
        self.instance = None;
        self.generation = next;
        self.failed_starts = 0;
        self.backoff.reset();
        self.due = Some(Instant::now());
    }

    fn end_trial(&mut self, outcome: Result<(Instance, CheckedUpdate), String>) {
        let Some(trial) = self.trial.take() else {
            return;
        };
        match outcome {
            Ok((instance, update)) => {
                // The old instance goes, in the middle of a call if need be.
                self.work = None;
                self.generation = trial.generation;
                self.failed_starts = 0;
                self.answered(&instance, Answer::Update(update));
                self.instance = Some(instance);
            }
            Err(message) => self.plugin.rejected(&message),
        }
    }

    fn show_rejection(&mut self) {
        if let Some(reason) = &*self.rejections.borrow_and_update() {
            self.updates
                .failure(format!("plugin `{}`: {reason}", self.generation.name()));
        }
    }
}

async fn work(work: &mut Option<BoxFuture<'static, Finished>>) -> Finished {
    match work {
        Some(work) => work.await,
        None => pending().await,
    }
}

/// When the next round begins: in time, or when a started request was answered.
async fn wake(busy: bool, due: Option<Instant>, instance: Option<&mut Instance>) {
    if busy {
        return pending().await;
    }
    let timer = async {
        match due {
            Some(due) => sleep_until(due).await,
            None => pending().await,
        }
    };
    let answered = async {
        match instance {
            Some(instance) => instance.answered().await,
            None => pending().await,
        }
    };
    tokio::select! {
        () = timer => {}
        () = answered => {}
    }
}
