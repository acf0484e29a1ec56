//! Fronts over a few jobs, without a socket.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use periplus_config::{LoadOptions, Section, TransformerConfig, load_str};
use periplus_discovery::{
    Discoverer, DiscoveryMetrics, Manager, ManagerOptions, Mechanisms, PluginStatus,
    PluginStatuses, Transformer, native,
};
use periplus_serve::{About, OtelFront, ServeMetrics, ServeState, reload_channel, router};
use prometheus_client::registry::Registry;
use tokio::runtime::Runtime;
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt;

const CONFIG: &str = r#"
scrape_configs:
  - job_name: web
    static_configs:
      - {targets: ["a:1", "b:1", "c:1"], labels: {zone: east, "näme": x}}
      - {targets: ["d:1"], labels: {zone: west, kind: "a\"b\\c\n"}}
  - job_name: "with / slash"
    static_configs: [{targets: ["e:1"]}]
"#;

/// Fronts that can be asked.
pub(crate) struct Host {
    runtime: Runtime,
    router: Router,
    _running: DropGuard,
}

struct Native;

struct NoPlugins;

// === impl Host ===

impl Host {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (router, running) = runtime.block_on(start())?;
        Ok(Self {
            runtime,
            router,
            _running: running,
        })
    }

    /// The status of an answer, and its body.
    pub(crate) fn ask(&self, request: Request<Body>) -> (u16, Vec<u8>) {
        self.runtime.block_on(async {
            let Ok(answer) = self.router.clone().oneshot(request).await;
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await;
            (
                status,
                body.expect("a body comes to its end").to_bytes().to_vec(),
            )
        })
    }
}

async fn start() -> anyhow::Result<(Router, DropGuard)> {
    let (task, manager) = Manager::new(Arc::new(Native), ManagerOptions::default());
    let stop = CancellationToken::new();
    tokio::spawn(task.run(stop.clone()));
    let loaded = load_str(CONFIG, "fuzz.yml".as_ref(), &LoadOptions::default())?;
    manager.apply(loaded.config).await;
    let jobs = manager.directory().borrow().jobs.clone();
    for job in jobs.into_values() {
        let mut snapshots = job.snapshots;
        let known = snapshots.wait_for(|snapshot| snapshot.known).await;
        known.context("the manager ended")?;
    }
    let mut registry = Registry::default();
    let metrics = ServeMetrics::register(&mut registry);
    let (reload, _) = reload_channel();
    let (_, settings) = tokio::sync::watch::channel(None);
    let otel = OtelFront::start(manager.clone(), settings, metrics.clone());
    let state = ServeState {
        manager,
        plugins: Arc::new(NoPlugins),
        registry: Arc::new(registry),
        metrics,
        reload,
        ready_timeout: ServeState::DEFAULT_READY_TIMEOUT,
        removed_grace: ServeState::DEFAULT_REMOVED_GRACE,
        body_cache_bytes: 0,
        otel,
        about: About {
            version: String::new(),
            started: SystemTime::UNIX_EPOCH,
            config_file: PathBuf::new(),
        },
    };
    Ok((router(state), stop.drop_guard()))
}

impl Mechanisms for Native {
    fn discoverer(&self, section: &Section, _name: &str) -> Result<Box<dyn Discoverer>, String> {
        let native = native::discoverer(section, &DiscoveryMetrics::default());
        native.unwrap_or_else(|| Err("not a native mechanism".to_owned()))
    }

    fn transformer(&self, _config: &TransformerConfig) -> Result<Arc<dyn Transformer>, String> {
        Err("there are no plugins".to_owned())
    }
}

impl PluginStatuses for NoPlugins {
    fn plugins(&self) -> Vec<PluginStatus> {
        Vec::new()
    }
}
