//! One process against one cluster: the first sync, then changes of each kind.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use periplus_kube_api::load::{Change, Cluster};
use periplus_kube_api::{KubeApi, Verb, WatchFault};

use super::{Cost, Run, Scale};
use crate::follower::{Follower, PATIENCE};
use crate::jobs::{Jobs, Targets};
use crate::process::Usage;

/// Where the first job's targets are read.
const LIST: &str = "/sd/kubernetes-pods";
/// Groups that were derived from their objects, by role.
const DERIVED: &str = "periplus_kubernetes_derived_groups_total";
const UPDATES_PER_SECOND: u32 = 100;
const NODE_CHANGES_PER_SECOND: u32 = 10;
/// A process that uses no more than this in each of four looks has nothing left to do.
const QUIET_LOOK: Duration = Duration::from_millis(500);
const QUIET_CPU: Duration = Duration::from_millis(20);
/// What any of the jobs watches.
const WATCHED: [&str; 6] = [
    "pods",
    "nodes",
    "services",
    "endpointslices",
    "namespaces",
    "replicasets",
];

/// A cluster and the process that follows it.
struct Bench<'a> {
    api: &'a KubeApi,
    cluster: Cluster,
    jobs: Jobs,
    scale: Scale,
    follower: Follower,
    costs: Vec<Cost>,
}

/// Starts a process, and measures from the first list to a relist.
pub(super) async fn measure(
    binary: &Path,
    api: &KubeApi,
    cluster: Cluster,
    jobs: Jobs,
    scale: Scale,
) -> anyhow::Result<Run> {
    let folder = tempfile::tempdir()?;
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, api.kubeconfig())?;
    let section = format!("kubeconfig_file: {}", kubeconfig.display());
    let config = jobs.config(&section, Targets::Kept);
    let mut follower = Follower::start(binary, &config, folder.path()).await?;
    let took = follower.until_synced(jobs.list(), &cluster).await?;
    tokio::time::sleep(scale.settle).await;
    let settled = follower.usage()?;
    let metrics = follower.metrics().await?;
    let discovered = jobs.list().iter().map(|job| metrics.discovered(job.name));
    let targets = discovered.sum();
    let lists_bytes = follower.read_lists(jobs).await?;
    let with_lists = follower.usage()?;
    let mut bench = Bench {
        api,
        cluster,
        jobs,
        scale,
        follower,
        costs: Vec::new(),
    };
    bench.label_changes().await?;
    bench.pod_heartbeats().await?;
    if jobs.attaches_nodes() {
        bench.node_changes().await?;
    }
    let rederived = bench.node_heartbeats().await?;
    bench.relists().await?;
    bench.reads().await?;
    Ok(Run {
        jobs,
        pods: cluster.pods,
        nodes: cluster.nodes,
        services: cluster.services,
        targets,
        sync_seconds: took.as_secs_f64(),
        sync_cpu_seconds: settled.cpu.as_secs_f64(),
        resident_bytes: settled.resident,
        peak_bytes: settled.peak,
        resident_with_lists_bytes: with_lists.resident,
        lists_bytes,
        costs: bench.costs,
        rederived,
    })
}

// === impl Bench ===

impl Bench<'_> {
    async fn label_changes(&mut self) -> anyhow::Result<()> {
        let count = self.scale.updates;
        let (cluster, before) = (self.cluster, self.follower.usage()?);
        // A value that no earlier run against the same objects has used: writing what is there
        // already changes nothing.
        let start = self.api.version();
        self.paced(count, UPDATES_PER_SECOND, |number| {
            let value = format!("c{start}-{number}");
            cluster.label_change((number % cluster.pods).into(), &value)
        })
        .await?;
        self.cost("label change", count, &before)?;
        let list = self.follower.read(LIST, &[]).await?;
        let last = format!("\"c{start}-{}\"", count - 1);
        let shown = list.windows(last.len()).any(|part| part == last.as_bytes());
        ensure!(shown, "the last label change is not in `{LIST}`");
        Ok(())
    }

    async fn pod_heartbeats(&mut self) -> anyhow::Result<()> {
        let count = self.scale.updates;
        let tags = self.follower.tags(self.jobs).await?;
        let (cluster, before) = (self.cluster, self.follower.usage()?);
        // A number that no earlier run of this process against the same objects has used.
        let start = self.api.version();
        self.paced(count, UPDATES_PER_SECOND, |number| {
            cluster.pod_heartbeat((number % cluster.pods).into(), start + number as u64)
        })
        .await?;
        self.cost("Pod status update without effect", count, &before)?;
        self.unchanged(&tags, "Pod heartbeats").await
    }

    async fn node_changes(&mut self) -> anyhow::Result<()> {
        let count = self.scale.node_changes;
        let discovered = format!("{LIST}?stage=discovered");
        let tag = self.follower.client.tag(&discovered).await?;
        let (cluster, before) = (self.cluster, self.follower.usage()?);
        let start = self.api.version();
        self.paced(count, NODE_CHANGES_PER_SECOND, |number| {
            cluster.node_change(number % cluster.nodes, &format!("n{start}-{number}"))
        })
        .await?;
        self.cost("node label change", count, &before)?;
        ensure!(
            self.follower.client.tag(&discovered).await? != tag,
            "node changes are not in `{discovered}`"
        );
        Ok(())
    }

    /// How many groups they made the process derive anew.
    async fn node_heartbeats(&mut self) -> anyhow::Result<Option<f64>> {
        let count = self.scale.node_heartbeats;
        let tags = self.follower.tags(self.jobs).await?;
        let derived = self.follower.metrics().await?.sum(DERIVED);
        let (cluster, before) = (self.cluster, self.follower.usage()?);
        let start = self.api.version();
        self.paced(count, UPDATES_PER_SECOND, |number| {
            cluster.node_heartbeat(number % cluster.nodes, start + number as u64)
        })
        .await?;
        self.cost("node heartbeat", count, &before)?;
        self.unchanged(&tags, "node heartbeats").await?;
        let after = self.follower.metrics().await?.sum(DERIVED);
        Ok(derived.zip(after).map(|(before, after)| after - before))
    }

    /// The history is lost and every watch is cut: everything must be listed again.
    async fn relists(&mut self) -> anyhow::Result<()> {
        let tags = self.follower.tags(self.jobs).await?;
        let before = self.follower.usage()?;
        for _ in 0..self.scale.relists {
            self.api.clear_requests();
            self.api.compact();
            for resource in WATCHED {
                self.api.faults().watches(resource, WatchFault::Cut);
            }
            let listed = self.api.wait_for_requests(PATIENCE, |requests| {
                requests.iter().any(|request| {
                    let initial = request.query.get("sendInitialEvents");
                    let whole = initial.is_some_and(|value| value == "true");
                    request.resource == "pods" && (request.verb == Verb::List || whole)
                })
            });
            ensure!(listed.await, "the Pods were not listed again");
            self.until_quiet().await?;
        }
        self.cost("relist of everything", self.scale.relists, &before)?;
        self.unchanged(&tags, "relists").await
    }

    /// What each reading of a list costs right after a change, plain and compressed.
    async fn reads(&mut self) -> anyhow::Result<()> {
        let count = self.scale.samples.min(20);
        for (what, headers) in [
            ("list read after a change", [].as_slice()),
            (
                "list read after a change, gzip",
                &[("accept-encoding", "gzip")],
            ),
        ] {
            let before = self.follower.usage()?;
            for number in 0..count {
                let tag = self.follower.client.tag(LIST).await?;
                let change = self
                    .cluster
                    .label_change(0.into(), &format!("{what}-{number}"));
                ensure!(change.make(self.api), "Pod 0 is gone");
                let written = Instant::now();
                while self.follower.client.tag(LIST).await? == tag {
                    ensure!(written.elapsed() < PATIENCE, "a change was never served");
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                self.follower.read(LIST, headers).await?;
            }
            self.cost(what, count, &before)?;
        }
        Ok(())
    }

    /// Makes changes at a steady rate, and leaves time to take them in.
    async fn paced(
        &mut self,
        count: usize,
        per_second: u32,
        change: impl Fn(usize) -> Change,
    ) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
        for number in 0..count {
            ticks.tick().await;
            let change = change(number);
            ensure!(change.make(self.api), "nothing there for {change:?}");
        }
        tokio::time::sleep(self.scale.rest).await;
        Ok(())
    }

    async fn until_quiet(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        let mut last = self.follower.usage()?;
        let mut quiet = 0;
        while quiet < 4 {
            tokio::time::sleep(QUIET_LOOK).await;
            let now = self.follower.usage()?;
            let idle = now.cpu_since(&last) <= QUIET_CPU;
            quiet = if idle { quiet + 1 } else { 0 };
            last = now;
            ensure!(begun.elapsed() < PATIENCE, "the process never came to rest");
        }
        Ok(())
    }

    async fn unchanged(&mut self, tags: &[String], what: &str) -> anyhow::Result<()> {
        let now = self.follower.tags(self.jobs).await?;
        ensure!(now == tags, "{what} have changed a list");
        Ok(())
    }

    fn cost(&mut self, what: &str, count: usize, before: &Usage) -> anyhow::Result<()> {
        let used = self.follower.usage()?.cpu_since(before);
        self.costs.push(Cost {
            what: what.to_owned(),
            count,
            cpu_seconds: used.as_secs_f64(),
        });
        Ok(())
    }
}
