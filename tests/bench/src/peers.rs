//! `make bench-peers`: Prometheus and Periplus in turn on the real API server, with the phases of the
//! baseline and its way of counting.
//!
//! ```text
//!   this process --fill, then changes--> kube-apiserver --list, watch--> peer (one at a time)
//!         `-------------- /proc, /metrics, lists of targets ----------------^
//! ```
//!
//! All of it runs in a network namespace that has only `lo`. Prometheus drops every target by its first rule
//! (discovery alone, which favours it); Periplus keeps every target, and the final list of every job is
//! read from it every 15 seconds.

mod latency;
mod peer;
mod phases;
mod server;
mod table;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;
use periplus_e2e::isolate::Isolation;
use periplus_kube_api::load::Cluster;
use serde::{Deserialize, Serialize};

use crate::jobs::Jobs;
use crate::machine::Machine;
use server::Server;

pub(crate) use peer::Peer;
pub(crate) use table::{Ratio, write as table};

/// The value of `benchmark` in the JSON.
pub(crate) const NAME: &str = "peers";
/// What a step may take at most.
const PATIENCE: Duration = Duration::from_mins(5);
/// Fewest Pods that give as many probes as the baseline has.
const QUICK_PODS: usize = 400;

/// Measures Prometheus and Periplus in turn on the real API server
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Number of Pods; 50 on each node, 25 in each service on average
    #[arg(long, default_value_t = 10_000)]
    pods: usize,
    /// Which jobs
    #[arg(long, value_enum, value_delimiter = ',', default_value = "one,five")]
    jobs: Vec<Jobs>,
    /// Which programs, in this order
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "prometheus,periplus"
    )]
    peers: Vec<Peer>,
    /// Short phases and few Pods: shows that everything runs, not how fast
    #[arg(long)]
    quick: bool,
    /// Read Periplus' lists compressed, as Prometheus does
    #[arg(long)]
    gzip: bool,
    /// Folder with the binaries `apiserver` and `prometheus` (tests/e2e/build.sh makes it)
    #[arg(long, value_name = "DIR", default_value = "tests/e2e/.build")]
    build: PathBuf,
    /// The host [default: beside this program]
    #[arg(long, value_name = "FILE")]
    periplus: Option<PathBuf>,
    /// Keep configurations and logs in this folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Where to write the figures as JSON; the table goes to the standard output
    #[arg(long, value_name = "FILE", default_value = "target/bench-peers.json")]
    pub(crate) json: PathBuf,
}

/// Everything that was measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) benchmark: String,
    pub(crate) quick: bool,
    pub(crate) machine: Machine,
    pub(crate) pods: usize,
    pub(crate) nodes: usize,
    pub(crate) services: usize,
    pub(crate) slices: usize,
    /// A Pod's JSON as the API server gives it.
    pub(crate) pod_bytes: usize,
    pub(crate) fill_seconds: f64,
    /// Whether Periplus' lists were read compressed.
    pub(crate) gzip: bool,
    pub(crate) runs: Vec<Run>,
    pub(crate) latencies: Vec<Latency>,
    pub(crate) ratios: Vec<Ratio>,
    /// What could not be measured, and why.
    pub(crate) failures: Vec<String>,
}

/// One process through all phases.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) peer: Peer,
    pub(crate) jobs: Jobs,
    /// From process start until its own counters show all targets.
    pub(crate) sync_seconds: f64,
    /// The first is `sync`; the others follow in their order.
    pub(crate) phases: Vec<Phase>,
}

/// What one phase cost.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Phase {
    pub(crate) name: String,
    pub(crate) changes: usize,
    /// Of the stream of changes.
    pub(crate) seconds: f64,
    /// Of the peer, user and system, until 7 s after the last change.
    pub(crate) cpu_seconds: f64,
    pub(crate) resident_bytes: u64,
    pub(crate) peak_bytes: u64,
    pub(crate) api_server_cpu_seconds: f64,
    /// Of everything else on the machine: where it is much, the figures beside it are worth less.
    pub(crate) other_cpu_seconds: f64,
    /// Groups that the peer derived anew; none if it does not count them.
    pub(crate) derived_groups: Option<f64>,
}

/// From the API server's acknowledgement of a change until the peer's list shows it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) peer: Peer,
    pub(crate) changes: usize,
    /// Changes that never became visible.
    pub(crate) missed: usize,
    pub(crate) p50_seconds: Option<f64>,
    pub(crate) p90_seconds: Option<f64>,
    pub(crate) p99_seconds: Option<f64>,
    pub(crate) max_seconds: Option<f64>,
    /// Time between two readings; Periplus answers most of them with `304`.
    pub(crate) poll_seconds: f64,
    /// From the event read from the socket to the published snapshot, as the peer itself says: no more.
    pub(crate) own_p99_seconds: Option<f64>,
}

/// How long things take.
#[derive(Clone, Copy, Debug)]
struct Scale {
    settle: Duration,
    idle: Duration,
    labels: usize,
    pod_heartbeats: usize,
    node_heartbeats: usize,
    latency_changes: usize,
    /// After the last change of a phase: all batches of all peers have passed.
    rest: Duration,
}

/// Goes on in a network namespace of its own, where there is such a thing.
pub(crate) fn isolate() -> anyhow::Result<()> {
    if periplus_e2e::isolate::enter()? == Isolation::ProxyOnly {
        crate::progress(
            "WARNING: no network namespace to be had (unshare needs root or user namespaces); no \
             target is scraped within the time of the benchmark",
        );
    }
    Ok(())
}

/// Runs everything.
pub(crate) async fn measure(arguments: &Arguments) -> anyhow::Result<Results> {
    let programs = Programs::find(arguments)?;
    let scale = Scale::of(arguments.quick);
    let temporary = tempfile::tempdir()?;
    let kept = arguments.keep.as_deref().unwrap_or(temporary.path());
    let folder = std::path::absolute(kept)?;
    std::fs::create_dir_all(&folder)?;
    let pods = if arguments.quick {
        arguments.pods.min(QUICK_PODS)
    } else {
        arguments.pods
    };
    let cluster = Cluster::of_pods(pods);
    crate::progress("starting etcd and kube-apiserver");
    let server = Server::start(&programs.apiserver, &folder).await?;
    crate::progress(&format!("creating {pods} Pods and what belongs to them"));
    let begun = Instant::now();
    server.fill(&cluster).await?;
    let mut results = Results {
        benchmark: NAME.to_owned(),
        quick: arguments.quick,
        machine: Machine::read()?,
        pods,
        nodes: cluster.nodes,
        services: cluster.services,
        slices: (0..cluster.services)
            .map(|service| cluster.slices_of(service))
            .sum(),
        pod_bytes: server.pod_bytes(&cluster).await?,
        fill_seconds: begun.elapsed().as_secs_f64(),
        gzip: arguments.gzip,
        runs: Vec::new(),
        latencies: Vec::new(),
        ratios: Vec::new(),
        failures: Vec::new(),
    };
    let bench = phases::Bench {
        server,
        cluster,
        programs,
        folder,
        scale,
        gzip: arguments.gzip,
    };
    for jobs in &arguments.jobs {
        for peer in &arguments.peers {
            let run = bench.run(*peer, *jobs).await;
            let what = format!("{}, jobs: {}", peer.name(), jobs.name());
            crate::keep(run, &mut results.runs, what, &mut results.failures);
        }
    }
    for peer in &arguments.peers {
        let latency = bench.latency(*peer).await;
        let what = format!("{}: change to visible", peer.name());
        crate::keep(latency, &mut results.latencies, what, &mut results.failures);
    }
    results.ratios = table::ratios(&results);
    Ok(results)
}

/// The programs that take part.
#[derive(Debug)]
struct Programs {
    apiserver: PathBuf,
    prometheus: PathBuf,
    periplus: PathBuf,
}

// === impl Programs ===

impl Programs {
    fn find(arguments: &Arguments) -> anyhow::Result<Self> {
        Ok(Self {
            apiserver: built(&arguments.build, "apiserver")?,
            prometheus: built(&arguments.build, "prometheus")?,
            periplus: std::path::absolute(crate::host_binary(arguments.periplus.as_deref())?)?,
        })
    }
}

fn built(folder: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let path = folder.join(name);
    ensure!(
        path.is_file(),
        "`{}` is missing: `tests/e2e/build.sh` builds it (needs Go 1.26)",
        path.display()
    );
    Ok(std::path::absolute(path)?)
}

// === impl Scale ===

impl Scale {
    fn of(quick: bool) -> Self {
        if quick {
            return Self {
                settle: Duration::from_secs(1),
                idle: Duration::from_secs(1),
                labels: 20,
                pod_heartbeats: 50,
                node_heartbeats: 20,
                latency_changes: 40,
                rest: Duration::from_secs(1),
            };
        }
        Self {
            settle: Duration::from_secs(15),
            idle: Duration::from_secs(30),
            labels: 1_200,
            pod_heartbeats: 6_000,
            node_heartbeats: 600,
            latency_changes: 1_200,
            rest: Duration::from_secs(7),
        }
    }
}
