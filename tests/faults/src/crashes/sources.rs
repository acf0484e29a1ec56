//! What the host finds targets in: an API server, a server of lists, and a file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use periplus_kube_api::{KubeApi, Options};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The jobs, by the source of each.
pub(crate) const JOBS: [&str; 3] = ["pods", "lists", "files"];
const STEADY_PODS: usize = 60;

/// Addresses that are there all the time, by job.
pub(crate) type Steady = Arc<BTreeMap<&'static str, BTreeSet<String>>>;
/// Addresses that were ever there, by job.
pub(crate) type Ever = Arc<Mutex<BTreeMap<&'static str, BTreeSet<String>>>>;

/// All sources.
pub(crate) struct Sources {
    api: KubeApi,
    is_server_up: bool,
    are_lists_up: Arc<AtomicBool>,
    config: PathBuf,
    steady: Steady,
    ever: Ever,
    /// Pods that come and go, by number.
    extra: BTreeSet<usize>,
}

// === impl Sources ===

impl Sources {
    pub(crate) async fn start(folder: &Path) -> anyhow::Result<Self> {
        let api = KubeApi::start(Options::default()).await;
        let api = api.context("failed to start the stand-in API server")?;
        for number in 0..STEADY_PODS {
            api.apply(pod(number));
        }
        let listed: Vec<String> = (0..20).map(|n| format!("10.2.0.{n}:80")).collect();
        let filed: Vec<String> = (0..20).map(|n| format!("10.3.0.{n}:80")).collect();
        let are_lists_up = Arc::new(AtomicBool::new(true));
        let url = serve_lists(&listed, Arc::clone(&are_lists_up)).await?;
        std::fs::write(
            folder.join("targets.json"),
            json!([{ "targets": filed }]).to_string(),
        )?;
        let config = folder.join("periplus.yml");
        std::fs::write(&config, written(&api, &url)?)?;
        let pods = (0..STEADY_PODS).map(address);
        let steady = BTreeMap::from([
            ("pods", pods.collect()),
            ("lists", listed.into_iter().collect()),
            ("files", filed.into_iter().collect()),
        ]);
        Ok(Self {
            api,
            is_server_up: true,
            are_lists_up,
            config,
            ever: Arc::new(Mutex::new(steady.clone())),
            steady: Arc::new(steady),
            extra: BTreeSet::new(),
        })
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.config.clone()
    }

    pub(crate) fn steady(&self) -> Steady {
        Arc::clone(&self.steady)
    }

    pub(crate) fn ever(&self) -> Ever {
        Arc::clone(&self.ever)
    }

    /// What a job has when all is well.
    pub(crate) fn expected(&self, job: &str) -> BTreeSet<String> {
        let mut expected = self.steady[job].clone();
        if job == "pods" {
            expected.extend(self.extra.iter().copied().map(address));
        }
        expected
    }

    pub(crate) async fn server_down(&mut self) {
        if std::mem::replace(&mut self.is_server_up, false) {
            self.api.pause().await;
        }
    }

    pub(crate) fn server_up(&mut self) -> anyhow::Result<()> {
        if !std::mem::replace(&mut self.is_server_up, true) {
            self.api.resume().context("failed to listen again")?;
        }
        Ok(())
    }

    pub(crate) fn lists_down(&self) {
        self.are_lists_up.store(false, Ordering::Relaxed);
    }

    pub(crate) fn lists_up(&self) {
        self.are_lists_up.store(true, Ordering::Relaxed);
    }

    pub(crate) fn all_up(&mut self) -> anyhow::Result<()> {
        self.lists_up();
        self.server_up()
    }

    /// Lets a Pod come, or go.
    pub(crate) fn churn(&mut self, random: &mut StdRng) {
        let number = STEADY_PODS + random.random_range(0..40);
        if self.extra.remove(&number) {
            self.api.delete("v1/pods", "default", &name(number));
            return;
        }
        let mut ever = self.ever.lock().unwrap_or_else(PoisonError::into_inner);
        ever.entry("pods").or_default().insert(address(number));
        drop(ever);
        self.extra.insert(number);
        self.api.apply(pod(number));
    }
}

/// Serves a list for as long as it is up, and errors else.
async fn serve_lists(targets: &[String], is_up: Arc<AtomicBool>) -> anyhow::Result<String> {
    let list = json!([{ "targets": targets }]);
    let answer = move |State(is_up): State<Arc<AtomicBool>>| async move {
        if is_up.load(Ordering::Relaxed) {
            Ok::<Json<Value>, StatusCode>(Json(list))
        } else {
            Err(StatusCode::INTERNAL_SERVER_ERROR)
        }
    };
    let router = Router::new().route("/", get(answer)).with_state(is_up);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    tokio::spawn(axum::serve(listener, router).into_future());
    Ok(url)
}

fn written(api: &KubeApi, url: &str) -> anyhow::Result<String> {
    let mut config = "scrape_configs:\n".to_owned();
    let sections = [
        format!(
            "kubernetes_sd_configs: [{{role: pod, api_server: '{}'}}]",
            api.url()
        ),
        format!("http_sd_configs: [{{url: '{url}', refresh_interval: 1s}}]"),
        "file_sd_configs: [{files: [targets.json]}]".to_owned(),
    ];
    for (job, section) in JOBS.iter().zip(sections) {
        writeln!(config, "  - job_name: {job}\n    {section}")?;
    }
    Ok(config)
}

fn name(number: usize) -> String {
    format!("pod-{number}")
}

fn ip(number: usize) -> String {
    format!("10.1.{}.{}", number / 200, number % 200)
}

fn address(number: usize) -> String {
    format!("{}:8080", ip(number))
}

fn pod(number: usize) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": "default", "name": name(number)},
        "spec": {
            "nodeName": "node-1",
            "containers": [{"name": "app", "image": "app:1", "ports": [{"containerPort": 8080}]}],
        },
        "status": {"phase": "Running", "podIP": ip(number)},
    })
}
