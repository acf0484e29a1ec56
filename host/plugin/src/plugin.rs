//! One entry of `plugins:` over its whole life: its newest generation, and why a newer file was
//! not taken.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, Once, PoisonError};

use periplus_config::PluginConfig;
use periplus_discovery::PluginStatus;
use tokio::sync::watch;

use crate::error::PluginError;
use crate::generation::{Generation, Workshop};
use crate::grants::chain;
use crate::metrics::PluginMeters;

/// A configured plugin that was loaded at least once.
pub(crate) struct Plugin {
    pub(crate) source: PathBuf,
    pub(crate) workshop: Workshop,
    pub(crate) meters: PluginMeters,
    /// The newest generation that could be prepared. Instances try it beside what they run.
    newest: watch::Sender<Arc<Generation>>,
    /// Why something newer than what runs was not taken.
    rejection: watch::Sender<Option<Arc<str>>>,
    shown: Mutex<Shown>,
    watched: Once,
}

/// What only the status shows.
struct Shown {
    /// The generation that instances run, or would.
    running: Arc<Generation>,
    last_error: Option<String>,
}

// === impl Plugin ===

impl Plugin {
    pub(crate) fn new(
        generation: Arc<Generation>,
        workshop: Workshop,
        meters: PluginMeters,
    ) -> Self {
        Self {
            source: generation.config.source.clone(),
            workshop,
            meters,
            newest: watch::Sender::new(Arc::clone(&generation)),
            rejection: watch::Sender::new(None),
            shown: Mutex::new(Shown {
                running: generation,
                last_error: None,
            }),
            watched: Once::new(),
        }
    }

    /// Follows the file from the first time on that the plugin is active.
    pub(crate) fn watch_once(self: &Arc<Self>, spawn: impl FnOnce(&Arc<Self>)) {
        self.watched.call_once(|| spawn(self));
    }

    pub(crate) fn newest(&self) -> Arc<Generation> {
        Arc::clone(&self.newest.borrow())
    }

    pub(crate) fn generations(&self) -> watch::Receiver<Arc<Generation>> {
        self.newest.subscribe()
    }

    pub(crate) fn rejections(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.rejection.subscribe()
    }

    /// Prepares what the file holds now; instances then try it.
    pub(crate) async fn reload(&self, config: &PluginConfig) -> Result<(), PluginError> {
        let generation = self.workshop.prepare(config, &self.meters).await?;
        self.check_successor(&generation)?;
        self.offer(generation);
        Ok(())
    }

    /// A file must stay what sections refer to it for.
    fn check_successor(&self, next: &Generation) -> Result<(), PluginError> {
        let now = self.newest();
        let gone: Vec<_> = now
            .manifest
            .mechanisms
            .keys()
            .filter(|name| !next.manifest.mechanisms.contains_key(*name))
            .map(|name| format!("mechanism `{name}`"))
            .chain(
                (now.transformer.is_some() && next.transformer.is_none())
                    .then(|| "the transformer".to_owned()),
            )
            .collect();
        if gone.is_empty() {
            return Ok(());
        }
        let reason = format!("{} is gone from the new file", gone.join(", "));
        Err(PluginError::Incompatible {
            path: self.source.clone(),
            reason,
        })
    }

    /// Makes a generation the newest. With no instance to try it, it runs at once.
    pub(crate) fn offer(&self, generation: Arc<Generation>) {
        let idle = self.meters.instances() == 0;
        self.newest.send_replace(Arc::clone(&generation));
        if idle {
            self.adopted(&generation);
        }
    }

    /// An instance runs this generation now, and well.
    pub(crate) fn adopted(&self, generation: &Arc<Generation>) {
        let changed = {
            let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
            let changed = !Arc::ptr_eq(&shown.running, generation);
            shown.running = Arc::clone(generation);
            if changed {
                shown.last_error = None;
            }
            changed
        };
        if !Arc::ptr_eq(&self.newest(), generation) {
            return;
        }
        self.rejection
            .send_if_modified(|rejection| rejection.take().is_some());
        if changed {
            self.meters.reloaded(true);
            tracing::info!(
                plugin = generation.name(), digest = %generation.digest,
                version = %generation.manifest.version, "Plugin reloaded"
            );
        }
    }

    /// Something newer was not taken; what runs goes on.
    pub(crate) fn rejected(&self, reason: &str) {
        let text: Arc<str> = format!("the changed file was not taken: {reason}").into();
        let news = self.rejection.send_if_modified(|rejection| {
            let news = rejection.as_ref() != Some(&text);
            *rejection = Some(Arc::clone(&text));
            news
        });
        if news {
            self.meters.reloaded(false);
            tracing::warn!(source = %self.source.display(), reason, "Changed plugin was not taken");
        }
    }

    /// The file is again what was prepared last; if that runs, nothing is rejected any more.
    pub(crate) fn file_restored(&self, newest: &Arc<Generation>) {
        let runs = {
            let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::ptr_eq(&shown.running, newest)
        };
        if runs {
            self.rejection
                .send_if_modified(|rejection| rejection.take().is_some());
        }
    }

    /// A failure for the status; a success clears it.
    pub(crate) fn note(&self, error: Option<String>) {
        self.shown
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .last_error = error;
    }

    pub(crate) fn status(&self) -> PluginStatus {
        let reason = self.rejection.borrow().as_deref().map(str::to_owned);
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let running = &shown.running;
        PluginStatus {
            name: running.name().to_owned(),
            version: Some(running.manifest.version.clone()),
            digest: Some(running.digest.clone()),
            source: self.source.display().to_string(),
            mechanisms: running.manifest.mechanisms.keys().cloned().collect(),
            transformer: running.transformer.is_some(),
            state: if shown.last_error.is_some() {
                "failing"
            } else {
                "running"
            }
            .to_owned(),
            reason,
            loaded_at: Some(running.loaded_at),
            last_error: shown.last_error.clone(),
            instances: self.meters.instances(),
            calls: self.meters.calls(),
            traps: self.meters.traps(),
        }
    }
}

/// A plugin that could not be loaded, as its status shows it.
pub(crate) fn failed_status(config: &PluginConfig, error: &PluginError) -> PluginStatus {
    PluginStatus {
        name: config
            .name
            .clone()
            .unwrap_or_else(|| config.source.display().to_string()),
        source: config.source.display().to_string(),
        state: if error.is_temporary() {
            "backoff"
        } else {
            "quarantined"
        }
        .to_owned(),
        reason: Some(chain(error)),
        last_error: Some(chain(error)),
        ..PluginStatus::default()
    }
}
