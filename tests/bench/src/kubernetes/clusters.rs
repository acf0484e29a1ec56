//! Many clusters and one process: as they all live, and again with some of them dead.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use hyper::StatusCode;
use periplus_kube_api::load::Cluster;
use periplus_kube_api::{Fault, KubeApi, Options, Rule};

use super::{ClustersRun, Results, Scale};
use crate::follower::{Follower, PATIENCE};
use crate::report::quantile;

const PODS_EACH: usize = 300;
/// Within this time after all living clusters are known their targets must be served.
const UNTIL_SERVED: Duration = Duration::from_secs(30);
const JOB: &str = "pods";
const LIST: &str = "/sd/pods";
const POLL: Duration = Duration::from_millis(50);

/// Starts all servers, then a process with all of them alive, then one with some dead, if any are to be.
pub(super) async fn measure(
    binary: &Path,
    count: usize,
    dead: usize,
    scale: Scale,
    results: &mut Results,
) -> anyhow::Result<()> {
    crate::progress(&format!("filling {count} clusters"));
    let mut apis = Vec::with_capacity(count);
    for number in 0..count {
        let api = KubeApi::start(Options::default()).await?;
        cluster(number).fill(&api);
        apis.push(api);
    }
    let rounds: &[usize] = if dead == 0 { &[0] } else { &[0, dead] };
    for &dead in rounds {
        let what = format!("{count} clusters, {dead} of them dead");
        crate::progress(&what);
        // The last ones die: half of them refuse connections, half accept them and never answer.
        for (number, api) in apis.iter_mut().rev().take(dead).enumerate() {
            if number.is_multiple_of(2) {
                api.pause().await;
            } else {
                api.faults().add(Rule::new(Fault::Hang));
            }
        }
        let run = run(binary, &apis, dead, scale).await;
        crate::keep(run, &mut results.clusters, what, &mut results.failures);
    }
    Ok(())
}

fn cluster(number: usize) -> Cluster {
    Cluster {
        namespaces: 6,
        seed: number as u64,
        ..Cluster::of_pods(PODS_EACH)
    }
}

async fn run(
    binary: &Path,
    apis: &[KubeApi],
    dead: usize,
    scale: Scale,
) -> anyhow::Result<ClustersRun> {
    let folder = tempfile::tempdir()?;
    let kubeconfigs = folder.path().join("clusters");
    std::fs::create_dir(&kubeconfigs)?;
    for (number, api) in apis.iter().enumerate() {
        let file = kubeconfigs.join(format!("cluster-{number:03}.yaml"));
        std::fs::write(file, api.kubeconfig())?;
    }
    let mut follower = Follower::start(binary, &config(&kubeconfigs), folder.path()).await?;
    let expected = (apis.len() - dead) * PODS_EACH * 2;
    while follower.metrics().await?.discovered(JOB) < expected {
        follower.patience(&format!("{expected} targets of all living clusters"))?;
        tokio::time::sleep(POLL).await;
    }
    let took = follower.started.elapsed();
    tokio::time::sleep(scale.settle).await;
    let settled = follower.usage()?;
    // Dead clusters are waited for a little at the start.
    let waited = Instant::now();
    let mut served = false;
    while !served && waited.elapsed() < UNTIL_SERVED {
        tokio::time::sleep(POLL).await;
        served = follower.client.get(LIST, &[]).await?.status == StatusCode::OK;
    }
    let idle = follower.usage()?;
    tokio::time::sleep(scale.settle).await;
    let idle_cpu = follower.usage()?.cpu_since(&idle).as_secs_f64();
    // Without a list there is nothing to see changes by.
    let mut times = None;
    if served {
        times = Some(visible(&mut follower, &apis[0], scale).await?);
    }
    let at = |share| times.as_ref().map(|times| quantile(times, share));
    Ok(ClustersRun {
        clusters: apis.len(),
        dead,
        pods_each: PODS_EACH,
        sync_seconds: took.as_secs_f64(),
        sync_cpu_seconds: settled.cpu.as_secs_f64(),
        resident_bytes: settled.resident,
        peak_bytes: settled.peak,
        served,
        idle_percent: 100.0 * idle_cpu / scale.settle.as_secs_f64(),
        visible_p50_seconds: at(0.5),
        visible_p99_seconds: at(0.99),
    })
}

fn config(kubeconfigs: &Path) -> String {
    format!(
        "clusters:
  - kubeconfig_dir: {}
scrape_configs:
  - job_name: {JOB}
    kubernetes_sd_configs:
      - {{role: pod, clusters: [\"*\"]}}
    relabel_configs:
      - {{action: labelmap, regex: __meta_kubernetes_pod_label_(.+)}}
      - {{source_labels: [__meta_kubernetes_cluster], target_label: cluster}}
      - {{source_labels: [__meta_kubernetes_namespace], target_label: namespace}}
      - {{source_labels: [__meta_kubernetes_pod_name], target_label: pod}}
",
        kubeconfigs.display()
    )
}

/// Times from a change in a living cluster to a list that shows it, in order.
async fn visible(
    follower: &mut Follower,
    api: &KubeApi,
    scale: Scale,
) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(scale.samples);
    // A value that no round before has used: writing what is there already changes nothing.
    let start = api.version();
    for number in 0..scale.samples {
        let before = follower.client.tag(LIST).await?;
        let value = format!("l{start}-{number}");
        let change = cluster(0).label_change((number % PODS_EACH).into(), &value);
        ensure!(change.make(api), "a Pod is gone");
        let written = Instant::now();
        while follower.client.tag(LIST).await? == before {
            ensure!(written.elapsed() < PATIENCE, "a change was never served");
        }
        times.push(written.elapsed());
    }
    times.sort_unstable();
    Ok(times)
}
