//! Every fault that an API server can have, under churn: `make faults`.
//!
//! An API server stand-in goes wrong in every way that it knows, at moments that a seed decides,
//! while its objects change. Discovery follows it through several jobs, once with one configuration
//! and once with two that take turns, so that watches widen and narrow meanwhile. Two things must
//! hold: at the end each job has exactly what a fresh start finds, and no version that was
//! published on the way lacks a target whose object existed all the time.

mod host;
mod jobs;
mod verdict;
mod witness;

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Parser;
use periplus_kube_api::chaos::{Chaos, ChaosOptions, Journal};
use periplus_kube_api::{KubeApi, Options};

use crate::host::Host;
use crate::verdict::Verdict;
use crate::witness::Witness;

/// Follows a stand-in API server through every fault, and checks what was published.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// How long it goes wrong, in seconds; then it has to come right
    #[arg(long, default_value_t = 300)]
    seconds: u64,
    /// Decides what happens, and when
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Over plain HTTP/1.1
    #[arg(long)]
    plain: bool,
    /// Prints a line for each fault while it happens
    #[arg(long)]
    loud: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Everybody complains while everything fails: RUST_LOG=warn shows it.
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::builder()
                .with_default_directive(tracing_subscriber::filter::LevelFilter::ERROR.into())
                .from_env_lossy(),
        )
        .with_writer(std::io::stderr)
        .init();
    // Fails only when a provider is there already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    run(&Arguments::parse()).await
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    // Over TLS HTTP/2 is spoken, whose pings find dead connections within a minute; without it
    // silence has to tell, which takes longer.
    let options = Options {
        tls: !arguments.plain,
        ..Chaos::server()
    };
    let mut api = KubeApi::start(options)
        .await
        .context("failed to start the stand-in API server")?;
    let options = ChaosOptions {
        loud: arguments.loud,
        ..ChaosOptions::default()
    };
    let chaos = Chaos::new(arguments.seed, options);
    chaos.fill(&api);
    let folder = tempfile::tempdir().context("failed to make a folder")?;
    let configs = jobs::write(folder.path(), &api).context("failed to write configurations")?;
    let steady = Host::start(&configs.all).await?;
    let changing = Host::start(&configs.few).await?;
    let witnesses = [("steady", &steady), ("changing", &changing)].map(|(name, host)| {
        let witnesses: Vec<Witness> = host.jobs().iter().map(Witness::begin).collect();
        (name, witnesses)
    });

    let duration = Duration::from_secs(arguments.seconds);
    let journal = tokio::select! {
        journal = chaos.run(&mut api, duration) => journal,
        error = changing.alternate(&configs) => return Err(error),
    };
    let journal = journal.context("the stand-in API server broke down")?;
    changing.apply(&configs.few).await?;
    say(&summary(&journal))?;
    let mut settled = verdict::settle("steady", &configs.all, &steady).await;
    if settled.is_ok() {
        settled = verdict::settle("changing", &configs.few, &changing).await;
    }
    let mut verdict = Verdict::default();
    for (name, witnesses) in witnesses {
        for witness in witnesses {
            verdict.hear(name, witness.end(), &journal);
        }
    }
    say(&verdict.to_string())?;
    settled?;
    ensure!(
        verdict.is_good(),
        "targets were missing whose objects existed all the time; again with --seed {}",
        arguments.seed
    );
    Ok(())
}

fn summary(journal: &Journal) -> String {
    let faults = journal
        .counts()
        .iter()
        .map(|(what, count)| format!("{what:?} {count}"))
        .collect::<Vec<_>>();
    format!(
        "seed {}: {} changes of objects, {} faults ({})",
        journal.seed,
        journal.changes,
        journal.disruptions.len(),
        faults.join(", ")
    )
}

fn say(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("failed to print")
}
