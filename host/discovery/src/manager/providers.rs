//! The providers that run, each with the groups it has delivered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use periplus_config::{Section, SectionKind};
use periplus_core::ContentHash;
use rustc_hash::FxHashMap;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::discoverer::{Discoverer, Mechanisms};
use crate::metrics::{DiscoveryMetrics, MechanismLabel};
use crate::pipeline::{Feed, FeedSender, Known};
use crate::state::{Moment, Stale, StateDir};
use crate::status::{ProviderState, ProviderStatus, RefreshError};
use crate::updates::{Drained, GroupStore, Mailbox, Updates, Wake};

/// All providers by number, and by the identity of the section that each serves.
pub(super) struct Providers {
    running: BTreeMap<u64, Provider>,
    by_section: FxHashMap<ContentHash, u64>,
    /// Ever growing, so that a name never means two things.
    next: u64,
    metrics: DiscoveryMetrics,
    wake: Arc<Wake>,
    roster: Arc<Mutex<Roster>>,
    /// Where what was last known is read from.
    state: Option<Arc<StateDir>>,
}

/// What people may see of the providers, beside the manager's task.
pub(super) type Roster = BTreeMap<u64, Listed>;

pub(super) struct Listed {
    mailbox: Arc<Mailbox>,
    jobs: Vec<String>,
    config: Value,
}

struct Provider {
    section: ContentHash,
    mailbox: Arc<Mailbox>,
    store: GroupStore,
    synced: bool,
    stale: Option<Stale>,
    readers: Vec<Reader>,
    stop: CancellationToken,
}

/// One generation of one job.
struct Reader {
    job: String,
    feed: FeedSender,
}

// === impl Providers ===

impl Providers {
    pub(super) fn new(
        metrics: DiscoveryMetrics,
        wake: Arc<Wake>,
        state: Option<Arc<StateDir>>,
    ) -> Self {
        Self {
            running: BTreeMap::new(),
            by_section: FxHashMap::default(),
            next: 0,
            metrics,
            wake,
            roster: Arc::default(),
            state,
        }
    }

    pub(super) fn roster(&self) -> &Arc<Mutex<Roster>> {
        &self.roster
    }

    /// A feed from the provider of a section; it is started if none serves an equal one.
    pub(super) fn feed(
        &mut self,
        section: &Section,
        job: &str,
        generation: &Arc<Notify>,
        mechanisms: &dyn Mechanisms,
        tasks: &mut JoinSet<()>,
    ) -> Result<Feed, String> {
        let id = match self.by_section.get(&section.identity) {
            Some(id) => *id,
            None => self.start(section, mechanisms, tasks)?,
        };
        let provider = self
            .running
            .get_mut(&id)
            .expect("both maps hold the same providers");
        let (feed, sender) = Feed::new(
            section.identity,
            Arc::clone(&provider.mailbox),
            Arc::clone(&self.wake),
            provider.store.groups(),
            provider.known(),
            Arc::clone(generation),
        );
        provider.readers.push(Reader {
            job: job.to_owned(),
            feed: sender,
        });
        self.list(id);
        Ok(feed)
    }

    /// Moves on what a provider has delivered.
    pub(super) fn deliver(&mut self, id: u64) {
        let Some(provider) = self.running.get_mut(&id) else {
            return;
        };
        let drained = provider.mailbox.drain();
        let Drained {
            updates,
            synced,
            stale,
            is_noted,
            ..
        } = drained;
        self.metrics.received_updates.inc_by(updates);
        (provider.synced, provider.stale) = (synced, stale);
        let deltas = provider.store.absorb(drained);
        count(&self.metrics, provider);
        provider
            .mailbox
            .count(provider.store.groups().len(), provider.store.targets());
        if deltas.is_empty() && !is_noted {
            return;
        }
        for reader in &provider.readers {
            reader.feed.deliver(&deltas, provider.known());
        }
    }

    /// Ends the providers that nobody reads.
    pub(super) fn prune(&mut self) {
        let mut unused = Vec::new();
        for (id, provider) in &mut self.running {
            let readers = provider.readers.len();
            provider.readers.retain(|reader| reader.feed.is_alive());
            if provider.readers.len() != readers {
                unused.push(*id);
            }
        }
        for id in unused {
            if self
                .running
                .get(&id)
                .is_some_and(|provider| provider.readers.is_empty())
            {
                self.stop(id);
            } else {
                self.list(id);
            }
        }
    }

    pub(super) fn stop_all(&mut self) {
        for id in self.running.keys().copied().collect::<Vec<_>>() {
            self.stop(id);
        }
    }

    fn start(
        &mut self,
        section: &Section,
        mechanisms: &dyn Mechanisms,
        tasks: &mut JoinSet<()>,
    ) -> Result<u64, String> {
        let id = self.next;
        let name = format!("{}/{id}", section.mechanism);
        if matches!(section.kind, SectionKind::Missing) {
            return Err(format!(
                "no plugin serves the mechanism `{}`",
                section.mechanism
            ));
        }
        let discoverer = mechanisms.discoverer(section, &name)?;
        self.next += 1;
        let wake = Arc::clone(&self.wake);
        let mailbox = Arc::new(Mailbox::new(id, &name, &section.mechanism, wake));
        let stop = CancellationToken::new();
        if let Some(state) = self.state.clone().filter(|_| is_worth_keeping(section)) {
            tasks.spawn(restore(state, section.identity, Arc::clone(&mailbox)));
        }
        tasks.spawn(supervise(discoverer, Arc::clone(&mailbox), stop.clone()));
        tracing::info!(
            provider = name,
            section = section.key_path,
            "Started provider"
        );
        self.gauge(&mailbox).inc();
        let listed = Listed {
            mailbox: Arc::clone(&mailbox),
            jobs: Vec::new(),
            config: section.shown(),
        };
        self.lock().insert(id, listed);
        self.by_section.insert(section.identity, id);
        let provider = Provider {
            section: section.identity,
            mailbox,
            store: GroupStore::default(),
            synced: false,
            stale: None,
            readers: Vec::new(),
            stop,
        };
        self.running.insert(id, provider);
        Ok(id)
    }

    /// What each section knows that its source has confirmed in this process.
    pub(super) fn moments(&self) -> Vec<Moment> {
        let synced = self.running.values().filter(|provider| provider.synced);
        let moments = synced.map(|provider| Moment {
            section: provider.section,
            revision: provider.store.revision(),
            groups: provider.store.groups().clone(),
            is_confirmed: provider.mailbox.status().state == ProviderState::Ready,
        });
        moments.collect()
    }

    fn stop(&mut self, id: u64) {
        let Some(provider) = self.running.remove(&id) else {
            return;
        };
        tracing::info!(provider = %provider.mailbox.name(), "Stopped provider");
        self.by_section.remove(&provider.section);
        provider.stop.cancel();
        self.gauge(&provider.mailbox).dec();
        self.lock().remove(&id);
    }

    /// Brings the list of a provider's jobs up to date.
    fn list(&self, id: u64) {
        let Some(provider) = self.running.get(&id) else {
            return;
        };
        let mut jobs: Vec<String> = provider.readers.iter().map(|r| r.job.clone()).collect();
        jobs.sort_unstable();
        jobs.dedup();
        if let Some(listed) = self.lock().get_mut(&id) {
            listed.jobs = jobs;
        }
    }

    fn gauge(&self, mailbox: &Mailbox) -> prometheus_client::metrics::gauge::Gauge {
        let label = MechanismLabel::new(mailbox.mechanism());
        self.metrics.providers.get_or_create(&label).clone()
    }

    fn lock(&self) -> MutexGuard<'_, Roster> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Provider ===

impl Provider {
    fn known(&self) -> Known {
        Known {
            is_whole: self.synced || self.stale.is_some(),
            stale: self.stale,
        }
    }
}

fn count(metrics: &DiscoveryMetrics, provider: &mut Provider) {
    let label = MechanismLabel::new(provider.mailbox.mechanism());
    let suppressed = provider.store.take_suppressed();
    if suppressed > 0 {
        let counter = metrics.suppressed_groups.get_or_create(&label);
        counter.inc_by(suppressed);
    }
    let restored = provider.store.take_restored();
    if restored > 0 {
        let counter = metrics.restored_groups.get_or_create(&label);
        counter.inc_by(restored);
    }
}

/// Whether the state of a section is worth a file: what stands in the configuration is not.
fn is_worth_keeping(section: &Section) -> bool {
    section.mechanism != "static"
}

/// Hands over what was last known of a section, beside its discoverer, which need not wait for the
/// disk.
async fn restore(state: Arc<StateDir>, section: ContentHash, mailbox: Arc<Mailbox>) {
    let restored = tokio::task::spawn_blocking(move || state.load(section)).await;
    if let Ok(Some(restored)) = restored {
        tracing::info!(
            provider = %mailbox.name(),
            groups = restored.groups.len(),
            since = %humantime::format_rfc3339_seconds(restored.stale.since),
            "Serving the last known good state until the source answers"
        );
        mailbox.restore(restored);
    }
}

/// Runs a discoverer; its end is told, its targets stay.
async fn supervise(
    discoverer: Box<dyn Discoverer>,
    mailbox: Arc<Mailbox>,
    stop: CancellationToken,
) {
    let updates = Updates::new(Arc::clone(&mailbox));
    let run = discoverer.run(updates, stop.clone());
    let outcome = std::panic::AssertUnwindSafe(run).catch_unwind().await;
    if stop.is_cancelled() {
        return;
    }
    let error = outcome.err().map(|_| "the provider panicked".to_owned());
    tracing::warn!(provider = %mailbox.name(), error, "Provider ended by itself");
    mailbox.stopped(error);
}

/// Has the source of a provider asked now.
pub(super) fn refresh(roster: &Mutex<Roster>, name: &str) -> Result<(), RefreshError> {
    let roster = roster.lock().unwrap_or_else(PoisonError::into_inner);
    let mut all = roster.values().map(|listed| &listed.mailbox);
    let mailbox = all.find(|it| **it.name() == *name);
    let mailbox = mailbox.ok_or(RefreshError::Unknown)?;
    mailbox.ask().then_some(()).ok_or(RefreshError::Follows)
}

/// The statuses of all providers.
pub(super) fn statuses(roster: &Mutex<Roster>) -> Vec<ProviderStatus> {
    let roster = roster.lock().unwrap_or_else(PoisonError::into_inner);
    let all = roster.values();
    let all = all.map(
        |Listed {
             mailbox,
             jobs,
             config,
         }| ProviderStatus {
            jobs: jobs.clone(),
            config: config.clone(),
            ..mailbox.status()
        },
    );
    all.collect()
}
