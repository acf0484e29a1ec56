//! What a call of a plugin costs, with the plugins of this repository.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use axum::Router;
use axum::routing::get;
use periplus_config::{Config, LoadOptions, load_file, plugins_of};
use periplus_core::LabelSet;
use periplus_discovery::{Transformer, Updates};
use periplus_plugin::{PluginHost, PluginHostOptions};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use crate::Scale;
use crate::report::Report;

const PART: &str = "plugins";
/// Targets in each answer of the inventory.
const ITEMS: usize = 1_000;
/// The least that the host lets pass between two refreshes.
const INTERVAL: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_mins(1);

/// A host with the plugins of a configuration.
struct Plugins {
    host: Arc<PluginHost>,
    config: Arc<Config>,
    registry: Registry,
}

/// What a plugin has used so far.
#[derive(Clone, Copy)]
struct Used {
    cpu: f64,
    wall: f64,
    refreshes: f64,
}

/// Loads, then provider calls, then transformer calls.
pub(crate) async fn measure(
    folder: &Path,
    scale: Scale,
    report: &mut Report,
) -> anyhow::Result<()> {
    let folder = folder.canonicalize().with_context(|| {
        format!(
            "no plugins at `{}`; build them with `make plugins`",
            folder.display()
        )
    })?;
    let inventory = inventory().await?;
    let work = tempfile::tempdir()?;
    let file = work.path().join("periplus.yml");
    std::fs::write(&file, config(&folder, inventory))?;
    for name in ["load, compiled", "load, from the cache"] {
        let timed = Instant::now();
        let plugins = Plugins::load(&file, &work.path().join("cache")).await?;
        let took = timed.elapsed().as_secs_f64() * 1e3 / plugins.config.plugins.len() as f64;
        report.add(PART, format!("{name}, per plugin"), took, "ms");
    }
    report.aim("<= 10 ms");
    let plugins = Plugins::load(&file, &work.path().join("cache")).await?;
    for (job, plugin, what) in [
        (
            "sockets",
            "sockets",
            "provider `sockets`, this machine's sockets",
        ),
        (
            "inventory",
            "json-http",
            "provider `json-http`, 1,000 targets",
        ),
    ] {
        plugins.provider(job, plugin, what, scale, report).await?;
    }
    plugins.transformer(scale, report).await
}

fn config(folder: &Path, inventory: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        "
plugins:
  - name: sockets
    source: 'file:{folder}/sockets.wasm'
    allow: {{files: [/proc/net/tcp, /proc/net/tcp6]}}
  - name: known-exporters
    source: 'file:{folder}/known_exporters.wasm'
  - name: json-http
    source: 'file:{folder}/json_http.wasm'
scrape_configs:
  - job_name: sockets
    sockets_sd_configs: [{{refresh_interval: 1s}}]
  - job_name: inventory
    json_http_sd_configs:
      - url: 'http://{inventory}/items'
        address: /address
        labels: {{__meta_json_http_rack: /rack, __meta_json_http_owner: /owner}}
        refresh_interval: 1s
    transformers: [{{plugin: known-exporters}}]
"
    )
}

/// A web server with a list of machines.
async fn inventory() -> anyhow::Result<SocketAddr> {
    let items: Vec<_> = (0..ITEMS)
        .map(|number| {
            serde_json::json!({
                "address": format!("10.1.{}.{}:9100", number / 256, number % 256),
                "rack": format!("rack-{}", number % 40),
                "owner": format!("team-{}", number % 7),
            })
        })
        .collect();
    let body = serde_json::to_string(&items)?;
    let answer = get(async move || ([("content-type", "application/json")], body));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/items", answer)).await });
    Ok(address)
}

// === impl Plugins ===

impl Plugins {
    async fn load(file: &Path, cache: &Path) -> anyhow::Result<Self> {
        let host = PluginHost::new(PluginHostOptions {
            cache_dir: Some(cache.into()),
            watch: false,
            ..PluginHostOptions::default()
        })?;
        for (plugin, outcome) in host.load(&plugins_of(file)?).await {
            let name = plugin.source.display().to_string();
            outcome.map_err(|error| anyhow!("{error}")).context(name)?;
        }
        let options = LoadOptions {
            mechanisms: host.mechanisms(),
            ..LoadOptions::default()
        };
        let config = load_file(file, &options)?.config;
        host.activate();
        let mut registry = Registry::default();
        host.metrics().register(&mut registry);
        Ok(Self {
            host,
            config,
            registry,
        })
    }

    /// Several instances that refresh once a second; the figures are the host's own.
    async fn provider(
        &self,
        job: &str,
        plugin: &str,
        what: &str,
        scale: Scale,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let job = self
            .config
            .jobs
            .iter()
            .find(|it| it.name == job)
            .context("no such job")?;
        let stop = CancellationToken::new();
        let mut running = Vec::new();
        let mut probes = Vec::new();
        for number in 0..scale.instances {
            let name = format!("{plugin}/{number}");
            let made = self.host.discoverer(&job.sections[0], &name);
            let (updates, probe) = Updates::testing();
            let discoverer = made.map_err(|error| anyhow!("{error}"))?;
            running.push(tokio::spawn(discoverer.run(updates, stop.clone())));
            probes.push(probe);
        }
        for probe in &mut probes {
            let synced = probe.wait_until(|probe| probe.status().synced);
            tokio::time::timeout(PATIENCE, synced)
                .await
                .context("a provider never delivered")?;
        }
        let before = self.used(plugin)?;
        tokio::time::sleep(INTERVAL * u32::try_from(scale.refreshes)?).await;
        let after = self.used(plugin)?;
        stop.cancel();
        for task in running {
            task.await?;
        }
        let calls = after.refreshes - before.refreshes;
        ensure!(calls > 0.0, "plugin `{plugin}` was never asked again");
        report.add(
            PART,
            format!("{what}, CPU per call"),
            (after.cpu - before.cpu) * 1e6 / calls,
            "us",
        );
        report.add(
            PART,
            format!("{what}, time per call"),
            (after.wall - before.wall) * 1e6 / calls,
            "us",
        );
        Ok(())
    }

    async fn transformer(&self, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
        let job = self
            .config
            .jobs
            .iter()
            .find(|it| !it.transformers.is_empty());
        let entry = &job.context("no job has a transformer")?.transformers[0];
        let made = self
            .host
            .transformer(entry)
            .map_err(|error| anyhow!("{error}"))?;
        let rows: Vec<LabelSet> = (0..scale.rows).map(row).collect();
        let changed = transform(&*made, &rows).await?;
        ensure!(changed > 0, "the transformer has set nothing");
        let timed = Instant::now();
        transform(&*made, &rows).await?;
        let each = timed.elapsed().as_secs_f64() * 1e9 / rows.len() as f64;
        report.add(
            PART,
            "transformer `known-exporters`, 32 labels, per row",
            each,
            "ns",
        );
        report.aim("<= 600 ns");
        let mut single = Vec::with_capacity(scale.samples);
        for row in rows.iter().take(scale.samples) {
            let timed = Instant::now();
            transform(&*made, std::slice::from_ref(row)).await?;
            single.push(timed.elapsed());
        }
        report.add_times(PART, "transformer, a call with one row", &mut single);
        Ok(())
    }

    fn used(&self, plugin: &str) -> anyhow::Result<Used> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        let value = |name: &str, label: &str| {
            let own = format!("plugin=\"{plugin}\"");
            let line = text.lines().find(|line| {
                line.split('{').next() == Some(name) && line.contains(&own) && line.contains(label)
            });
            let number = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
            number.with_context(|| format!("no metric `{name}` of plugin `{plugin}`"))
        };
        Ok(Used {
            cpu: value("periplus_plugin_cpu_seconds_total", "")?,
            wall: value("periplus_plugin_call_seconds_sum", "")?,
            refreshes: value("periplus_plugin_calls_total", "call=\"refresh\"")?,
        })
    }
}

/// The number of rows that got a label.
async fn transform(transformer: &dyn Transformer, rows: &[LabelSet]) -> anyhow::Result<usize> {
    let answers = transformer.transform(rows).await?;
    ensure!(
        answers.len() == rows.len(),
        "{} answers to {} rows",
        answers.len(),
        rows.len()
    );
    let named = |after: &&Vec<LabelSet>| after.iter().any(|set| set.get("exporter").is_some());
    Ok(answers.iter().filter(named).count())
}

/// A target of 32 labels, every second on a known port.
fn row(number: usize) -> LabelSet {
    let port = if number.is_multiple_of(2) {
        9100
    } else {
        31_000 + number % 1000
    };
    let address = format!("10.2.{}.{}:{port}", number / 256 % 256, number % 256);
    let more = (0..31).map(|n| {
        (
            format!("__meta_label_{n}"),
            format!("value-{}-{n}", number % 100),
        )
    });
    more.chain([("__address__".to_owned(), address)]).collect()
}
