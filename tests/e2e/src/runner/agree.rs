//! Waiting until all sides agree, and saying why they do not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep};

use super::World;
use super::twins::counterpart;
use crate::compare::{Differences, title};
use crate::forgive::{Fired, count};
use crate::marker::{Marker, Sight};
use crate::prometheus::{Labels, Targets};
use crate::sides::Side;

/// Time between two readings of the sides.
const EVERY: Duration = Duration::from_millis(200);

/// Where no marker can tell, everybody gets this long to notice the step.
const SETTLE: Duration = Duration::from_secs(10);

/// And then this many equal readings must follow each other.
const EQUAL_READINGS: usize = 3;

/// What all sides show at one moment.
struct Reading {
    direct: Targets,
    discovered: Targets,
    last: Targets,
}

/// What all sides have come to show.
pub(super) struct Agreement {
    /// The targets, as Periplus has them where the direct side is forgiven to differ.
    pub(super) targets: Targets,
    /// What was forgiven.
    pub(super) fired: Fired,
}

/// One look at all sides.
struct Look {
    problems: String,
    /// A marker ended up equal to another target, and is not to be seen.
    mute: bool,
    targets: Targets,
    /// What was forgiven, markers of ours not counted.
    fired: Fired,
    forgiven: bool,
}

impl World {
    /// Returns once all sides show the same, but for what is forgiven, and have seen all markers.
    pub(super) async fn agree(
        &mut self,
        markers: &[Marker],
        within: Duration,
    ) -> anyhow::Result<Agreement> {
        let deadline = Instant::now() + within;
        let mut equal = 0;
        let mut before: Option<Targets> = None;
        loop {
            self.periplus.check()?;
            let reading = self.reading().await?;
            let settled = self.last_step.elapsed() >= SETTLE;
            let look = self.look(markers, &reading, settled).await?;
            let quiet = look.mute || speechless(markers, &reading);
            let agreed = look.problems.is_empty();
            // A job that a marker cannot speak for must also hold still, and so must a difference that is
            // forgiven: what is late is not yet different.
            let same = before.as_ref() == Some(&reading.direct);
            let needed = match (quiet, look.forgiven) {
                (false, false) => 0,
                _ => EQUAL_READINGS,
            };
            equal = match agreed && (settled || !quiet) {
                true if same => equal + 1,
                true => 1,
                false => 0,
            };
            if agreed && equal >= needed {
                return Ok(Agreement {
                    targets: look.targets,
                    fired: look.fired,
                });
            }
            // Three equal readings take what they take; a deadline shorter than that must not fail them.
            let patience = if quiet {
                deadline.max(self.last_step + 2 * SETTLE)
            } else {
                deadline
            };
            if Instant::now() > patience {
                bail!(
                    "the sides do not agree after {} s\n{}",
                    within.as_secs(),
                    look.problems
                );
            }
            before = Some(reading.direct);
            sleep(EVERY).await;
        }
    }

    async fn look(
        &self,
        markers: &[Marker],
        reading: &Reading,
        settled: bool,
    ) -> anyhow::Result<Look> {
        let differences = self.differences(reading).await?;
        let targets = differences.corrected(&reading.direct, &reading.discovered);
        let mut fired = Fired::new();
        for (difference, names) in differences.forgiven() {
            count(&mut fired, difference, names);
        }
        let mut problems = unseen(markers, reading, &targets, &BTreeSet::new());
        let mut mute = false;
        if settled && !problems.is_empty() {
            // A marker that ended up equal to another target is not to be seen. That takes a while to
            // tell from one that has not arrived yet.
            problems = unseen(markers, reading, &targets, &self.folding(reading).await?);
            mute = true;
        }
        if differences.is_empty() {
            // What Periplus' rules make of it must be what Prometheus' rules make of the same labels.
            let never = |_: &str, _: &Labels| None;
            let last = Differences::between(&targets, &reading.last, Side::Final, &never);
            let _ = write!(problems, "{last}");
        } else {
            let _ = write!(problems, "{differences}");
        }
        if problems.is_empty() {
            problems = self.overlooked(&reading.discovered);
        }
        if problems.is_empty() {
            problems = self.uncounted(&differences).await?;
        }
        Ok(Look {
            problems,
            mute,
            targets,
            fired,
            forgiven: differences.forgiven().next().is_some(),
        })
    }

    async fn reading(&mut self) -> anyhow::Result<Reading> {
        let [direct, discovered, last] = &mut self.servers[..] else {
            bail!("there are not three servers");
        };
        let (direct, discovered, last) =
            tokio::try_join!(direct.targets(), discovered.targets(), last.targets())?;
        Ok(Reading {
            direct,
            discovered,
            last,
        })
    }

    /// Jobs in which the direct side discovers more than it shows.
    async fn folding(&self, reading: &Reading) -> anyhow::Result<BTreeSet<String>> {
        let mut discovered = self.servers[0].discovered().await?;
        discovered.retain(|job, count| *count > shown(&reading.direct, job));
        Ok(discovered.into_keys().collect())
    }

    /// Labels of related objects that Periplus shows otherwise than they are.
    fn overlooked(&self, shown: &Targets) -> String {
        let active = shown.active_targets.iter();
        let dropped = shown.dropped_targets.iter();
        let targets = active
            .map(|t| (&t.scrape_pool, &t.discovered_labels))
            .chain(dropped.map(|t| (&t.scrape_pool, &t.discovered_labels)));
        let history = self.cluster.history();
        let mut text = String::new();
        for (job, labels) in targets {
            let found = self
                .forgiveness
                .overlooked(job, labels, &self.jobs, history);
            if !found.is_empty() {
                let _ = writeln!(
                    text,
                    "    job `{job}`, target {}: Periplus overlooks a change\n      {}",
                    title(labels, &Labels::new()),
                    found.join("\n      ")
                );
            }
        }
        text
    }

    /// Targets that no side shows (copies of others, invalid ones) are at least counted.
    async fn uncounted(&self, differences: &Differences) -> anyhow::Result<String> {
        let counts = self.servers[0].discovered().await?;
        let discovered = self.servers[1].discovered().await?;
        let mut text = String::new();
        for job in super::names(&self.jobs) {
            let count = |counts: &BTreeMap<String, usize>| counts.get(&job).copied().unwrap_or(0);
            // What is forgiven adds some, and takes some away.
            let (more, fewer) = differences.forgiven_alone(&job);
            let a = (count(&counts) + more).saturating_sub(fewer);
            let b = count(&discovered);
            if a != b {
                let _ = writeln!(
                    text,
                    "    job `{job}`: {a} targets discovered on direct, {b} on discovered, shown or not"
                );
            }
        }
        Ok(text)
    }

    async fn differences(&self, reading: &Reading) -> anyhow::Result<Differences> {
        let never = |_: &str, _: &Labels| None;
        let (direct, discovered) = (&reading.direct, &reading.discovered);
        let mut found = Differences::between(direct, discovered, Side::Discovered, &never);
        if !found.is_empty() {
            // Only now it matters what else Periplus discovers.
            let lists = self.lists("discovered").await?;
            let twin = |job: &str, labels: &Labels| counterpart(&lists, job, labels);
            found = Differences::between(direct, discovered, Side::Discovered, &twin);
        }
        let history = self.cluster.history();
        found.forgive(&|difference| self.forgiveness.reasons(difference, &self.jobs, history));
        Ok(found)
    }
}

/// How many targets of a job a side shows.
fn shown(targets: &Targets, job: &str) -> usize {
    let active = targets
        .active_targets
        .iter()
        .filter(|t| t.scrape_pool == job);
    let dropped = targets
        .dropped_targets
        .iter()
        .filter(|t| t.scrape_pool == job);
    active.count() + dropped.count()
}

/// Says which side has not seen which marker, less those of jobs that fold targets together.
fn unseen(
    markers: &[Marker],
    reading: &Reading,
    agreed: &Targets,
    folding: &BTreeSet<String>,
) -> String {
    let mut text = String::new();
    for marker in markers.iter().filter(|m| !folding.contains(&m.job)) {
        let Some(object) = &marker.object else {
            continue;
        };
        let mut missing = BTreeSet::new();
        let direct = marker.sight(&reading.direct, Side::Direct);
        if direct == Sight::Unseen {
            missing.insert(Side::Direct.name());
        }
        if marker.sight(&reading.discovered, Side::Discovered) == Sight::Unseen {
            missing.insert(Side::Discovered.name());
        }
        if direct == Sight::Active && !marker.is_in_outcome(agreed, &reading.last) {
            missing.insert(Side::Final.name());
        }
        for side in missing {
            let _ = writeln!(
                text,
                "    job `{}`: {side} does not show the marker {object}",
                marker.job
            );
        }
    }
    text
}

/// Whether some side cannot show some marker, so that it proves nothing there.
fn speechless(markers: &[Marker], reading: &Reading) -> bool {
    markers
        .iter()
        .any(|m| m.object.is_none() || m.sight(&reading.direct, Side::Direct) != Sight::Active)
        || markers.is_empty()
}
