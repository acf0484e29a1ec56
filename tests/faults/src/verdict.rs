//! Whether what was published was right.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use periplus_kube_api::chaos::{Journal, Life};
use tokio::time::{Instant, sleep};

use crate::host::{Groups, Host};
use crate::jobs::shows_pods_all_their_lives;
use crate::witness::{Seen, Vanished};

/// How long a host may take to come right after everything went wrong: longer than it takes to
/// find that a connection is dead.
const PATIENCE: Duration = Duration::from_mins(4);
/// Differences that are told one by one.
const TOLD: usize = 10;

/// What the witnesses say, held against what happened.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    versions: BTreeMap<String, u64>,
    /// What vanished and was right to.
    rightly: usize,
    wrongly: Vec<String>,
}

// === impl Verdict ===

impl Verdict {
    /// Judges what one witness of the host `host` saw.
    pub(crate) fn hear(&mut self, host: &str, seen: Seen, journal: &Journal) {
        self.versions
            .insert(format!("{host}/{}", seen.job), seen.versions);
        for vanished in &seen.vanished {
            match living(&seen.job, vanished, journal) {
                Some(life) => self.wrongly.push(format!(
                    "{host}, job `{}`: `{}` with `{}` vanished {:?} after the beginning, and {} lived",
                    seen.job,
                    vanished.source,
                    vanished.address,
                    vanished.at.duration_since(journal.started()),
                    life.name
                )),
                None => self.rightly += 1,
            }
        }
    }

    /// Whether nothing vanished that was there.
    pub(crate) fn is_good(&self) -> bool {
        self.wrongly.is_empty() && self.versions.values().all(|versions| *versions > 1)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let versions = self.versions.iter();
        let versions: Vec<_> = versions
            .map(|(job, count)| format!("{job} {count}"))
            .collect();
        write!(f, "versions read: {}; ", versions.join(", "))?;
        write!(f, "{} groups vanished rightly, ", self.rightly)?;
        write!(f, "{} wrongly", self.wrongly.len())?;
        for wrong in self.wrongly.iter().take(TOLD) {
            write!(f, "\n  {wrong}")?;
        }
        Ok(())
    }
}

/// The object that a group stood for, if it lived on when the group vanished.
///
/// The addresses of Pods are used once, so an address tells which life is meant. Other objects
/// count only if they lived all the time.
fn living<'j>(job: &str, vanished: &Vanished, journal: &'j Journal) -> Option<&'j Life> {
    if shows_pods_all_their_lives(job) {
        let ip = vanished.address.rsplit_once(':').map(|(ip, _)| ip);
        return journal.lives.iter().find(|life| {
            let is_meant = ip.is_some() && address(life) == ip;
            let was_there = life.from <= vanished.since;
            let lived_on = life.until.is_none_or(|until| until > vanished.at);
            is_meant && was_there && lived_on && !life.malformed
        });
    }
    if job == "pods-with-nodes" || job == "slices" {
        // What they show depends on other objects as well; their end is compared.
        return None;
    }
    let mut throughout = journal.existed_throughout(journal.started(), journal.ended());
    throughout.find(|life| source(life) == vanished.source)
}

fn address(life: &Life) -> Option<&str> {
    life.object.pointer("/status/podIP")?.as_str()
}

fn source(life: &Life) -> String {
    let Life {
        resource,
        namespace,
        name,
        ..
    } = life;
    match resource.as_str() {
        "v1/nodes" => format!("node/{name}"),
        "v1/services" => format!("svc/{namespace}/{name}"),
        _ => String::new(),
    }
}

/// Waits until `host` has exactly what a fresh start finds.
pub(crate) async fn settle(name: &str, config: &Path, host: &Host) -> anyhow::Result<Duration> {
    let fresh = Host::start(config).await?;
    let began = Instant::now();
    loop {
        let (expected, found) = (fresh.groups(), host.groups());
        if expected == found {
            return Ok(began.elapsed());
        }
        if began.elapsed() > PATIENCE {
            bail!(
                "{name} does not come right:\n{}\n{}",
                differences(&expected, &found).join("\n"),
                host.problems().join("\n")
            );
        }
        sleep(Duration::from_millis(100)).await;
    }
}

fn differences(
    expected: &BTreeMap<String, Groups>,
    found: &BTreeMap<String, Groups>,
) -> Vec<String> {
    let mut differences = Vec::new();
    let nothing = Groups::new();
    for (job, expected) in expected {
        let found = found.get(job).unwrap_or(&nothing);
        let sources = expected
            .keys()
            .chain(found.keys().filter(|it| !expected.contains_key(*it)));
        for source in sources {
            let (expected, found) = (expected.get(source), found.get(source));
            if expected != found {
                differences.push(format!(
                    "  job `{job}`, `{source}`: {found:?}, not {expected:?}"
                ));
            }
        }
    }
    differences.truncate(TOLD);
    differences
}
