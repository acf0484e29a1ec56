//! Measures what the design promises (section 13): `make bench`.
//!
//! The host is measured as a process of its own, from `/proc`, against the stand-in API server,
//! which runs in this one. Relabeling, pipelines and plugins are measured in here, one after the
//! other. Nothing passes or fails by a time.
//!
//! ```text
//! this process: KubeApi --list, watch--> periplus (child) <--GET /sd/pods-- this process
//! ```

mod client;
mod cluster;
mod pipeline;
mod plugins;
mod process;
mod relabel;
mod report;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;

use crate::report::Report;

/// The same allocator as the host, since parts of it are measured in here.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Measures Periplus on this machine.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Number of Pods in the cluster, each of 8.6 KB
    #[arg(long, default_value_t = 10_000)]
    pods: usize,
    /// Number of targets in the pipeline
    #[arg(long, default_value_t = 100_000)]
    targets: usize,
    /// Small numbers: shows that everything runs, not how fast
    #[arg(long)]
    quick: bool,
    /// Measure only these parts
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// The host [default: beside this program]
    #[arg(long, value_name = "FILE")]
    periplus: Option<PathBuf>,
    /// The folder of the built plugins
    #[arg(
        long,
        value_name = "DIR",
        env = "PERIPLUS_PLUGINS_DIR",
        default_value = "plugins/target/wasm32-wasip2/release"
    )]
    plugins: PathBuf,
    /// Where to write the figures as JSON; the table goes to the standard output
    #[arg(long, value_name = "FILE", default_value = "target/bench.json")]
    json: PathBuf,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// The whole host against a cluster.
    Cluster,
    /// Rules on one target.
    Relabel,
    /// A job with many targets.
    Pipeline,
    /// Calls of providers and transformers.
    Plugins,
}

/// How much is done of each thing.
#[derive(Clone, Copy, Debug)]
struct Scale {
    pods: usize,
    /// Targets in the pipeline.
    targets: usize,
    /// Changes, and updates that change nothing, in the cluster.
    updates: usize,
    /// Changes whose way to the reader is timed, and changes of one group in the pipeline.
    samples: usize,
    /// Targets that are relabelled.
    relabelled: usize,
    /// Instances of a provider plugin at a time, and refreshes of each.
    instances: usize,
    refreshes: usize,
    /// Rows for a transformer plugin.
    rows: usize,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    // Fails only when a provider is there already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let scale = Scale::of(&arguments);
    let runs = |part| arguments.only.is_empty() || arguments.only.contains(&part);
    let mut report = Report::new(arguments.quick);
    // The cluster first: what the others leave behind in memory would disturb nothing of it, but
    // their runtimes would share the processors.
    if runs(Part::Cluster) {
        let periplus = host_binary(&arguments)?;
        runtime()?.block_on(cluster::measure(&periplus, scale, &mut report))?;
    }
    if runs(Part::Relabel) {
        relabel::measure(scale, &mut report)?;
    }
    if runs(Part::Pipeline) {
        runtime()?.block_on(pipeline::measure(scale, &mut report))?;
    }
    if runs(Part::Plugins) {
        runtime()?.block_on(plugins::measure(&arguments.plugins, scale, &mut report))?;
    }
    write_json(&arguments.json, &report)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{report}\nJSON: {}", arguments.json.display())?;
    Ok(())
}

// === impl Scale ===

impl Scale {
    fn of(arguments: &Arguments) -> Self {
        if arguments.quick {
            return Self {
                pods: arguments.pods.min(200),
                targets: arguments.targets.min(2_000),
                updates: 100,
                samples: 50,
                relabelled: 10_000,
                instances: 4,
                refreshes: 2,
                rows: 1_000,
            };
        }
        Self {
            pods: arguments.pods,
            targets: arguments.targets,
            updates: 2_000,
            samples: 1_000,
            relabelled: 500_000,
            instances: 32,
            refreshes: 5,
            rows: 100_000,
        }
    }
}

fn host_binary(arguments: &Arguments) -> anyhow::Result<PathBuf> {
    let path = match &arguments.periplus {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("periplus"),
    };
    let built = path.is_file();
    anyhow::ensure!(
        built,
        "no host at `{}`; build it with `cargo build --release -p periplus`, or name it with --periplus",
        path.display()
    );
    Ok(path)
}

/// A fresh runtime for each part, so that none inherits the tasks of another.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder
        .enable_all()
        .build()
        .context("failed to start a runtime")
}

fn write_json(path: &std::path::Path, report: &Report) -> anyhow::Result<()> {
    let context = || format!("failed to write `{}`", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(context)?;
    }
    let text = serde_json::to_string_pretty(report)? + "\n";
    std::fs::write(path, text).with_context(context)
}
