//! A host without sources of its own: a manager whose providers say what a test tells them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt;
use periplus_config::{
    Config, ExplicitScrape, Job, Section, SectionKind, TargetAllocator, TransformerConfig,
};
use periplus_core::duration::PromDuration;
use periplus_core::name::NameScheme;
use periplus_core::relabel::{RawRule, Rule};
use periplus_core::target::ScrapeDefaults;
use periplus_core::{ContentHash, LabelSet, TargetGroup};
use periplus_discovery::{
    Discoverer, Manager, ManagerHandle, ManagerOptions, Mechanisms, PluginStatus, PluginStatuses,
    Snapshot, Transformer, Updates,
};
use periplus_serve::{
    About, OtelFront, ReloadRequest, Routes, ServeMetrics, ServeState, reload_channel, routes,
};
use prometheus_client::registry::Registry;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// How long a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running manager with fronts above it.
pub(crate) struct Host {
    pub(crate) router: Router,
    /// The routes of the listener for administration.
    pub(crate) admin: Router,
    pub(crate) reloads: mpsc::Receiver<ReloadRequest>,
    /// The routes of a listener for OpenTelemetry collectors alone.
    pub(crate) own_otel: Router,
    /// Changes how collectors share targets.
    pub(crate) allocator: watch::Sender<Option<Arc<TargetAllocator>>>,
    manager: ManagerHandle,
    sources: Sources,
    _running: tokio_util::sync::DropGuard,
}

/// What differs from the defaults.
pub(crate) struct Setup {
    pub(crate) ready_timeout: Duration,
    pub(crate) body_cache_bytes: usize,
    pub(crate) plugins: Vec<PluginStatus>,
    pub(crate) allocator: Option<TargetAllocator>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The ways into running providers, by the section's key path.
#[derive(Clone, Default)]
struct Sources(Arc<Mutex<HashMap<String, watch::Sender<Option<Updates>>>>>);

/// A provider that says nothing until a test does.
struct Told {
    updates: watch::Sender<Option<Updates>>,
}

struct Plugins(Vec<PluginStatus>);

// === impl Host ===

impl Host {
    pub(crate) fn start() -> Self {
        Self::with(Setup::default())
    }

    pub(crate) fn with(setup: Setup) -> Self {
        let sources = Sources::default();
        let (task, manager) = Manager::new(Arc::new(sources.clone()), ManagerOptions::default());
        let stop = CancellationToken::new();
        tokio::spawn(task.run(stop.clone()));
        let mut registry = Registry::default();
        let metrics = ServeMetrics::register(&mut registry);
        let (reload, reloads) = reload_channel();
        let (allocator, settings) = watch::channel(setup.allocator.map(Arc::new));
        let otel = OtelFront::start(manager.clone(), settings, metrics.clone());
        let own_otel = otel.router();
        let state = ServeState {
            manager: manager.clone(),
            otel,
            plugins: Arc::new(Plugins(setup.plugins)),
            registry: Arc::new(registry),
            metrics,
            reload,
            ready_timeout: setup.ready_timeout,
            removed_grace: ServeState::DEFAULT_REMOVED_GRACE,
            body_cache_bytes: setup.body_cache_bytes,
            about: About {
                version: "1.2.3".into(),
                started: SystemTime::UNIX_EPOCH,
                config_file: PathBuf::from("periplus.yml"),
            },
        };
        let Routes { readers, admin } = routes(state, Vec::new());
        Self {
            router: readers,
            admin,
            own_otel,
            allocator,
            reloads,
            manager,
            sources,
            _running: stop.drop_guard(),
        }
    }

    /// The way to jobs and providers.
    pub(crate) fn manager(&self) -> ManagerHandle {
        self.manager.clone()
    }

    /// Makes these jobs the configuration.
    pub(crate) async fn apply(&self, jobs: impl IntoIterator<Item = Job>) {
        let jobs = jobs.into_iter().map(Arc::new).collect();
        let config = Config {
            file: "periplus.yml".into(),
            jobs,
            plugins: Vec::new(),
            clusters: Vec::new(),
            target_allocator: None,
        };
        let report = self.manager.apply(Arc::new(config)).await;
        assert_eq!(report.failed_sections, []);
    }

    /// Lets the provider of a job's only section deliver its complete state.
    pub(crate) async fn deliver(&self, job: &str, groups: &[Arc<TargetGroup>]) {
        self.updates(job).await.replace(groups.to_vec());
    }

    /// The way into a job's provider, as soon as it runs.
    pub(crate) async fn updates(&self, job: &str) -> Updates {
        let mut updates = self.sources.channel(job).subscribe();
        let running = updates.wait_for(Option::is_some);
        let running = tokio::time::timeout(PATIENCE, running)
            .await
            .expect("provider never ran");
        running.unwrap().clone().unwrap()
    }

    /// Waits until the job's newest snapshot is as it should be.
    pub(crate) async fn until(&self, job: &str, is_so: impl Fn(&Snapshot) -> bool) {
        let mut snapshots = self.manager.directory().borrow().jobs[job]
            .snapshots
            .clone();
        let waiting = snapshots.wait_for(|snapshot| is_so(snapshot));
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .expect("never came to be")
            .unwrap();
    }

    /// Applies one job with these groups and waits until it is known.
    pub(crate) async fn serve(&self, job: Job, groups: &[Arc<TargetGroup>]) {
        let name = job.name.clone();
        self.apply([job]).await;
        self.deliver(&name, groups).await;
        self.until(&name, |snapshot| snapshot.known).await;
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask("GET", path, headers).await
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        Answer::of(self.router.clone(), method, path, headers).await
    }

    /// Asks the listener for administration.
    pub(crate) async fn ask_admin(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        Answer::of(self.admin.clone(), method, path, headers).await
    }
}

// === impl Setup ===

impl Default for Setup {
    fn default() -> Self {
        Self {
            ready_timeout: ServeState::DEFAULT_READY_TIMEOUT,
            body_cache_bytes: ServeState::DEFAULT_BODY_CACHE_BYTES,
            plugins: Vec::new(),
            allocator: None,
        }
    }
}

// === impl Answer ===

impl Answer {
    async fn of(router: Router, method: &str, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status,
            headers: head.headers,
            body,
        }
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

// === impl Sources ===

impl Sources {
    fn channel(&self, job: &str) -> watch::Sender<Option<Updates>> {
        self.0
            .lock()
            .unwrap()
            .entry(job.to_owned())
            .or_default()
            .clone()
    }
}

impl Mechanisms for Sources {
    fn discoverer(&self, section: &Section, _: &str) -> Result<Box<dyn Discoverer>, String> {
        Ok(Box::new(Told {
            updates: self.channel(&section.key_path),
        }))
    }

    fn transformer(&self, _: &TransformerConfig) -> Result<Arc<dyn Transformer>, String> {
        Err("there are none".into())
    }
}

// === impl Told ===

#[async_trait]
impl Discoverer for Told {
    async fn run(self: Box<Self>, updates: Updates, stop: CancellationToken) {
        self.updates.send_replace(Some(updates));
        stop.cancelled().await;
    }
}

// === impl Plugins ===

impl PluginStatuses for Plugins {
    fn plugins(&self) -> Vec<PluginStatus> {
        self.0.clone()
    }
}

/// A job with one section, whose provider is reached by the job's name.
pub(crate) fn job(name: &str, rules: &[RawRule]) -> Job {
    let rules = rules
        .iter()
        .map(|raw| Rule::new(raw, NameScheme::Utf8).unwrap());
    Job {
        name: name.into(),
        defaults: ScrapeDefaults {
            job: name.into(),
            scrape_interval: PromDuration(Duration::from_mins(1)),
            scrape_timeout: PromDuration(Duration::from_secs(10)),
            metrics_path: "/metrics".into(),
            scheme: "http".into(),
            params: Vec::new(),
            convert_classic_histograms_to_nhcb: false,
            always_scrape_classic_histograms: false,
            scrape_native_histograms: false,
        },
        explicit: ExplicitScrape::default(),
        sections: vec![Section {
            mechanism: "told".into(),
            key_path: name.into(),
            line: 1,
            identity: ContentHash::of(name.as_bytes()),
            kind: SectionKind::Static(Vec::new()),
        }],
        transformers: Vec::new(),
        relabel_rules: rules.collect(),
        limits: periplus_config::TargetLimits::default(),
        name_scheme: NameScheme::Utf8,
        verbatim: serde_json::Value::Null,
        inherited: Arc::default(),
    }
}

/// Drops targets whose label matches.
pub(crate) fn drop_rule(label: &str, regex: &str) -> RawRule {
    rule(serde_json::json!({"action": "drop", "source_labels": [label], "regex": regex}))
}

/// A rule from its keys.
pub(crate) fn rule(keys: serde_json::Value) -> RawRule {
    serde_json::from_value(keys).unwrap()
}

/// A group of targets with one more label each.
pub(crate) fn group(source: &str, targets: &[(&str, &str)]) -> Arc<TargetGroup> {
    let target = |(address, zone): &(&str, &str)| {
        LabelSet::from_iter([("__address__", *address), ("__meta_zone", *zone)])
    };
    Arc::new(TargetGroup {
        source: source.into(),
        labels: LabelSet::from_iter([("__meta_source", source)]),
        targets: targets.iter().map(target).collect(),
    })
}
