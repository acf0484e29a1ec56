//! `periplus-e2e`: the differential test on real parts.

mod args;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use self::args::{Arguments, Command, Common};
use anyhow::{Context, bail, ensure};
use clap::Parser;
use futures::stream::{self, StreamExt};
use periplus_e2e::forgive::{Fired, Forgiveness};
use periplus_e2e::isolate::{self, Isolation};
use periplus_e2e::proxy::Mischief;
use periplus_e2e::runner::{self, Setup};
use periplus_e2e::script::Script;
use periplus_e2e::{collectors, fronts, generate, rbac, rehearse, say, selftest, steps};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Command::Script {
        role,
        seed,
        changes,
    } = &arguments.command
    {
        return print_script(role, *seed, *changes);
    }
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

fn print_script(role: &str, seed: u64, changes: usize) -> ExitCode {
    match generate::script(role, seed, changes) {
        Ok(script) => {
            say(script.trim_end());
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&format!("periplus-e2e: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run_fronts(common: &Common, changes: usize) -> anyhow::Result<bool> {
    in_directory(common, async |setup| {
        fronts::run(&setup, changes).await?;
        Ok(true)
    })
    .await
}

async fn run_steps(common: &Common, cases: &Path, nth: usize) -> anyhow::Result<bool> {
    // Before the working directory is another.
    let cases = cases.canonicalize();
    let cases = cases.context("the recorded rule lists")?;
    in_directory(common, async |setup| {
        steps::run(&setup, &cases, nth).await?;
        Ok(true)
    })
    .await
}

async fn run(arguments: Arguments) -> anyhow::Result<bool> {
    // Fails only if somebody else has installed one, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match arguments.command {
        Command::Run {
            common,
            scripts,
            all_differences,
        } => {
            let scripts = read_scripts(&scripts)?;
            in_directory(&common, async |setup| {
                let (passed, fired) = run_scripts(&scripts, &setup, &common).await;
                say_fired(&fired);
                let idle: Vec<&String> = fired
                    .iter()
                    .filter(|(_, times)| **times == 0)
                    .map(|(name, _)| name)
                    .collect();
                if passed && all_differences && !idle.is_empty() {
                    bail!("no script brings about these accepted differences: {idle:?}");
                }
                Ok(passed)
            })
            .await
        }
        Command::Script { .. } => bail!("a script needs no other parts"),
        Command::Rehearse {
            build,
            with_prometheus,
            differences,
            parallel,
            scripts,
        } => {
            let directory = tempfile::tempdir()?;
            let forgiveness = Forgiveness::read(&differences)?;
            let prometheus = binary(&build.join("prometheus"), "tests/e2e/build.sh");
            let setup = rehearse::Setup {
                apiserver: binary(&build.join("apiserver"), "tests/e2e/build.sh")?,
                prometheus: if with_prometheus {
                    Some((prometheus?, forgiveness.between_equals()))
                } else {
                    None
                },
                directory: directory.path().to_owned(),
            };
            rehearse_scripts(&read_scripts(&scripts)?, &setup, parallel).await
        }
        Command::Rbac { common } => {
            in_directory(&common, async |setup| {
                let failed = rbac::run_all(&setup, 2 * common.parallel).await?;
                for line in &failed {
                    say(&format!("\n{line}"));
                }
                Ok(failed.is_empty())
            })
            .await
        }
        Command::Collectors {
            periplus,
            build,
            keep,
        } => run_collectors(&periplus, &build, keep).await,
        Command::Fronts { common, changes } => run_fronts(&common, changes).await,
        Command::Steps { common, cases, nth } => run_steps(&common, &cases, nth).await,
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

async fn run_collectors(
    periplus: &Path,
    build: &Path,
    keep: Option<PathBuf>,
) -> anyhow::Result<bool> {
    let temporary = tempfile::tempdir()?;
    let directory = keep.clone().unwrap_or_else(|| temporary.path().to_owned());
    let setup = collectors::Setup {
        periplus: binary(periplus, "make build")?,
        collector: binary(&build.join("collector"), "tests/e2e/build.sh collector")?,
        directory: std::path::absolute(&directory)?,
    };
    let outcome = collectors::run(&setup).await;
    if outcome.is_err() && keep.is_none() {
        let kept = temporary.keep();
        say(&format!("configurations and logs: {}", kept.display()));
    }
    outcome.map(|()| true)
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
        forgiveness: Forgiveness::read(&common.differences)?,
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

async fn run_scripts(scripts: &[Script], setup: &Setup, common: &Common) -> (bool, Fired) {
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
                Some(report.fired)
            }
            Err(error) => {
                say(&format!("FAILED  {error:#}"));
                None
            }
        }
    });
    let outcomes: Vec<Option<Fired>> = runs
        .buffer_unordered(common.parallel.max(1))
        .collect()
        .await;
    let passed = outcomes.iter().filter(|outcome| outcome.is_some()).count();
    say(&format!(
        "{passed} passed, {} failed",
        outcomes.len() - passed
    ));
    let mut fired = setup.forgiveness.names();
    for one in outcomes.iter().flatten() {
        add(&mut fired, one);
    }
    (passed == outcomes.len(), fired)
}

async fn rehearse_scripts(
    scripts: &[Script],
    setup: &rehearse::Setup,
    parallel: usize,
) -> anyhow::Result<bool> {
    let runs = stream::iter(scripts).map(|script| async {
        match rehearse::run(script, setup).await {
            Ok(report) => {
                say(&format!(
                    "ok      {}: {} changes",
                    script.name, report.changes
                ));
                Some(report.fired)
            }
            Err(error) => {
                say(&format!("FAILED  {error:#}"));
                None
            }
        }
    });
    let outcomes: Vec<Option<Fired>> = runs.buffer_unordered(parallel.max(1)).collect().await;
    let mut fired = Fired::new();
    for one in outcomes.iter().flatten() {
        add(&mut fired, one);
    }
    if setup.prometheus.is_some() {
        say_fired(&fired);
    }
    Ok(outcomes.iter().all(Option::is_some))
}

fn add(all: &mut Fired, more: &Fired) {
    for (name, times) in more {
        *all.entry(name.clone()).or_default() += times;
    }
}

fn say_fired(fired: &Fired) {
    for (name, times) in fired {
        say(&format!("accepted {times:6} times: {name}"));
    }
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
