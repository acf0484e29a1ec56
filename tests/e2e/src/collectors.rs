//! Real OpenTelemetry collectors before Periplus: what they scrape while they come and go.
//!
//! Nothing is believed but the scrapes: targets on loopback note who asked, and when. A target must
//! never go unscraped for long, and never be scraped by two for longer than the deadline says.

mod scraped;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use self::scraped::{COLLECTOR, Owners, PATH, Targets};
use crate::periplus::{List, Periplus, read_list};
use crate::process::{Process, free_port, wait_until};
use crate::say;

/// A name that has to be escaped wherever it stands.
const JOB: &str = "racks/ams 1 ü";
const TARGETS: u8 = 24;
/// A scrape every second, on a machine that has more to do: four in a row may be late.
const LONGEST_GAP: Duration = Duration::from_secs(5);
/// Who scraped within this time owns a target.
const LATELY: Duration = Duration::from_secs(4);
/// How long two may be told of one target, and with what a collector takes to stop.
const DEADLINE: Duration = Duration::from_mins(1);
const TICKS: Duration = Duration::from_secs(12);
/// For collectors to settle on what they are told.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long Periplus is gone, and then knows nothing.
const AWAY: Duration = Duration::from_secs(6);

/// What the scenario needs.
#[derive(Debug)]
pub struct Setup {
    /// The binary of Periplus.
    pub periplus: PathBuf,
    /// The binary of the collector.
    pub collector: PathBuf,
    /// Where configurations and logs go.
    pub directory: PathBuf,
}

/// What runs.
struct Scene {
    targets: Targets,
    periplus: Periplus,
    collectors: Vec<Process>,
}

/// Runs the scenario.
///
/// # Errors
/// If a target is lost, is scraped by two for too long, or by another collector than it should be.
pub async fn run(setup: &Setup) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut scene = Scene::start(setup, &["a", "b"]).await?;
    let two = scene.shared_by(&["a", "b"], "two collectors").await?;
    let since = Instant::now();

    scene.reload(&["a", "b", "c"]).await?;
    // Told of a collector that is not there yet, the others must go on.
    sleep(AWAY).await;
    scene.start_collector(setup, "c")?;
    let three = scene.shared_by(&["a", "b", "c"], "one joins").await?;
    only_moved(&two, &three, |_, to| to == "c")?;
    scene.check_overlap(since)?;

    let left = Instant::now();
    scene.reload(&["a", "c"]).await?;
    let rest = scene.shared_by(&["a", "c"], "one leaves").await?;
    only_moved(&three, &rest, |from, _| from == "b")?;
    scene.check_overlap(left)?;
    scene.collectors.remove(1).stop().await?;

    scene.restart(setup).await?;
    let same = scene.shared_by(&["a", "c"], "Periplus restarts").await?;
    ensure!(same == rest, "owners changed over a restart");

    scene.switch_off().await?;
    let same = scene.shared_by(&["a", "c"], "nothing but errors").await?;
    ensure!(same == rest, "owners changed while there were errors");

    scene.check(since)?;
    let took = begun.elapsed().as_secs();
    say(&format!(
        "ok      collectors: {} scrapes of {TARGETS} targets, {took} s",
        scene.targets.count()
    ));
    scene.periplus.stop().await
}

// === impl Scene ===

impl Scene {
    async fn start(setup: &Setup, ids: &[&str]) -> anyhow::Result<Self> {
        let targets = Targets::start(TARGETS).await?;
        let config = config(&targets, ids, true);
        let port = free_port()?;
        let periplus = Periplus::start(&setup.periplus, &setup.directory, port, &config).await?;
        let mut scene = Self {
            targets,
            periplus,
            collectors: Vec::new(),
        };
        for id in ids {
            scene.start_collector(setup, id)?;
        }
        Ok(scene)
    }

    fn start_collector(&mut self, setup: &Setup, id: &str) -> anyhow::Result<()> {
        let endpoint = format!("{}/otel", self.periplus.url());
        let collector = start_collector(setup, id, &endpoint)?;
        self.collectors.push(collector);
        Ok(())
    }

    /// Lets the whole API answer errors for a while: a receiver that took one for a list of jobs would
    /// drop them all.
    async fn switch_off(&self) -> anyhow::Result<()> {
        let without = config(&self.targets, &[], true);
        let mut without: Value = serde_json::from_str(&without)?;
        if let Some(sections) = without.as_object_mut() {
            sections.remove("target_allocator");
        }
        self.periplus.reload(&without.to_string()).await?;
        let url = format!("{}/otel/scrape_configs", self.periplus.url());
        let answer = client()?.get(url).send().await?;
        ensure!(answer.status() == 404, "it is still switched on");
        // More than a collector needs to act on what it reads.
        sleep(AWAY + TICKS).await;
        let still = self.targets.owners(LATELY);
        still.context("collectors took an error for a list of jobs")?;
        self.reload(&["a", "c"]).await
    }

    async fn reload(&self, ids: &[&str]) -> anyhow::Result<()> {
        self.periplus
            .reload(&config(&self.targets, ids, true))
            .await
    }

    /// Waits until these collectors, and nobody else, scrape everything, each target one of them.
    async fn shared_by(&mut self, ids: &[&str], what: &str) -> anyhow::Result<Owners> {
        let begun = Instant::now();
        let mut last = None;
        let shared = wait_until(PATIENCE, what, async || {
            self.periplus.check()?;
            for collector in &mut self.collectors {
                collector.check()?;
            }
            last = Some(self.targets.owners(LATELY));
            let Some(Ok(owners)) = &last else {
                return Ok(false);
            };
            let all: BTreeSet<&str> = owners.values().map(|it| &**it).collect();
            Ok(all.into_iter().eq(ids.iter().copied()))
        });
        let outcome = shared.await;
        let owners = last.unwrap_or_else(|| Ok(Owners::new()));
        outcome.with_context(|| format!("at the end: {owners:?}"))?;
        let owners = owners?;
        let took = begun.elapsed().as_secs_f64();
        say(&format!("        {what}: settled after {took:.1} s"));
        Ok(owners)
    }

    /// Stops Periplus, starts it as one that does not know its targets yet, and lets it know them.
    async fn restart(&mut self, setup: &Setup) -> anyhow::Result<()> {
        self.periplus.stop().await?;
        sleep(AWAY).await;
        let ids = ["a", "c"];
        let file = setup.directory.join("periplus.yml");
        std::fs::write(file, config(&self.targets, &ids, false))?;
        self.periplus.restart().await?;
        let list = read_list(&client()?, self.periplus.url(), JOB, "final").await?;
        ensure!(list == List::Unknown, "it pretends to know the job");
        sleep(AWAY).await;
        self.reload(&ids).await?;
        // What collectors have fetched since must have reached their scrape loops.
        sleep(TICKS).await;
        Ok(())
    }

    fn check_overlap(&self, since: Instant) -> anyhow::Result<()> {
        let (overlap, target) = self.targets.longest_overlap(since);
        say(&format!(
            "        at most {:.1} s by two",
            overlap.as_secs_f64()
        ));
        ensure!(
            overlap <= DEADLINE + TICKS,
            "{target} was scraped by two for {overlap:?}"
        );
        Ok(())
    }

    fn check(&self, since: Instant) -> anyhow::Result<()> {
        self.targets.check()?;
        let (gap, target) = self.targets.longest_gap(since);
        say(&format!(
            "        at most {:.1} s between two scrapes of a target",
            gap.as_secs_f64()
        ));
        ensure!(gap <= LONGEST_GAP, "{target} went unscraped for {gap:?}");
        Ok(())
    }
}

fn client() -> anyhow::Result<reqwest::Client> {
    let client = reqwest::Client::builder().no_proxy();
    Ok(client.timeout(Duration::from_secs(10)).build()?)
}

/// Fails if a target moved that had no reason to.
fn only_moved(
    before: &Owners,
    after: &Owners,
    may: impl Fn(&str, &str) -> bool,
) -> anyhow::Result<()> {
    for (target, from) in before {
        let to = &after[target];
        ensure!(
            from == to || may(from, to),
            "{target} moved from {from} to {to}"
        );
    }
    Ok(())
}

/// Periplus' configuration; one that never knows the job has a source that is not there.
fn config(targets: &Targets, ids: &[&str], is_known: bool) -> String {
    let mut job = json!({
        "job_name": JOB,
        "static_configs": [
            {"targets": targets.names(), "labels": {"__meta_path": PATH}},
            {"targets": [targets.forbidden()], "labels": {"__meta_path": "/never"}},
        ],
        "relabel_configs": [
            {"source_labels": ["__meta_path"], "regex": "/never", "action": "drop"},
            {"source_labels": ["__meta_path"], "target_label": "__metrics_path__"},
        ],
    });
    if !is_known {
        job["kubernetes_sd_configs"] = json!([{"role": "pod", "api_server": "http://127.0.0.1:9"}]);
    }
    let collectors: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
    let config = json!({
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [job],
        "target_allocator": {
            "collectors": collectors,
            "handover": {"reload_tick": "10s", "deadline": format!("{}s", DEADLINE.as_secs())},
        },
    });
    config.to_string()
}

/// Starts a collector that scrapes what it is told, and asks every second.
fn start_collector(setup: &Setup, id: &str, endpoint: &str) -> anyhow::Result<Process> {
    let headers = json!({ COLLECTOR: {"values": [id]} });
    let config = json!({
        "receivers": {"prometheus": {"target_allocator": {
            "endpoint": endpoint,
            "interval": "1s",
            "collector_id": id,
            "http_sd_config": {"refresh_interval": "1s"},
            "http_scrape_config": {"http_headers": headers},
        }}},
        "exporters": {"debug": {}},
        "service": {
            "pipelines": {"metrics": {"receivers": ["prometheus"], "exporters": ["debug"]}},
        },
    });
    let file: &Path = &setup.directory.join(format!("collector-{id}.yml"));
    std::fs::write(file, config.to_string())?;
    let arguments = [format!("--config=file:{}", file.display())];
    Process::start(
        &format!("collector-{id}"),
        &setup.collector,
        &arguments,
        &setup.directory,
    )
}
