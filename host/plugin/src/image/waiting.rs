//! Plugins that a start could not have: they are tried until they can be had.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use periplus_config::PluginConfig;
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use super::ImageSource;
use crate::provider::backoff::Backoff;

/// A task for each plugin that is waited for; dropping this ends them.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    tasks: Mutex<HashMap<String, AbortOnDropHandle<()>>>,
    arrived: Arc<Notify>,
}

// === impl Waiting ===

impl Waiting {
    pub(crate) fn holds(&self, config: &PluginConfig) -> bool {
        self.tasks().contains_key(&key(config))
    }

    /// Tries to have the image, from now on and with growing pauses, unless that is under way.
    pub(crate) fn begin(&self, config: &PluginConfig, images: &ImageSource) {
        let mut tasks = self.tasks();
        let running = tasks.get(&key(config)).is_some_and(|it| !it.is_finished());
        if running {
            return;
        }
        let (images, config, arrived) = (images.clone(), config.clone(), Arc::clone(&self.arrived));
        let key = key(&config);
        let task = tokio::spawn(async move {
            let mut backoff = Backoff::default();
            loop {
                tokio::time::sleep(backoff.next()).await;
                match images.read(&config).await {
                    // What cannot be mended by waiting is said by the reload.
                    Err(error) if error.is_temporary() => {
                        tracing::debug!(plugin = %config.source.display(), %error, "Still waiting");
                    }
                    _ => break,
                }
            }
            arrived.notify_one();
        });
        tasks.insert(key, AbortOnDropHandle::new(task));
    }

    /// Nobody waits for it any more.
    pub(crate) fn end(&self, config: &PluginConfig) {
        self.tasks().remove(&key(config));
    }

    /// Forgets those that the configuration no longer names.
    pub(crate) fn retain(&self, plugins: &[PluginConfig]) {
        self.tasks()
            .retain(|known, _| plugins.iter().any(|it| key(it) == *known));
    }

    /// Ends when one can be had, or never will.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    fn tasks(&self) -> std::sync::MutexGuard<'_, HashMap<String, AbortOnDropHandle<()>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Equal entries are waited for once.
fn key(config: &PluginConfig) -> String {
    format!("{:?} {:?}", config.name, config.image)
}
