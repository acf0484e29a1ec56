//! A stock Prometheus behind each front: it follows changes, and how long that takes is printed.
//!
//! The source is a file that is replaced; Periplus reads it at once. Prometheus runs as it is shipped, so
//! its own tick of five seconds bounds it where changes come quickly: they are eight seconds apart.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::periplus::Periplus;
use crate::process::free_port;
use crate::prometheus::Prometheus;
use crate::runner::Setup;
use crate::say;
use crate::sides::Side;

/// Between two changes: longer than any tick of Prometheus.
const APART: Duration = Duration::from_secs(8);
/// For a change to show.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often Prometheus is asked.
const LOOK: Duration = Duration::from_millis(5);
/// Nobody listens there, should a scrape be tried.
const REFUSING_PROXY: &str = "http://127.0.0.1:9";

/// A name that has to be escaped wherever it stands.
const JOB: &str = "racks/ams 1 ü";
const JOB_ESCAPED: &str = "racks/ams%201%20%C3%BC";

/// How one Prometheus reads Periplus.
struct Front {
    name: &'static str,
    /// Its sections, for Periplus at this address, which writes files to this folder.
    jobs: fn(&str, &Path) -> Value,
    /// The slowest median that passes, if there is a bound.
    bound: Option<Duration>,
}

const FRONTS: [Front; 4] = [
    Front {
        name: "kuma_sd",
        jobs: |url, _| json!([kuma("racks", &format!("{url}/mads/{JOB_ESCAPED}"))]),
        // A bare long-poll server reaches half of it; other processes run beside this one.
        bound: Some(Duration::from_millis(500)),
    },
    Front {
        name: "kuma_sd, two shards",
        jobs: |url, _| {
            json!([
                kuma(
                    "racks-0",
                    &format!("{url}/mads/{JOB_ESCAPED}/shards/0-of-2")
                ),
                kuma(
                    "racks-1",
                    &format!("{url}/mads/{JOB_ESCAPED}/shards/1-of-2")
                ),
            ])
        },
        bound: Some(Duration::from_millis(500)),
    },
    Front {
        name: "http_sd every second",
        jobs: |url, _| {
            let url = format!("{url}/sd/{JOB_ESCAPED}");
            json!([{
                "job_name": "racks", "proxy_url": REFUSING_PROXY,
                "http_sd_configs": [{"url": url, "refresh_interval": "1s"}],
            }])
        },
        bound: None,
    },
    Front {
        name: "file_sd",
        jobs: |_, folder| {
            let file = folder.join("racks%2Fams%201%20%C3%BC.json");
            json!([{
                "job_name": "racks", "proxy_url": REFUSING_PROXY,
                "file_sd_configs": [{"files": [file]}],
            }])
        },
        bound: None,
    },
];

/// What the file holds.
struct Source {
    file: PathBuf,
    targets: BTreeSet<String>,
}

/// Runs every front in turn.
///
/// # Errors
/// If a Prometheus does not come to show what the file holds, loses what it holds, or is too slow.
pub async fn run(setup: &Setup, changes: usize) -> anyhow::Result<()> {
    for (index, front) in FRONTS.iter().enumerate() {
        let directory = setup.directory.join(format!("front-{index}"));
        std::fs::create_dir_all(&directory)?;
        let times = follow(setup, front, &directory, changes).await;
        let mut times = times.with_context(|| format!("front {}", front.name))?;
        times.sort();
        let median = times[times.len() / 2];
        let last = times[times.len() - 1];
        say(&format!(
            "ok      {}: change -> Prometheus' own target list: median {} ms, longest {} ms, {} changes",
            front.name,
            median.as_millis(),
            last.as_millis(),
            times.len()
        ));
        if let Some(bound) = front.bound {
            ensure!(
                median < bound,
                "{}: median {median:?}, must be below {bound:?}",
                front.name
            );
        }
    }
    Ok(())
}

async fn follow(
    setup: &Setup,
    front: &Front,
    directory: &Path,
    changes: usize,
) -> anyhow::Result<Vec<Duration>> {
    let mut source = Source::new(directory)?;
    let config = json!({"scrape_configs": [{
        "job_name": JOB,
        "file_sd_configs": [{"files": [source.file.display().to_string()]}],
        "relabel_configs": [{"target_label": "site", "replacement": "ams"}],
    }]});
    let folder = directory.join("sd");
    let flags = ["--sd-files-dir", &folder.display().to_string()];
    let (program, config) = (&setup.periplus, config.to_string());
    let mut periplus =
        Periplus::start_with(program, directory, free_port()?, &config, &flags).await?;
    let config = json!({"scrape_configs": (front.jobs)(periplus.url(), &folder)});
    let (program, config) = (&setup.prometheus, config.to_string());
    let mut prometheus =
        Prometheus::start_with(Side::Final, program, directory, free_port()?, &config, &[]).await?;
    shows(&mut prometheus, &source.targets).await?;
    let mut times = Vec::new();
    for change in 0..changes.max(1) {
        sleep(APART).await;
        // In turn one more and one less.
        if change % 2 == 0 {
            source.targets.insert(format!("10.1.0.{change}:9100"));
        } else {
            source.targets.pop_first();
        }
        let start = Instant::now();
        source.write()?;
        shows(&mut prometheus, &source.targets).await?;
        times.push(start.elapsed());
    }
    // A restart makes no reader forget or miss anything.
    periplus.restart().await?;
    source.targets.insert("10.1.1.1:9100".to_owned());
    source.write()?;
    shows(&mut prometheus, &source.targets).await?;
    prometheus.stop().await?;
    periplus.stop().await?;
    Ok(times)
}

/// Waits until Prometheus shows these addresses with the labels that Periplus gave them.
async fn shows(prometheus: &mut Prometheus, expected: &BTreeSet<String>) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let active = prometheus.targets().await?.active_targets;
        let mut found = BTreeSet::new();
        let mut is_labelled = true;
        for target in &active {
            found.extend(target.labels.get("instance").cloned());
            is_labelled &= target.labels.get("site").is_some_and(|site| site == "ams");
            is_labelled &= target.labels.get("job").is_some_and(|job| job == JOB);
        }
        if found == *expected && active.len() == expected.len() && is_labelled {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "Prometheus shows {active:?}, and not {expected:?}"
        );
        sleep(LOOK).await;
    }
}

/// A job that reads MADS: the two rules restore what `kuma_sd` renames.
fn kuma(name: &str, server: &str) -> Value {
    json!({
        "job_name": name, "proxy_url": REFUSING_PROXY,
        "kuma_sd_configs": [{"server": server, "refresh_interval": "100ms"}],
        "relabel_configs": [{"action": "labelmap", "regex": "__meta_kuma_label_(.+)"}],
    })
}

// === impl Source ===

impl Source {
    fn new(directory: &Path) -> anyhow::Result<Self> {
        let source = Self {
            file: directory.join("targets.json"),
            targets: (0..20).map(|n| format!("10.0.0.{n}:9100")).collect(),
        };
        source.write()?;
        Ok(source)
    }

    /// Replaces the file at once, so that nobody reads half of it.
    fn write(&self) -> anyhow::Result<()> {
        let groups = json!([{"targets": self.targets, "labels": {"rack": "1"}}]);
        let new = self.file.with_extension("new");
        std::fs::write(&new, groups.to_string())?;
        std::fs::rename(&new, &self.file)?;
        Ok(())
    }
}
