//! A transformer plugin as a [`Transformer`]: a thread of its own with a store of its own.
//!
//! ```text
//! rows --project (interest)--> batches --worker thread--> edits --checked, applied--> rows
//! ```
//!
//! A trap costs the batch and the store; the next batch gets a new one.

mod batch;
mod edits;
mod worker;

use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use periplus_core::LabelSet;
use periplus_discovery::{TransformError, Transformer};
use serde_json::Value;
use tokio::sync::{oneshot, watch};

use crate::error::list;
use crate::generation::Generation;
use crate::limits::BATCH_ROWS;
use crate::plugin::Plugin;
use worker::{Job, Worker};

/// A transformer with one configuration, shared by the jobs that have it.
pub(crate) struct PluginTransformer {
    plugin: Arc<Plugin>,
    config: Value,
    /// Taken by each batch as it stands: a batch sees one generation.
    worker: Mutex<Worker>,
    version: watch::Sender<u64>,
}

// === impl PluginTransformer ===

impl PluginTransformer {
    /// Starts the worker; a task follows hot reloads for as long as the transformer exists.
    pub(crate) fn start(plugin: &Arc<Plugin>, config: Value) -> Result<Arc<Self>, String> {
        let mut generations = plugin.generations();
        let generation = Arc::clone(&generations.borrow_and_update());
        let worker = Worker::start(&generation, &config, &plugin.meters)?;
        let transformer = Arc::new(Self {
            plugin: Arc::clone(plugin),
            config,
            worker: Mutex::new(worker),
            version: watch::Sender::new(0),
        });
        tokio::spawn(follow(Arc::downgrade(&transformer), generations));
        Ok(transformer)
    }

    /// Whether it belongs to this plugin.
    pub(crate) fn is_of(&self, plugin: &Arc<Plugin>) -> bool {
        Arc::ptr_eq(&self.plugin, plugin)
    }

    /// Configures a new generation beside the running one and swaps.
    async fn renew(&self, generation: &Arc<Generation>) {
        match self.candidate(generation).await {
            Ok(worker) => {
                *self.worker.lock().unwrap_or_else(PoisonError::into_inner) = worker;
                self.version.send_modify(|version| *version += 1);
                self.plugin.adopted(generation);
            }
            Err(reason) => self.plugin.rejected(&reason),
        }
    }

    async fn candidate(&self, generation: &Arc<Generation>) -> Result<Worker, String> {
        generation
            .resolve_transformer(&self.config)
            .map_err(|problems| list(&problems))?;
        let worker = Worker::start(generation, &self.config, &self.plugin.meters)?;
        // Nothing to transform: the worker instantiates and configures, and answers with nothing.
        send(&worker, Vec::new()).await?;
        Ok(worker)
    }
}

#[async_trait]
impl Transformer for PluginTransformer {
    async fn transform(&self, rows: &[LabelSet]) -> Result<Vec<Vec<LabelSet>>, TransformError> {
        let mut answers = Vec::with_capacity(rows.len());
        // One worker for all batches, so that a reload in between cannot mix answers.
        let worker = self
            .worker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for chunk in rows.chunks(BATCH_ROWS) {
            match send(&worker, chunk.to_vec()).await {
                Ok(answer) => answers.extend(answer),
                Err(message) => {
                    self.plugin.note(Some(message.clone()));
                    return Err(TransformError::new(message));
                }
            }
        }
        self.plugin.note(None);
        Ok(answers)
    }

    fn generation(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }
}

async fn send(worker: &Worker, rows: Vec<LabelSet>) -> Result<Vec<Vec<LabelSet>>, String> {
    let (answer, answered) = oneshot::channel();
    let ended = || "the transformer's thread has ended".to_owned();
    worker
        .jobs
        .send(Job { rows, answer })
        .await
        .map_err(|_| ended())?;
    answered.await.map_err(|_| ended())?
}

async fn follow(
    transformer: Weak<PluginTransformer>,
    mut generations: watch::Receiver<Arc<Generation>>,
) {
    let mut gone = tokio::time::interval(std::time::Duration::from_mins(1));
    loop {
        tokio::select! {
            changed = generations.changed() => if changed.is_err() { return },
            // The plugin outlives its transformers; a look now and then ends the task.
            _ = gone.tick() => {
                if transformer.strong_count() == 0 { return }
                continue;
            }
        }
        let generation = Arc::clone(&generations.borrow_and_update());
        let Some(transformer) = transformer.upgrade() else {
            return;
        };
        transformer.renew(&generation).await;
    }
}
