//! Measures what the design promises (section 13): `make bench`.
//!
//! The host is measured as a process of its own, from `/proc`, against the stand-in API server,
//! which runs in this one. Relabeling, pipelines and plugins are measured in here, one after the
//! other. Nothing passes or fails by a time.
//!
//! ```text
//! this process: KubeApi --list, watch--> periplus (child) <--GET /sd/pods-- this process
//! ```
//!
//! The subcommands `kubernetes` and `peers` measure Kubernetes discovery alone, at full size and beside
//! Prometheus; `page` makes the page of their results.

mod client;
mod cluster;
mod follower;
mod jobs;
mod kubernetes;
mod machine;
mod metrics;
mod page;
mod peers;
mod pipeline;
mod plugins;
mod process;
mod relabel;
mod report;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Parser, Subcommand};
use serde::Serialize;

use crate::report::Report;

/// The same allocator as the host, since parts of it are measured in here.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Measures Periplus on this machine.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    benchmark: Option<Benchmark>,
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

/// Benchmarks that are runs of their own.
#[derive(Debug, Subcommand)]
enum Benchmark {
    Kubernetes(kubernetes::Arguments),
    Peers(peers::Arguments),
    Page(page::Arguments),
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
    match &arguments.benchmark {
        Some(Benchmark::Kubernetes(arguments)) => {
            let results = runtime()?.block_on(kubernetes::measure(arguments))?;
            finish(&arguments.json, &results, &kubernetes::table(&results)?)?;
            return complete(&results.failures);
        }
        Some(Benchmark::Peers(arguments)) => {
            peers::isolate()?;
            let results = runtime()?.block_on(peers::measure(arguments))?;
            finish(&arguments.json, &results, &peers::table(&results)?)?;
            return complete(&results.failures);
        }
        Some(Benchmark::Page(arguments)) => return page::write(arguments),
        None => {}
    }
    let scale = Scale::of(&arguments);
    let runs = |part| arguments.only.is_empty() || arguments.only.contains(&part);
    let mut report = Report::new(arguments.quick);
    // The cluster first: what the others leave behind in memory would disturb nothing of it, but
    // their runtimes would share the processors.
    if runs(Part::Cluster) {
        let periplus = host_binary(arguments.periplus.as_deref())?;
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
    finish(&arguments.json, &report, &report.to_string())
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

/// The host as named, else beside this program.
fn host_binary(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    let path = match named {
        Some(path) => path.to_owned(),
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

/// Says what is being done, to whoever waits for minutes.
fn progress(line: &str) {
    // With nobody listening there is nothing to say.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Keeps a result, or else why there is none: one part that fails must not cost what the others measured.
fn keep<T>(
    result: anyhow::Result<T>,
    results: &mut Vec<T>,
    what: String,
    failures: &mut Vec<String>,
) {
    match result {
        Ok(result) => results.push(result),
        Err(error) => {
            let failure = format!("{what}: {error:#}");
            progress(&format!("FAILED  {failure}"));
            failures.push(failure);
        }
    }
}

/// Fails if anything could not be measured.
fn complete(failures: &[String]) -> anyhow::Result<()> {
    anyhow::ensure!(
        failures.is_empty(),
        "not everything was measured:\n{}",
        failures.join("\n")
    );
    Ok(())
}

/// Writes the figures as JSON, and then the table for people.
fn finish(json: &Path, figures: &impl Serialize, table: &str) -> anyhow::Result<()> {
    let context = || format!("failed to write `{}`", json.display());
    if let Some(folder) = json.parent() {
        std::fs::create_dir_all(folder).with_context(context)?;
    }
    let text = serde_json::to_string_pretty(figures)? + "\n";
    std::fs::write(json, text).with_context(context)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{table}\nJSON: {}", json.display())?;
    Ok(())
}
