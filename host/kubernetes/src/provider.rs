//! A provider: what one section finds, in one cluster or in many.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use periplus_config::{ClusterAccess, ClusterSelection};
use periplus_discovery::{Discoverer, Updates};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::clusters::Clusters;
use crate::clusters::folder::{Found, find};
use crate::follower::Follower;
use crate::progress::{Progress, WatchReport};
use crate::shared::Need;
use crate::view::View;
use crate::wanted::Wanted;

/// How often the namespace that we run in is read until it can be.
const NAMESPACE_RETRY: Duration = Duration::from_secs(5);
/// How often folders of kubeconfigs are looked at.
const FOLDER_INTERVAL: Duration = Duration::from_secs(2);
/// How many looks in a row must miss a cluster until it is gone.
const MISSED_LOOKS: u32 = 2;
/// How long clusters that fail, or do not answer, are waited for before the others are served
/// without them.
const FAILING_CLUSTERS: Duration = Duration::from_secs(10);

/// Where a section looks.
pub(crate) enum Place {
    /// One cluster, as `prometheus.yml` says it.
    One(ClusterAccess),
    /// Clusters with names.
    Many(ClusterSelection),
}

/// A provider for one section.
pub(crate) struct Provider {
    pub(crate) name: String,
    pub(crate) wanted: Wanted,
    pub(crate) place: Place,
    pub(crate) clusters: Arc<Clusters>,
}

/// Many clusters at work.
struct Fleet {
    wanted: Wanted,
    clusters: Arc<Clusters>,
    updates: Updates,
    progress: Arc<Progress>,
    running: BTreeMap<String, Member>,
    /// Folders that could not be read when they were last looked at.
    unreadable: Vec<(String, WatchReport)>,
}

/// One of many clusters.
struct Member {
    access: ClusterAccess,
    /// How often in a row it was not found. A file that is being replaced is missing for a moment.
    missed: u32,
    /// Why it cannot even be begun with.
    _refused: Option<WatchReport>,
    task: Option<(JoinHandle<Follower>, CancellationToken, DropGuard)>,
}

// === impl Provider ===

#[async_trait]
impl Discoverer for Provider {
    async fn run(self: Box<Self>, updates: Updates, stop: CancellationToken) {
        let Self {
            name,
            wanted,
            place,
            clusters,
        } = *self;
        match place {
            Place::One(access) => {
                let work = follow_one(&name, wanted, &access, &clusters, updates, &stop);
                stop.run_until_cancelled(work).await;
            }
            Place::Many(selection) => {
                let fleet = Fleet::new(wanted, clusters, updates);
                stop.run_until_cancelled(fleet.follow(selection)).await;
            }
        }
    }
}

async fn follow_one(
    provider: &str,
    wanted: Wanted,
    access: &ClusterAccess,
    clusters: &Clusters,
    updates: Updates,
    stop: &CancellationToken,
) {
    let own_namespace = if wanted.wants_own_namespace() {
        Some(own_namespace(provider, access, clusters, &updates).await)
    } else {
        None
    };
    let cluster = match clusters.get(access) {
        Ok(cluster) => cluster,
        Err(error) => {
            // The mechanism has checked it already.
            updates.failure(error);
            return;
        }
    };
    let progress = Progress::new(updates.clone());
    let needs = named(&wanted, own_namespace.as_deref(), &progress, "");
    progress.all_named();
    let view = View::new(wanted.view(None), clusters.options().metrics.clone());
    let follower = Follower::new(&cluster, view, needs, updates, false);
    follower.run(stop.clone()).await;
}

/// The namespace that we run in; waits until it can be read.
async fn own_namespace(
    provider: &str,
    access: &ClusterAccess,
    clusters: &Clusters,
    updates: &Updates,
) -> String {
    loop {
        let namespace = clusters.access(access).and_then(|it| it.own_namespace());
        match namespace {
            Ok(namespace) => return namespace,
            Err(error) => {
                tracing::warn!(provider, %error, "No namespace of our own");
                clusters.options().metrics.failure();
                updates.failure(&error);
                updates.waiting_for(Some(error));
            }
        }
        sleep(NAMESPACE_RETRY).await;
    }
}

/// The needs, each with a report under its name.
fn named(
    wanted: &Wanted,
    own_namespace: Option<&str>,
    progress: &Arc<Progress>,
    prefix: &str,
) -> Vec<(Need, WatchReport)> {
    let needs = wanted.needs(own_namespace).into_iter();
    needs
        .map(|need| {
            let report = progress.watch(format!("{prefix}list of {need}"));
            (need, report)
        })
        .collect()
}

// === impl Fleet ===

impl Fleet {
    fn new(wanted: Wanted, clusters: Arc<Clusters>, updates: Updates) -> Self {
        let progress = Progress::new(updates.clone());
        Self {
            wanted,
            clusters,
            updates,
            progress,
            running: BTreeMap::new(),
            unreadable: Vec::new(),
        }
    }

    async fn follow(mut self, selection: ClusterSelection) {
        let selection = Arc::new(selection);
        let mut patience = Box::pin(sleep(FAILING_CLUSTERS));
        let mut is_patient = true;
        loop {
            let of = Arc::clone(&selection);
            if let Ok((found, problems)) = tokio::task::spawn_blocking(move || find(&of)).await {
                self.adapt(found, &problems).await;
            }
            tokio::select! {
                () = sleep(FOLDER_INTERVAL) => {}
                () = &mut patience, if is_patient => {
                    is_patient = false;
                    self.progress.go_on_without_failing();
                }
            }
        }
    }

    /// Begins with clusters that are new, and takes back what came of those that are gone. If a
    /// folder could not be read, nothing is taken back.
    async fn adapt(&mut self, found: Found, problems: &[String]) {
        self.note_unreadable(problems);
        if self.running.is_empty() && found.is_empty() {
            let nothing = "no cluster that the section names is there yet".to_owned();
            let waiting = problems.first().cloned().unwrap_or(nothing);
            self.updates.waiting_for(Some(waiting));
            return;
        }
        let gone = self.running.iter_mut().filter_map(|(name, member)| {
            let is_gone = match found.get(name) {
                Some(access) => *access != member.access,
                None => problems.is_empty() && member.is_missed_again(),
            };
            is_gone.then(|| name.clone())
        });
        let gone: Vec<String> = gone.collect();
        for name in gone {
            if let Some(member) = self.running.remove(&name) {
                tracing::info!(cluster = name, "Cluster is no longer read");
                member.end().await;
            }
        }
        for (name, access) in found {
            if let Some(member) = self.running.get_mut(&name) {
                member.missed = 0;
            } else {
                let member = self.begin(&name, access);
                self.running.insert(name, member);
            }
        }
        self.progress.all_named();
    }

    /// Folders that cannot be read are said once, and shown as long as it is so.
    fn note_unreadable(&mut self, problems: &[String]) {
        self.unreadable
            .retain(|(known, _)| problems.contains(known));
        for problem in problems {
            if !self.unreadable.iter().any(|(known, _)| known == problem) {
                tracing::warn!(problem, "Folder of kubeconfigs not read");
                let report = self.progress.watch("clusters".to_owned());
                report.problem(problem.clone());
                self.unreadable.push((problem.clone(), report));
            }
        }
    }

    fn begin(&self, name: &str, access: ClusterAccess) -> Member {
        let prefix = format!("cluster `{name}`: ");
        let cluster = match self.clusters.get(&access) {
            Ok(cluster) => cluster,
            Err(error) => {
                let report = self.progress.watch(format!("cluster `{name}`"));
                report.problem(error);
                return Member {
                    access,
                    missed: 0,
                    _refused: Some(report),
                    task: None,
                };
            }
        };
        let needs = named(&self.wanted, None, &self.progress, &prefix);
        let metrics = self.clusters.options().metrics.clone();
        let view = View::new(self.wanted.view(Some(name)), metrics);
        let follower = Follower::new(&cluster, view, needs, self.updates.clone(), true);
        let stop = CancellationToken::new();
        let task = tokio::spawn(follower.run(stop.clone()));
        let guard = stop.clone().drop_guard();
        Member {
            access,
            missed: 0,
            _refused: None,
            task: Some((task, stop, guard)),
        }
    }
}

// === impl Member ===

impl Member {
    /// Notes that the cluster was not found; whether that is final.
    fn is_missed_again(&mut self) -> bool {
        self.missed += 1;
        self.missed >= MISSED_LOOKS
    }

    async fn end(self) {
        let Some((task, stop, _guard)) = self.task else {
            return;
        };
        stop.cancel();
        match task.await.map_err(JoinError::try_into_panic) {
            Ok(follower) => follower.take_back(),
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            Err(Err(_)) => {}
        }
    }
}
