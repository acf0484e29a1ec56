//! A provider: one watch per namespace, and the role that makes groups of what they find.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use periplus_config::{KubernetesSection, Namespaces, Role};
use periplus_core::TargetGroup;
use periplus_discovery::{Discoverer, Updates};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::api::http::HttpApi;
use crate::api::{Api, Collection};
use crate::connect::{Access, Connection};
use crate::driver::kept::SharedKept;
use crate::driver::{Consumer, Driver};
use crate::mechanism::KubernetesOptions;
use crate::progress::{Progress, WatchReport};
use crate::record::Record;
use crate::resource::{GroupSource, ObjectKey};

/// How often the namespace that we run in is read until it can be.
const NAMESPACE_RETRY: Duration = Duration::from_secs(5);

/// What a section asks to follow.
#[derive(Clone, Debug)]
pub(crate) struct Follow {
    namespaces: Namespaces,
    label_selector: Option<String>,
    field_selector: Option<String>,
}

/// A provider for objects of one kind that become groups of their own.
pub(crate) struct Provider<R> {
    name: String,
    access: Access,
    follow: Follow,
    options: KubernetesOptions,
    resource: PhantomData<R>,
}

/// Makes groups of changed objects, and hands on those that changed together.
struct GroupConsumer<R> {
    updates: Updates,
    report: WatchReport,
    pending: Vec<Arc<TargetGroup>>,
    resource: PhantomData<R>,
}

// === impl Follow ===

impl Follow {
    /// What the section's own role selects; selectors of other roles act on objects that are
    /// looked up beside it.
    pub(crate) fn of(section: &KubernetesSection) -> Self {
        let selector = section
            .selectors
            .iter()
            .find(|selector| selector.role == section.role);
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let mut namespaces = section.namespaces.clone();
        if section.role == Role::Node {
            // Nodes are in no namespace; upstream ignores what is written here.
            namespaces = Namespaces::default();
        }
        Self {
            namespaces,
            label_selector: selector.and_then(|selector| filled(&selector.label)),
            field_selector: selector.and_then(|selector| filled(&selector.field)),
        }
    }

    /// One collection per namespace, each once.
    fn collections<R: GroupSource>(&self, own_namespace: Option<String>) -> Vec<Collection> {
        let mut names = self.namespaces.names.clone();
        names.extend(own_namespace);
        let mut namespaces: Vec<Option<String>> = Vec::new();
        for name in names {
            // An empty name is upstream's way to say all of them.
            let namespace = Some(name).filter(|name| !name.is_empty());
            if !namespaces.contains(&namespace) {
                namespaces.push(namespace);
            }
        }
        if namespaces.is_empty() || namespaces.contains(&None) {
            namespaces = vec![None];
        }
        let resource = R::new();
        let kind = resource.kind();
        let collection = |namespace| Collection {
            group_path: kind.group_path.clone(),
            plural: kind.plural.clone(),
            metadata_only: kind.metadata_only,
            namespace,
            label_selector: self.label_selector.clone(),
            field_selector: self.field_selector.clone(),
        };
        namespaces.into_iter().map(collection).collect()
    }
}

// === impl Provider ===

impl<R: GroupSource> Provider<R> {
    pub(crate) fn new(
        name: String,
        access: Access,
        follow: Follow,
        options: KubernetesOptions,
    ) -> Self {
        Self {
            name,
            access,
            follow,
            options,
            resource: PhantomData,
        }
    }

    /// The namespace that we run in, if it is asked for; waits until it can be read.
    async fn own_namespace(&self, updates: &Updates) -> Option<String> {
        if !self.follow.namespaces.own_namespace {
            return None;
        }
        loop {
            match self.access.own_namespace() {
                Ok(namespace) => return Some(namespace),
                Err(error) => {
                    tracing::warn!(provider = self.name, %error, "No namespace of our own");
                    self.options.metrics.failure();
                    updates.failure(&error);
                    updates.waiting_for(Some(error));
                }
            }
            sleep(NAMESPACE_RETRY).await;
        }
    }

    async fn follow(self, updates: Updates, stop: CancellationToken) {
        let own_namespace = self.own_namespace(&updates).await;
        let collections = self.follow.collections::<R>(own_namespace);
        let Self {
            name,
            access,
            options,
            ..
        } = self;
        let connection = Connection::new(access, &options.user_agent);
        let api: Arc<dyn Api> = Arc::new(HttpApi::new(connection, options.metrics.clone()));
        follow_all::<R>(&name, &api, collections, &updates, &options, &stop).await;
    }
}

/// Follows all collections until `stop` is cancelled.
pub(crate) async fn follow_all<R: GroupSource>(
    provider: &str,
    api: &Arc<dyn Api>,
    collections: Vec<Collection>,
    updates: &Updates,
    options: &KubernetesOptions,
    stop: &CancellationToken,
) {
    let whats = collections
        .iter()
        .map(|collection| format!("list of {collection}"))
        .collect();
    let reports = Progress::begin(updates.clone(), whats);
    let mut watches = JoinSet::new();
    for (collection, report) in collections.into_iter().zip(reports) {
        let span = tracing::info_span!("watch", provider, %collection);
        let consumer = GroupConsumer::<R>::new(updates.clone(), report);
        let metrics = options.metrics.clone();
        let kept = SharedKept::new(consumer);
        let driver = Driver::new(Arc::clone(api), R::new(), collection, kept, metrics);
        watches.spawn(driver.run(stop.clone()).instrument(span));
    }
    while let Some(ended) = watches.join_next().await {
        // A driver returns when it is stopped and never else; a panic in one ends them all, so
        // that the provider ends and whoever runs it sees that.
        if let Err(error) = ended
            && let Ok(panic) = error.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

#[async_trait]
impl<R: GroupSource> Discoverer for Provider<R> {
    async fn run(self: Box<Self>, updates: Updates, stop: CancellationToken) {
        stop.clone()
            .run_until_cancelled_owned(self.follow(updates, stop))
            .await;
    }
}

// === impl GroupConsumer ===

impl<R> GroupConsumer<R> {
    fn new(updates: Updates, report: WatchReport) -> Self {
        Self {
            updates,
            report,
            pending: Vec::new(),
            resource: PhantomData,
        }
    }
}

impl<R: GroupSource> Consumer for GroupConsumer<R> {
    fn changed(&mut self, key: &ObjectKey, record: &Record) {
        self.pending.extend(R::group(key, record).map(Arc::new));
    }

    fn gone(&mut self, key: &ObjectKey) {
        let group = TargetGroup {
            source: key.source(),
            ..TargetGroup::default()
        };
        self.pending.push(Arc::new(group));
    }

    fn publish(&mut self, read_at: Instant) {
        self.updates.observed_at(read_at);
        self.updates.apply_all(self.pending.drain(..));
    }

    fn synced(&mut self) {
        self.report.synced();
    }

    fn answered(&mut self) {
        self.report.success();
    }

    fn failed(&mut self, problem: &str) {
        self.report.problem(problem.to_owned());
    }
}
