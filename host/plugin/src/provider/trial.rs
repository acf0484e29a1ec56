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
use crate::plugin::Plugin;

/// What a trial ends with: an instance that works, or why there is none.
type Outcome = Result<(Instance, CheckedUpdate), String>;

/// A trial under way. Dropping it ends it.
pub(super) struct Trial {
    pub(super) generation: Arc<Generation>,
    task: AbortOnDropHandle<Outcome>,
}

// === impl Trial ===

impl Trial {
    pub(super) fn begin(plugin: Arc<Plugin>, generation: Arc<Generation>, seed: Seed) -> Self {
        let task = tokio::spawn(attempt(plugin, Arc::clone(&generation), seed));
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

/// A guest that fails is refused; a source that does not answer may not be the guest's fault, and
/// is asked again while the old instance goes on. But it may be, where the new guest asks for what
/// is not granted, so the reason is shown meanwhile.
async fn attempt(plugin: Arc<Plugin>, generation: Arc<Generation>, seed: Seed) -> Outcome {
    let mut instance = Instance::start(&generation, &seed, &plugin.meters)
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
            Answer::Unavailable {
                message,
                retry_after,
            } => {
                plugin.rejected(&format!(
                    "`{}` cannot read its source yet, and tries again: {message}",
                    seed.name
                ));
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
