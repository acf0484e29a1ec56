//! The manager: owns providers and their groups, and starts each job's pipeline.

mod jobs;
mod providers;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use periplus_config::Config;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use self::jobs::JobState;
use self::providers::{Providers, Roster};
use crate::discoverer::Mechanisms;
use crate::metrics::DiscoveryMetrics;
use crate::recent::{Recent, Span};
use crate::snapshot::Directory;
use crate::state::{Saver, StateDir};
use crate::status::{ProviderStatus, RefreshError};
use crate::updates::Wake;

/// What a provider or a pipeline may take to end at shutdown, before it is aborted.
const LONGEST_END: Duration = Duration::from_secs(10);

/// How a manager behaves.
#[derive(Clone, Debug, Default)]
pub struct ManagerOptions {
    /// Where it counts.
    pub metrics: DiscoveryMetrics,
    /// Where the last known good state of each section is kept; nowhere if there is none.
    pub state: Option<Arc<StateDir>>,
}

/// What a reload could not start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApplyReport {
    /// Sections and transformers that could not be made: key path and reason. Their jobs stay as
    /// they were, and the next reload tries again.
    pub failed_sections: Vec<(String, String)>,
}

/// The task that owns providers and groups.
///
/// It never waits for a provider or a pipeline: providers leave changes in their mailboxes, and it
/// leaves them in the feeds of pipelines.
pub struct Manager {
    mechanisms: Arc<dyn Mechanisms>,
    metrics: DiscoveryMetrics,
    requests: mpsc::Receiver<Request>,
    wake: Arc<Wake>,
    directory: watch::Sender<Arc<Directory>>,
    providers: Providers,
    jobs: BTreeMap<String, JobState>,
    generations: u64,
    saver: Option<Saver>,
    /// Every provider and pipeline.
    tasks: JoinSet<()>,
}

/// The way to a running [`Manager`]. Cheap to clone.
#[derive(Clone)]
pub struct ManagerHandle {
    requests: mpsc::Sender<Request>,
    directory: watch::Receiver<Arc<Directory>>,
    roster: Arc<Mutex<Roster>>,
    recent: Arc<Recent>,
}

struct Request {
    config: Arc<Config>,
    answer: oneshot::Sender<ApplyReport>,
}

// === impl Manager ===

impl Manager {
    /// A manager and the way to it. It does nothing until [`Manager::run`] does.
    pub fn new(mechanisms: Arc<dyn Mechanisms>, options: ManagerOptions) -> (Self, ManagerHandle) {
        // One reload at a time is all that the task can take; the next waits with its caller.
        let (sender, requests) = mpsc::channel(1);
        let (publish, directory) = watch::channel(Arc::new(Directory::default()));
        let wake = Arc::new(Wake::default());
        let ManagerOptions { metrics, state } = options;
        let saver = state
            .clone()
            .map(|state| Saver::new(state, metrics.clone()));
        let providers = Providers::new(metrics.clone(), Arc::clone(&wake), state);
        let roster = Arc::clone(providers.roster());
        let recent = Arc::clone(&metrics.recent);
        let manager = Self {
            mechanisms,
            metrics,
            requests,
            wake,
            directory: publish,
            providers,
            jobs: BTreeMap::new(),
            generations: 0,
            saver,
            tasks: JoinSet::new(),
        };
        (
            manager,
            ManagerHandle {
                requests: sender,
                directory,
                roster,
                recent,
            },
        )
    }

    /// Runs until `stop` is cancelled, then ends every provider and pipeline and waits for them.
    pub async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(self.work()).await;
        self.end().await;
    }

    async fn work(&mut self) {
        loop {
            tokio::select! {
                Some(Request { config, answer }) = self.requests.recv() => {
                    let report = self.apply(&config);
                    // Who asked may have gone.
                    let _: Result<(), ApplyReport> = answer.send(report);
                }
                () = self.wake.notified() => self.deliver().await,
                saver = due(&mut self.saver) => saver.begin(self.providers.moments()),
                Some(ended) = self.tasks.join_next() => rethrow(ended),
            }
        }
    }

    /// Moves what providers have delivered on into the pipelines, and ends providers that no
    /// pipeline needs any more.
    async fn deliver(&mut self) {
        if self.wake.take_released() {
            self.providers.prune();
        }
        for id in self.wake.take_dirty() {
            self.providers.deliver(id);
            tokio::task::yield_now().await;
        }
    }

    async fn end(mut self) {
        if let Some(saver) = self.saver.take() {
            saver.finish(self.providers.moments()).await;
        }
        for job in self.jobs.values() {
            job.publisher.end();
        }
        self.providers.stop_all();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(LONGEST_END, all).await.is_err() {
            tracing::warn!("Aborted providers that did not end");
            self.tasks.shutdown().await;
        }
    }
}

/// Until it is time to save what is known.
async fn due(saver: &mut Option<Saver>) -> &mut Saver {
    let Some(saver) = saver else {
        return std::future::pending().await;
    };
    saver.due().await;
    saver
}

/// Panics of providers and transformers are caught where they happen. One of a pipeline would leave
/// a job frozen for good without a word: it ends the manager, which whoever runs it must notice.
fn rethrow(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}

// === impl ManagerHandle ===

impl ManagerHandle {
    /// Makes `config` the running configuration. Returns when the manager has taken it over; jobs
    /// switch later, each when its sections have delivered.
    pub async fn apply(&self, config: Arc<Config>) -> ApplyReport {
        let (answer, report) = oneshot::channel();
        let ended = || ApplyReport {
            failed_sections: vec![(String::new(), "the manager has ended".to_owned())],
        };
        if self
            .requests
            .send(Request { config, answer })
            .await
            .is_err()
        {
            return ended();
        }
        report.await.unwrap_or_else(|_| ended())
    }

    /// All jobs; changes when a reload adds or removes one.
    pub fn directory(&self) -> watch::Receiver<Arc<Directory>> {
        self.directory.clone()
    }

    /// The providers in the order in which they were started.
    pub fn providers(&self) -> Vec<ProviderStatus> {
        providers::statuses(&self.roster)
    }

    /// Has the source of the provider `name` asked now, rather than when it is due.
    ///
    /// # Errors
    /// If there is no such provider, or its source is never asked.
    pub fn refresh(&self, name: &str) -> Result<(), RefreshError> {
        providers::refresh(&self.roster, name)
    }

    /// How much was published in each ten seconds of the last ten minutes, the oldest first.
    pub fn recent(&self) -> Vec<Span> {
        self.recent.spans()
    }
}
