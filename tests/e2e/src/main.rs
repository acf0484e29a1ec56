//! `periplus-e2e`: the differential test on real parts.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use clap::{Args, Parser, Subcommand};
use futures::stream::{self, StreamExt};
use periplus_e2e::isolate::{self, Isolation};
use periplus_e2e::proxy::Mischief;
use periplus_e2e::runner::{self, Setup};
use periplus_e2e::script::Script;
use periplus_e2e::{say, selftest};

/// Compares what Prometheus discovers by itself with what it discovers through Periplus.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every script of a folder
    Run {
        #[command(flatten)]
        common: Common,
        /// Folder of scripts (`*.yaml`, `*.yml`), or one script
        #[arg(long)]
        scripts: PathBuf,
    },
    /// Prove that a Periplus that drops labels, freezes or delays is noticed
    Selftest {
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Args, Debug)]
struct Common {
    /// The binary of Periplus
    #[arg(long)]
    periplus: PathBuf,
    /// Folder with the binaries `apiserver` and `prometheus`
    #[arg(long)]
    build: PathBuf,
    /// How many scripts run at once
    #[arg(long, default_value_t = 3)]
    parallel: usize,
    /// Keep configurations and logs in this folder
    #[arg(long)]
    keep: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = isolate::enter().and_then(|isolation| {
        if isolation == Isolation::ProxyOnly {
            say(
                "WARNING: no network namespace to be had (unshare needs root or user namespaces); \
                 scrapes are sent to a proxy on loopback that refuses them",
            );
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        runtime.block_on(run(arguments))
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("periplus-e2e: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<bool> {
    // Fails only if somebody else has installed one, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match arguments.command {
        Command::Run { common, scripts } => {
            let scripts = read_scripts(&scripts)?;
            in_directory(&common, async |setup| {
                run_scripts(&scripts, &setup, &common).await
            })
            .await
        }
        Command::Selftest { common } => {
            in_directory(&common, async |setup| {
                let failed = selftest::run_all(&setup, common.parallel).await?;
                for line in &failed {
                    say(&format!("\n{line}"));
                }
                Ok(failed.is_empty())
            })
            .await
        }
    }
}

/// Gives the work a directory, and keeps it if something failed.
async fn in_directory(
    common: &Common,
    work: impl AsyncFnOnce(Setup) -> anyhow::Result<bool>,
) -> anyhow::Result<bool> {
    let temporary = tempfile::tempdir()?;
    let directory = common
        .keep
        .clone()
        .unwrap_or_else(|| temporary.path().to_owned());
    let setup = Setup {
        periplus: binary(&common.periplus, "make build")?,
        apiserver: binary(&common.build.join("apiserver"), "tests/e2e/build.sh")?,
        prometheus: binary(&common.build.join("prometheus"), "tests/e2e/build.sh")?,
        directory: std::path::absolute(&directory)?,
        mischief: Mischief::None,
    };
    let passed = work(setup).await?;
    if !passed && common.keep.is_none() {
        say(&format!(
            "configurations and logs: {}",
            temporary.keep().display()
        ));
    }
    Ok(passed)
}

async fn run_scripts(scripts: &[Script], setup: &Setup, common: &Common) -> anyhow::Result<bool> {
    let runs = stream::iter(scripts.iter().cloned()).map(|script| async move {
        let name = script.name.clone();
        match runner::run(script, setup).await {
            Ok(report) => {
                say(&format!(
                    "ok      {name}: {} steps, {} comparisons, {} lists read between them, {:.0} s",
                    report.steps,
                    report.comparisons,
                    report.lists,
                    report.took.as_secs_f64()
                ));
                true
            }
            Err(error) => {
                say(&format!("FAILED  {error:#}"));
                false
            }
        }
    });
    let outcomes: Vec<bool> = runs
        .buffer_unordered(common.parallel.max(1))
        .collect()
        .await;
    let failed = outcomes.iter().filter(|passed| !**passed).count();
    say(&format!(
        "{} passed, {failed} failed",
        outcomes.len() - failed
    ));
    Ok(failed == 0)
}

fn read_scripts(path: &Path) -> anyhow::Result<Vec<Script>> {
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        files = std::fs::read_dir(path)?
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<_>>()?;
        files.retain(|f| f.extension().is_some_and(|e| e == "yaml" || e == "yml"));
        files.sort();
    }
    if files.is_empty() {
        bail!("there are no scripts in `{}`", path.display());
    }
    files.iter().map(|file| Script::read(file)).collect()
}

fn binary(path: &Path, built_by: &str) -> anyhow::Result<PathBuf> {
    ensure!(
        path.is_file(),
        "`{}` is missing: {built_by} builds it",
        path.display()
    );
    std::path::absolute(path).context("no current directory")
}
