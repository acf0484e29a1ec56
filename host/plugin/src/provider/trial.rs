//! A new generation beside the running one, until its first complete update.

use std::future::pending;
use std::sync::Arc;

use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::Seed;
use super::backoff::Backoff;
use super::instance::{Answer, Instance, StartError};
use super::update::CheckedUpdate;
use crate::error::list;
use crate::generation::Generation;
use crate::limits::{MAX_INTERVAL, MIN_INTERVAL};
use crate::metrics::PluginMeters;

/// What a trial ends with: an instance that works, or why there is none.
type Outcome = Result<(Instance, CheckedUpdate), String>;

/// A trial under way. Dropping it ends it.
pub(super) struct Trial {
    pub(super) generation: Arc<Generation>,
    task: AbortOnDropHandle<Outcome>,
}

// === impl Trial ===

impl Trial {
    pub(super) fn begin(generation: Arc<Generation>, seed: Seed, meters: PluginMeters) -> Self {
        let task = tokio::spawn(attempt(Arc::clone(&generation), seed, meters));
        Self {
            generation,
            task: AbortOnDropHandle::new(task),
        }
    }

    /// Resolves when the trial in the slot, if any, is over.
    pub(super) async fn finished(trial: &mut Option<Self>) -> Outcome {
        match trial {
            Some(trial) => (&mut trial.task)
                .await
                .unwrap_or_else(|e| Err(e.to_string())),
            None => pending().await,
        }
    }
}

/// A guest that fails is refused; a source that does not answer is not the guest's fault, and is
/// asked again while the old instance goes on.
async fn attempt(generation: Arc<Generation>, seed: Seed, meters: PluginMeters) -> Outcome {
    let mut instance = Instance::start(&generation, &seed, &meters)
        .await
        .map_err(|error| match error {
            StartError::Config(problems) => {
                format!(
                    "`{}` would not take its configuration: {}",
                    seed.name,
                    list(&problems)
                )
            }
            StartError::Call(error) => format!("`{}` would not start: {error}", seed.name),
            StartError::Outside(message) => message,
        })?;
    let mut backoff = Backoff::default();
    loop {
        let answer = instance
            .refresh()
            .await
            .map_err(|error| format!("the first refresh of `{}` failed: {error}", seed.name))?;
        let pause = match answer {
            Answer::Update(update) if update.complete => return Ok((instance, update)),
            Answer::Update(update) => update
                .next_after
                .unwrap_or(MIN_INTERVAL)
                .clamp(MIN_INTERVAL, MAX_INTERVAL),
            Answer::Unavailable { retry_after, .. } => {
                retry_after.map_or_else(|| backoff.next(), |t| t.clamp(MIN_INTERVAL, MAX_INTERVAL))
            }
            Answer::Refused(message) => {
                return Err(format!(
                    "the first update of `{}` is refused: {message}",
                    seed.name
                ));
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = instance.answered() => {}
        }
    }
}
