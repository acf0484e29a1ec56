//! `make bench-kubernetes`: Periplus alone against stand-ins of the API server, up to 100,000 Pods.
//!
//! Stand-ins run in this process, Periplus in one of its own, whose CPU and memory are read from `/proc`: so
//! what the stand-in costs is never counted.

mod clusters;
mod run;
mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use periplus_kube_api::load::Cluster;
use periplus_kube_api::{KubeApi, Options};
use serde::{Deserialize, Serialize};

use crate::jobs::Jobs;
use crate::machine::Machine;

pub(crate) use table::{slope, write as table};

/// The value of `benchmark` in the JSON.
pub(crate) const NAME: &str = "kubernetes";

/// Measures Periplus against stand-ins of the API server
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Numbers of Pods
    #[arg(long, value_delimiter = ',', default_value = "10000,100000")]
    sizes: Vec<usize>,
    /// Which jobs
    #[arg(long, value_enum, value_delimiter = ',', default_value = "one,five")]
    jobs: Vec<Jobs>,
    /// Number of clusters of 300 Pods; 0 leaves this part out
    #[arg(long, default_value_t = 300)]
    clusters: usize,
    /// How many of these are dead in a second round; 0 leaves it out
    #[arg(long, default_value_t = 10)]
    dead: usize,
    /// Small numbers: shows that everything runs, not how fast
    #[arg(long)]
    quick: bool,
    /// The host [default: beside this program]
    #[arg(long, value_name = "FILE")]
    periplus: Option<PathBuf>,
    /// Where to write the figures as JSON; the table goes to the standard output
    #[arg(
        long,
        value_name = "FILE",
        default_value = "target/bench-kubernetes.json"
    )]
    pub(crate) json: PathBuf,
}

/// Everything that was measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) benchmark: String,
    pub(crate) quick: bool,
    pub(crate) machine: Machine,
    pub(crate) runs: Vec<Run>,
    pub(crate) clusters: Vec<ClustersRun>,
    /// What could not be measured, and why.
    pub(crate) failures: Vec<String>,
}

/// One process against one cluster.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) jobs: Jobs,
    pub(crate) pods: usize,
    pub(crate) nodes: usize,
    pub(crate) services: usize,
    /// Of all jobs together.
    pub(crate) targets: usize,
    pub(crate) sync_seconds: f64,
    /// Until memory has settled.
    pub(crate) sync_cpu_seconds: f64,
    pub(crate) resident_bytes: u64,
    pub(crate) peak_bytes: u64,
    /// After the final list of every job has been read once.
    pub(crate) resident_with_lists_bytes: u64,
    pub(crate) lists_bytes: usize,
    pub(crate) costs: Vec<Cost>,
    /// Groups derived anew by node heartbeats; none if the host does not count them.
    pub(crate) rederived: Option<f64>,
}

/// What many changes of one kind cost.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub(crate) what: String,
    pub(crate) count: usize,
    pub(crate) cpu_seconds: f64,
}

/// One process against many clusters.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ClustersRun {
    pub(crate) clusters: usize,
    pub(crate) dead: usize,
    pub(crate) pods_each: usize,
    /// Until the targets of every living cluster are discovered.
    pub(crate) sync_seconds: f64,
    pub(crate) sync_cpu_seconds: f64,
    pub(crate) resident_bytes: u64,
    pub(crate) peak_bytes: u64,
    /// Whether the list of the job, which selects all clusters, is served.
    pub(crate) served: bool,
    /// Percent of a core while nothing happens.
    pub(crate) idle_percent: f64,
    /// From a change in a living cluster to a list that shows it; none if there is no list.
    pub(crate) visible_p50_seconds: Option<f64>,
    pub(crate) visible_p99_seconds: Option<f64>,
}

/// How much is done of each thing.
#[derive(Clone, Copy, Debug)]
struct Scale {
    /// Label changes, and Pod heartbeats.
    updates: usize,
    node_changes: usize,
    node_heartbeats: usize,
    relists: usize,
    /// Changes one after the other, whose way to the reader is timed.
    samples: usize,
    /// For memory to settle after the first sync, as in the baseline.
    settle: Duration,
    /// For changes to be taken in, as in the baseline.
    rest: Duration,
}

/// Runs everything.
pub(crate) async fn measure(arguments: &Arguments) -> anyhow::Result<Results> {
    let binary = crate::host_binary(arguments.periplus.as_deref())?;
    let scale = Scale::of(arguments.quick);
    let mut results = Results {
        benchmark: NAME.to_owned(),
        quick: arguments.quick,
        machine: Machine::read()?,
        runs: Vec::new(),
        clusters: Vec::new(),
        failures: Vec::new(),
    };
    for size in &arguments.sizes {
        size_runs(&binary, *size, arguments, scale, &mut results).await?;
    }
    if arguments.clusters > 0 {
        let (clusters, dead) = if arguments.quick {
            (arguments.clusters.min(6), arguments.dead.min(2))
        } else {
            (arguments.clusters, arguments.dead)
        };
        clusters::measure(&binary, clusters, dead, scale, &mut results).await?;
    }
    Ok(results)
}

/// All jobs against a cluster of one size.
async fn size_runs(
    binary: &Path,
    size: usize,
    arguments: &Arguments,
    scale: Scale,
    results: &mut Results,
) -> anyhow::Result<()> {
    // Nodes and services are as many in all sizes, so that the difference is that of the Pods.
    let cluster = if arguments.quick {
        Cluster::of_pods(size.min(400))
    } else {
        Cluster {
            nodes: 1_000,
            services: 500,
            ..Cluster::of_pods(size)
        }
    };
    let api = KubeApi::start(Options::default()).await?;
    crate::progress(&format!("filling a stand-in with {} Pods", cluster.pods));
    cluster.fill(&api);
    for jobs in &arguments.jobs {
        let what = format!("{} Pods, jobs: {}", cluster.pods, jobs.name());
        crate::progress(&what);
        let run = run::measure(binary, &api, cluster, *jobs, scale).await;
        crate::keep(run, &mut results.runs, what, &mut results.failures);
    }
    Ok(())
}

// === impl Scale ===

impl Scale {
    fn of(quick: bool) -> Self {
        if quick {
            return Self {
                updates: 40,
                node_changes: 4,
                node_heartbeats: 20,
                relists: 1,
                samples: 10,
                settle: Duration::from_millis(500),
                rest: Duration::from_millis(500),
            };
        }
        Self {
            updates: 2_000,
            node_changes: 100,
            node_heartbeats: 1_000,
            relists: 3,
            samples: 300,
            settle: Duration::from_secs(15),
            rest: Duration::from_secs(3),
        }
    }
}
