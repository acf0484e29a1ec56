//! The whole host against the stand-in API server.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use hyper::StatusCode;
use periplus_kube_api::load::{Load, heartbeat};
use periplus_kube_api::{KubeApi, Options};
use serde_json::json;

use crate::Scale;
use crate::client::Client;
use crate::process::{Host, Usage};
use crate::report::Report;

const PART: &str = "cluster: one job, role pod, everything kept";
const LIST: &str = "/sd/pods";
const PODS: &str = "v1/pods";
const PODS_PER_NODE: usize = 50;
const UPDATES_PER_SECOND: u32 = 200;
/// What a step may take at most.
const PATIENCE: Duration = Duration::from_mins(5);
/// A list that has not changed for so long has taken in everything.
const QUIET: Duration = Duration::from_millis(500);
/// For memory to settle after the first list, as in the runs of the baseline.
const SETTLE: Duration = Duration::from_secs(3);

const CONFIG: &str = "
scrape_configs:
  - job_name: pods
    kubernetes_sd_configs:
      - {role: pod, kubeconfig_file: kubeconfig}
    relabel_configs:
      - {action: labelmap, regex: __meta_kubernetes_pod_label_(.+)}
      - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
      - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
";

/// A cluster and a host that follows it.
struct Bench {
    api: KubeApi,
    host: Host,
    client: Client,
    load: Load,
}

/// Starts both, and measures from the first list to single changes.
pub(crate) async fn measure(
    binary: &Path,
    scale: Scale,
    report: &mut Report,
) -> anyhow::Result<()> {
    let nodes = scale.pods.div_ceil(PODS_PER_NODE);
    let load = Load {
        pods: scale.pods,
        nodes,
        namespaces: 50,
        seed: 1,
    };
    let api = KubeApi::start(Options::default()).await?;
    load.fill(&api);
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("kubeconfig"), api.kubeconfig())?;
    let config = folder.path().join("periplus.yml");
    std::fs::write(&config, CONFIG)?;

    let started = Instant::now();
    let host = Host::start(binary, &config, &folder.path().join("cache"))?;
    let client = Client::connect(host.address).await?;
    let mut bench = Bench {
        api,
        host,
        client,
        load,
    };
    bench.first_sync(started, scale, report).await?;
    bench.lists(report).await?;
    bench.changes(scale, report).await?;
    bench.heartbeats(scale, report).await?;
    bench.latency(scale, report).await
}

// === impl Bench ===

impl Bench {
    async fn first_sync(
        &mut self,
        started: Instant,
        scale: Scale,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        while self.client.get("/-/ready", &[]).await?.status != StatusCode::OK {
            ensure!(
                started.elapsed() < PATIENCE,
                "not ready within {PATIENCE:?}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let took = started.elapsed();
        let at_sync = self.host.usage()?;
        let idle = Instant::now();
        tokio::time::sleep(SETTLE).await;
        let settled = self.host.usage()?;
        report.add(PART, "Pods", scale.pods as f64, "");
        report.add(
            PART,
            "first sync, from process start",
            took.as_secs_f64(),
            "s",
        );
        report.add(PART, "first sync, CPU", at_sync.cpu.as_secs_f64(), "s");
        report.aim("0.4 s at 10,000 Pods; Prometheus 2.2 s");
        report.add(PART, "memory, settled", megabytes(settled.resident), "MB");
        report.aim("60 MB at 10,000 Pods; Prometheus 366 MB");
        report.add(PART, "memory, peak", megabytes(settled.peak), "MB");
        let idle_cpu = settled.cpu_since(&at_sync).as_secs_f64() / idle.elapsed().as_secs_f64();
        report.add(PART, "CPU while nothing happens", idle_cpu * 100.0, "%");
        Ok(())
    }

    /// What a reader waits for.
    async fn lists(&mut self, report: &mut Report) -> anyhow::Result<()> {
        let timed = Instant::now();
        let first = self.client.get(LIST, &[]).await?;
        let first_took = timed.elapsed();
        ensure!(
            first.status == StatusCode::OK,
            "`{LIST}` answered {}",
            first.status
        );
        let targets: Vec<serde::de::IgnoredAny> = serde_json::from_slice(&first.body)?;
        ensure!(
            targets.len() >= self.load.pods,
            "only {} targets",
            targets.len()
        );
        report.add(PART, "targets", targets.len() as f64, "");
        report.add(PART, "list, size", megabytes(first.body.len() as u64), "MB");
        report.add(
            PART,
            "list, first time",
            first_took.as_secs_f64() * 1e3,
            "ms",
        );

        let mut ready = Vec::new();
        let mut packed = Vec::new();
        for _ in 0..10 {
            let timed = Instant::now();
            self.client.get(LIST, &[]).await?;
            ready.push(timed.elapsed());
            let timed = Instant::now();
            let answer = self
                .client
                .get(LIST, &[("accept-encoding", "gzip")])
                .await?;
            packed.push(timed.elapsed());
            ensure!(
                answer.headers.contains_key("content-encoding"),
                "gzip was not used"
            );
        }
        // The first compression is of interest, as each change asks for one.
        report.add(
            PART,
            "list, gzip, first time",
            packed.remove(0).as_secs_f64() * 1e3,
            "ms",
        );
        report.add_times(PART, "list, unchanged", &mut ready);
        report.add_times(PART, "list, gzip, unchanged", &mut packed);
        let mut known = Vec::new();
        for _ in 0..200 {
            let timed = Instant::now();
            self.client.tag(LIST).await?;
            known.push(timed.elapsed());
        }
        report.add_times(PART, "list, 304", &mut known);
        let with_lists = self.host.usage()?;
        report.add(
            PART,
            "memory, lists read",
            megabytes(with_lists.resident),
            "MB",
        );
        Ok(())
    }

    /// Label changes, each of one Pod.
    async fn changes(&mut self, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
        let before = self.client.tag(LIST).await?;
        let used = self.host.usage()?;
        self.paced(scale.updates, |bench, number| {
            let patch = json!({"metadata": {"labels": {"bench": format!("c{number}")}}});
            bench.patch(number, &patch)
        })
        .await?;
        let after = self.host.usage()?;
        ensure!(
            self.client.tag(LIST).await? != before,
            "the list has not changed"
        );
        let cost = micros(&used, &after) / scale.updates as f64;
        report.add(PART, "changed update, CPU", cost, "us");
        report.aim("170 us; Prometheus 2,600 us");
        report.add(
            PART,
            "memory after changes",
            megabytes(after.resident),
            "MB",
        );
        Ok(())
    }

    /// Updates in which nothing changes that discovery looks at.
    async fn heartbeats(&mut self, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
        let before = self.client.tag(LIST).await?;
        let used = self.host.usage()?;
        self.paced(scale.updates, |bench, number| {
            let (namespace, name) = bench.load.pod_name(number % bench.load.pods);
            let Some(mut pod) = bench.api.get(PODS, &namespace, &name) else {
                bail!("Pod `{name}` is gone");
            };
            heartbeat(&mut pod, number as u64);
            bench.api.apply(pod);
            Ok(())
        })
        .await?;
        let after = self.host.usage()?;
        ensure!(
            self.client.tag(LIST).await? == before,
            "heartbeats have changed the list"
        );
        let cost = micros(&used, &after) / scale.updates as f64;
        report.add(PART, "unchanged update, CPU", cost, "us");
        report.aim("42 us; Prometheus 950 us");
        Ok(())
    }

    /// From the acknowledged write to a list that shows it, one change after the other.
    async fn latency(&mut self, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
        let mut times = Vec::with_capacity(scale.samples);
        for number in 0..scale.samples {
            let before = self.client.tag(LIST).await?;
            let patch = json!({"metadata": {"labels": {"bench": format!("l{number}")}}});
            self.patch(number, &patch)?;
            let written = Instant::now();
            while self.client.tag(LIST).await? == before {
                ensure!(
                    written.elapsed() < PATIENCE,
                    "change {number} was never served"
                );
            }
            times.push(written.elapsed());
        }
        report.add_times(PART, "event to served", &mut times);
        report.aim("p99 of ours <= 10,000 us; Prometheus p50 4,300,000 us");
        Ok(())
    }

    /// Makes updates at a steady rate and waits until the host has taken them all in.
    async fn paced(
        &mut self,
        count: usize,
        mut update: impl FnMut(&Self, usize) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / UPDATES_PER_SECOND);
        for number in 0..count {
            ticks.tick().await;
            update(self, number)?;
        }
        let mut tag = self.client.tag(LIST).await?;
        let mut since = Instant::now();
        while since.elapsed() < QUIET {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now = self.client.tag(LIST).await?;
            if now != tag {
                (tag, since) = (now, Instant::now());
            }
        }
        Ok(())
    }

    fn patch(&self, number: usize, patch: &serde_json::Value) -> anyhow::Result<()> {
        let (namespace, name) = self.load.pod_name(number % self.load.pods);
        let version = self.api.patch(PODS, &namespace, &name, patch);
        ensure!(version.is_some(), "Pod `{name}` is gone");
        Ok(())
    }
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn micros(before: &Usage, after: &Usage) -> f64 {
    after.cpu_since(before).as_secs_f64() * 1e6
}
