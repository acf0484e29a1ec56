//! A host that is killed, a disk that is full, sources that are down: `make crashes`.
//!
//! The binary follows an API server, a server of lists and a file, and is killed and started again at
//! moments that a seed decides, while its sources come and go and its disk fills up. A reader reads
//! every list all the time. Whatever is answered must be whole: no list may lack a target that was there
//! throughout, and none may have one that never was. At the end, with everything up again, each job
//! must have exactly its targets, and none of them from disk.

#[path = "crashes/disk.rs"]
mod disk;
#[path = "crashes/process.rs"]
mod process;
#[path = "crashes/reader.rs"]
mod reader;
#[path = "crashes/sources.rs"]
mod sources;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Parser;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::{Instant, sleep};

use crate::disk::Disk;
use crate::process::{Host, Running};
use crate::reader::Reader;
use crate::sources::{JOBS, Sources};

/// Kills Periplus and what it depends on, and reads what it serves.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// How long things go wrong, in seconds; then they have to come right
    #[arg(long, default_value_t = 300)]
    seconds: u64,
    /// Decides what happens, and when
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The host
    #[arg(long, value_name = "FILE", default_value = "target/debug/periplus")]
    periplus: PathBuf,
    /// Prints a line for each thing that happens
    #[arg(long)]
    loud: bool,
}

/// What can happen.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Kill,
    Stop,
    ServerDown,
    ServerUp,
    ListsDown,
    ListsUp,
    DiskFull,
    DiskFree,
    Churn,
    Reload,
    Damage,
}

const HAPPENINGS: [(Happening, u32); 11] = [
    (Happening::Kill, 4),
    (Happening::Stop, 3),
    (Happening::ServerDown, 2),
    (Happening::ServerUp, 2),
    (Happening::ListsDown, 2),
    (Happening::ListsUp, 2),
    (Happening::DiskFull, 1),
    (Happening::DiskFree, 2),
    (Happening::Churn, 6),
    (Happening::Reload, 1),
    (Happening::Damage, 1),
];
/// Between two things that happen, in milliseconds.
const PAUSE: std::ops::Range<u64> = 100..2500;
/// What the end may take.
const PATIENCE: Duration = Duration::from_mins(2);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir().context("failed to make a folder")?;
    let disk = Disk::mount(&folder.path().join("state"))?;
    if !disk.can_fill() {
        say(
            "SKIPPED: no file system of its own could be mounted (not root?), so the disk is never full",
        )?;
    }
    let mut sources = Sources::start(folder.path()).await?;
    let host = Host::new(&arguments.periplus, sources.config(), disk.path());
    let mut running = host.start().await?;
    running.until_whole(&sources).await?;
    let reader = Reader::begin(running.address(), sources.steady(), sources.ever());
    let mut random = StdRng::seed_from_u64(arguments.seed);
    let mut counts = std::collections::BTreeMap::new();
    let until = Instant::now() + Duration::from_secs(arguments.seconds);
    while Instant::now() < until {
        sleep(Duration::from_millis(random.random_range(PAUSE))).await;
        let what = pick(&mut random);
        *counts.entry(format!("{what:?}")).or_insert(0_u32) += 1;
        if arguments.loud {
            say(&format!("{what:?}"))?;
        }
        running = happen(
            what,
            running,
            &host,
            &mut sources,
            &disk,
            &reader,
            &mut random,
        )
        .await?;
    }
    sources.all_up()?;
    disk.free()?;
    let settled = tokio::time::timeout(PATIENCE, running.until_whole(&sources)).await;
    let verdict = reader.end();
    let counts: Vec<String> = counts
        .iter()
        .map(|(what, count)| format!("{what} {count}"))
        .collect();
    say(&format!("seed {}: {}", arguments.seed, counts.join(", ")))?;
    say(&verdict.to_string())?;
    settled.with_context(|| format!("not right after {PATIENCE:?}: {}", running.log()))??;
    ensure!(
        verdict.is_good(),
        "lists were wrong; again with --seed {}:\n{}",
        arguments.seed,
        verdict.wrong.join("\n")
    );
    Ok(())
}

fn pick(random: &mut StdRng) -> Happening {
    let all: u32 = HAPPENINGS.iter().map(|(_, weight)| weight).sum();
    let mut at = random.random_range(0..all);
    for (what, weight) in HAPPENINGS {
        if at < weight {
            return what;
        }
        at -= weight;
    }
    Happening::Churn
}

async fn happen(
    what: Happening,
    running: Running,
    host: &Host,
    sources: &mut Sources,
    disk: &Disk,
    reader: &Reader,
    random: &mut StdRng,
) -> anyhow::Result<Running> {
    match what {
        Happening::Kill => return again(running.kill().await, host, reader).await,
        Happening::Stop => return again(running.stop().await, host, reader).await,
        Happening::ServerDown => sources.server_down().await,
        Happening::ServerUp => sources.server_up()?,
        Happening::ListsDown => sources.lists_down(),
        Happening::ListsUp => sources.lists_up(),
        Happening::DiskFull => disk.fill()?,
        Happening::DiskFree => disk.free()?,
        Happening::Churn => sources.churn(random),
        Happening::Reload => running.reload()?,
        Happening::Damage => {
            let ended = running.kill().await;
            disk.damage(random)?;
            return again(ended, host, reader).await;
        }
    }
    Ok(running)
}

async fn again(ended: anyhow::Result<()>, host: &Host, reader: &Reader) -> anyhow::Result<Running> {
    ended?;
    let running = host.start().await?;
    reader.follow(running.address());
    Ok(running)
}

fn say(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("failed to print")
}

/// The jobs that are read, as their paths.
fn paths() -> impl Iterator<Item = (&'static str, String)> {
    JOBS.iter().map(|job| (*job, format!("/sd/{job}")))
}
