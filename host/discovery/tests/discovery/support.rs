//! Configurations by hand, sources under the test's control, and waiting with a deadline.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use periplus_config::{
    Config, ExplicitScrape, FileSection, HttpClientConfig, Job, OnError, PluginSection, Section,
    SectionKind, TransformerConfig,
};
use periplus_core::duration::PromDuration;
use periplus_core::name::NameScheme;
use periplus_core::relabel::{RawRule, Rule};
use periplus_core::target::ScrapeDefaults;
use periplus_core::{ContentHash, LabelSet, TargetGroup};
use periplus_discovery::{
    Discoverer, DiscoveryMetrics, Manager, ManagerHandle, ManagerOptions, Mechanisms, Snapshot,
    Stage, TransformError, Transformer, Updates, native,
};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A running manager with everything that a test needs of it.
pub(crate) struct Host {
    pub(crate) handle: ManagerHandle,
    pub(crate) mocks: Arc<Mocks>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Mechanism `mock` and transformers under the test's control; `static` as it is.
#[derive(Default)]
pub(crate) struct Mocks {
    running: Mutex<HashMap<String, Running>>,
    changed: tokio::sync::Notify,
    transformers: Mutex<HashMap<String, Arc<dyn Transformer>>>,
    metrics: DiscoveryMetrics,
}

#[derive(Clone)]
struct Running {
    updates: Updates,
    /// Cancelled by the test to make the provider end by itself.
    leave: CancellationToken,
    starts: usize,
}

struct Mock {
    id: String,
    mocks: Arc<Mocks>,
}

// === impl Host ===

impl Host {
    pub(crate) fn start() -> Self {
        Self::start_with(DiscoveryMetrics::default())
    }

    pub(crate) fn start_with(metrics: DiscoveryMetrics) -> Self {
        Self::start_as(ManagerOptions {
            metrics,
            ..ManagerOptions::default()
        })
    }

    pub(crate) fn start_as(options: ManagerOptions) -> Self {
        let mocks = Arc::new(Mocks {
            metrics: options.metrics.clone(),
            ..Mocks::default()
        });
        let mechanisms = Arc::new(MocksOf(Arc::clone(&mocks)));
        let (manager, handle) = Manager::new(mechanisms, options);
        let stop = CancellationToken::new();
        let task = tokio::spawn(manager.run(stop.clone()));
        Self {
            handle,
            mocks,
            stop,
            task,
        }
    }

    /// Applies a configuration in which everything can be made.
    pub(crate) async fn apply(&self, jobs: Vec<Job>) {
        let report = self.handle.apply(config(jobs)).await;
        assert_eq!(report.failed_sections, []);
    }

    pub(crate) fn snapshots(&self, job: &str) -> watch::Receiver<Arc<Snapshot>> {
        let directory = self.handle.directory();
        let directory = directory.borrow();
        directory.jobs[job].snapshots.clone()
    }

    pub(crate) fn now(&self, job: &str) -> Arc<Snapshot> {
        self.snapshots(job).borrow().clone()
    }

    /// The job's snapshot as soon as the condition holds.
    pub(crate) async fn wait(
        &self,
        job: &str,
        condition: impl FnMut(&Arc<Snapshot>) -> bool,
    ) -> Arc<Snapshot> {
        let mut snapshots = self.snapshots(job);
        let found = within(snapshots.wait_for(condition)).await;
        found.expect("the job exists").clone()
    }

    /// Waits until the job is known and its final addresses are these, in any order.
    pub(crate) async fn wait_addresses(&self, job: &str, expected: &[&str]) -> Arc<Snapshot> {
        self.wait(job, |snapshot| {
            snapshot.known && addresses(snapshot) == expected
        })
        .await
    }

    /// Waits until the provider in question exists, and returns its status.
    pub(crate) fn provider_names(&self) -> Vec<String> {
        self.handle
            .providers()
            .into_iter()
            .map(|status| status.name)
            .collect()
    }

    /// Waits until exactly these providers run.
    pub(crate) async fn wait_providers(&self, expected: &[&str]) {
        within(async {
            while self.provider_names() != expected {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }

    /// Ends the manager and waits for it.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        within(self.task).await.expect("the manager did not panic");
    }
}

// === impl Mocks ===

impl Mocks {
    /// The way out of the running mock provider with this id, once it runs.
    pub(crate) async fn updates(&self, id: &str) -> Updates {
        within(async {
            loop {
                let changed = self.changed.notified();
                if let Some(running) = self.running.lock().unwrap().get(id) {
                    return running.updates.clone();
                }
                changed.await;
            }
        })
        .await
    }

    pub(crate) fn is_running(&self, id: &str) -> bool {
        self.running.lock().unwrap().contains_key(id)
    }

    /// Makes the provider end by itself.
    pub(crate) fn leave(&self, id: &str) {
        self.running.lock().unwrap()[id].leave.cancel();
    }

    pub(crate) fn starts(&self, id: &str) -> usize {
        self.running
            .lock()
            .unwrap()
            .get(id)
            .map_or(0, |running| running.starts)
    }

    pub(crate) fn serve(&self, plugin: &str, transformer: Arc<dyn Transformer>) {
        self.transformers
            .lock()
            .unwrap()
            .insert(plugin.to_owned(), transformer);
    }
}

/// The orphan rule asks for a type of our own around the `Arc`.
struct MocksOf(Arc<Mocks>);

impl Mechanisms for MocksOf {
    fn discoverer(&self, section: &Section, _name: &str) -> Result<Box<dyn Discoverer>, String> {
        if let Some(native) = native::discoverer(section, &self.0.metrics) {
            return native;
        }
        let SectionKind::Plugin(plugin) = &section.kind else {
            return Err("not a mechanism of these tests".to_owned());
        };
        if let Some(error) = plugin.config["fail"].as_str() {
            return Err(error.to_owned());
        }
        let id = plugin.config["id"].as_str().unwrap_or_default().to_owned();
        Ok(Box::new(Mock {
            id,
            mocks: Arc::clone(&self.0),
        }))
    }

    fn transformer(&self, config: &TransformerConfig) -> Result<Arc<dyn Transformer>, String> {
        let transformers = self.0.transformers.lock().unwrap();
        let found = transformers.get(&config.plugin).cloned();
        found.ok_or_else(|| format!("no plugin is named `{}`", config.plugin))
    }
}

#[async_trait]
impl Discoverer for Mock {
    async fn run(self: Box<Self>, updates: Updates, stop: CancellationToken) {
        let leave = CancellationToken::new();
        {
            let mut running = self.mocks.running.lock().unwrap();
            let starts = running.get(&self.id).map_or(0, |earlier| earlier.starts) + 1;
            running.insert(
                self.id.clone(),
                Running {
                    updates,
                    leave: leave.clone(),
                    starts,
                },
            );
        }
        self.mocks.changed.notify_waiters();
        tokio::select! {
            () = stop.cancelled() => {
                self.mocks.running.lock().unwrap().remove(&self.id);
            }
            () = leave.cancelled() => {}
        }
    }
}

/// A transformer that does what a function says, and counts rows.
pub(crate) struct Fake {
    answer: Box<Answer>,
    pub(crate) calls: Mutex<Vec<usize>>,
    generation: watch::Sender<u64>,
}

pub(crate) type Answer = dyn Fn(&LabelSet) -> Result<Vec<LabelSet>, String> + Send + Sync + 'static;

impl Fake {
    pub(crate) fn new(
        answer: impl Fn(&LabelSet) -> Result<Vec<LabelSet>, String> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            answer: Box::new(answer),
            calls: Mutex::default(),
            generation: watch::channel(0).0,
        })
    }

    /// Says that answers may differ from now on.
    pub(crate) fn reload(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// Rows of each call since the last time.
    pub(crate) fn take_calls(&self) -> Vec<usize> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }
}

#[async_trait]
impl Transformer for Fake {
    async fn transform(&self, rows: &[LabelSet]) -> Result<Vec<Vec<LabelSet>>, TransformError> {
        self.calls.lock().unwrap().push(rows.len());
        tokio::task::yield_now().await;
        rows.iter()
            .map(|row| (self.answer)(row).map_err(TransformError::new))
            .collect()
    }

    fn generation(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }
}

/// Waits, but not for ever; under paused time a test that is stuck fails at once.
pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what)
        .await
        .expect("it happens in time")
}

/// Long enough for everything that is going to happen, under paused time.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(500)).await;
}

pub(crate) fn config(jobs: Vec<Job>) -> Arc<Config> {
    let jobs = jobs.into_iter().map(Arc::new).collect();
    Arc::new(Config {
        file: "periplus.yml".into(),
        jobs,
        plugins: Vec::new(),
        clusters: Vec::new(),
        target_allocator: None,
    })
}

pub(crate) fn job(name: &str, sections: Vec<Section>) -> Job {
    Job {
        name: name.to_owned(),
        defaults: ScrapeDefaults {
            job: name.to_owned(),
            scrape_interval: PromDuration::from_secs(60),
            scrape_timeout: PromDuration::from_secs(10),
            metrics_path: "/metrics".to_owned(),
            scheme: "http".to_owned(),
            params: Vec::new(),
            convert_classic_histograms_to_nhcb: false,
            always_scrape_classic_histograms: false,
            scrape_native_histograms: false,
        },
        explicit: ExplicitScrape::default(),
        sections,
        transformers: Vec::new(),
        relabel_rules: Vec::new(),
        limits: periplus_config::TargetLimits::default(),
        name_scheme: NameScheme::Utf8,
        verbatim: json!({ "job_name": name }),
        inherited: Arc::default(),
    }
}

/// A section whose provider the test drives.
pub(crate) fn mock(id: &str) -> Section {
    plugin_section(id, json!({ "id": id }))
}

/// A section that cannot be made.
pub(crate) fn failing(error: &str) -> Section {
    plugin_section(error, json!({ "fail": error }))
}

fn plugin_section(id: &str, config: serde_json::Value) -> Section {
    Section {
        mechanism: "mock".to_owned(),
        key_path: format!("scrape_configs[0].mock_sd_configs[{id}]"),
        line: 1,
        identity: ContentHash::of(config.to_string().as_bytes()),
        kind: SectionKind::Plugin(PluginSection {
            config,
            refresh_interval: Duration::from_mins(1),
            written_interval: None,
            http_client: json!({}),
            http: HttpClientConfig::default(),
        }),
    }
}

/// `static_configs` with one group per list of addresses.
pub(crate) fn fixed(groups: &[&[&str]]) -> Section {
    let identity = ContentHash::of(format!("static {groups:?}").as_bytes());
    let groups = (0..)
        .zip(groups)
        .map(|(index, addresses)| group(&index.to_string(), addresses));
    Section {
        mechanism: "static".to_owned(),
        key_path: "scrape_configs[0].static_configs".to_owned(),
        line: 1,
        identity,
        kind: SectionKind::Static(groups.collect()),
    }
}

/// `file_sd_configs` with one file.
pub(crate) fn files(path: &std::path::Path) -> Section {
    Section {
        mechanism: "file".to_owned(),
        key_path: "scrape_configs[0].file_sd_configs[0]".to_owned(),
        line: 1,
        identity: ContentHash::of(path.as_os_str().as_encoded_bytes()),
        kind: SectionKind::File(FileSection {
            patterns: vec![path.to_owned()],
            refresh_interval: Duration::from_mins(5),
        }),
    }
}

pub(crate) fn transformer(plugin: &str, on_error: OnError) -> TransformerConfig {
    TransformerConfig {
        plugin: plugin.to_owned(),
        config: json!({}),
        on_error,
        identity: ContentHash::of(format!("{plugin} {on_error:?}").as_bytes()),
        key_path: format!("scrape_configs[0].transformers[{plugin}]"),
        line: 1,
    }
}

pub(crate) fn rule(raw: serde_json::Value) -> Rule {
    let raw: RawRule = serde_json::from_value(raw).expect("a rule");
    Rule::new(&raw, NameScheme::Utf8).expect("a valid rule")
}

/// A rule that sets a label to a value.
pub(crate) fn sets(label: &str, value: &str) -> Rule {
    rule(serde_json::json!({"target_label": label, "replacement": value}))
}

pub(crate) fn group(source: &str, addresses: &[&str]) -> Arc<TargetGroup> {
    group_with(source, &[], addresses)
}

pub(crate) fn group_with(
    source: &str,
    labels: &[(&str, &str)],
    addresses: &[&str],
) -> Arc<TargetGroup> {
    let targets = addresses
        .iter()
        .map(|address| LabelSet::from_iter([("__address__", *address)]));
    Arc::new(TargetGroup {
        source: source.into(),
        labels: labels.iter().copied().collect(),
        targets: targets.collect(),
    })
}

/// A label set with one label more.
pub(crate) fn with(labels: &LabelSet, name: &str, value: &str) -> LabelSet {
    labels.iter().chain([(name, value)]).collect()
}

/// What a front would serve, as JSON.
pub(crate) fn served(snapshot: &Snapshot, stage: Stage) -> serde_json::Value {
    let segments = snapshot.groups.values().map(|group| group.segment(stage));
    let segments = segments.filter(|segment| !segment.is_empty());
    let segments: Vec<String> = segments
        .map(|s| String::from_utf8(s.to_vec()).unwrap())
        .collect();
    serde_json::from_str(&format!("[{}]", segments.join(","))).unwrap()
}

/// The addresses of the final stage, sorted.
pub(crate) fn addresses(snapshot: &Snapshot) -> Vec<String> {
    let served = served(snapshot, Stage::Final);
    let targets = served.as_array().unwrap().iter();
    let mut addresses: Vec<String> = targets
        .map(|target| target["targets"][0].as_str().unwrap().to_owned())
        .collect();
    addresses.sort_unstable();
    addresses
}
