//! Waiting until all sides agree, and saying why they do not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep};

use super::World;
use crate::compare::Differences;
use crate::marker::{Marker, Sight};
use crate::periplus::Entry;
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

impl World {
    /// Returns what the direct side shows once all sides show the same and have seen all markers.
    pub(super) async fn agree(
        &mut self,
        markers: &[Marker],
        within: Duration,
    ) -> anyhow::Result<Targets> {
        let deadline = Instant::now() + within;
        let mut equal = 0;
        let mut before: Option<Targets> = None;
        loop {
            self.periplus.check()?;
            let reading = self.reading().await?;
            let settled = self.last_step.elapsed() >= SETTLE;
            let mut problems = unseen(markers, &reading, &BTreeSet::new());
            let mut mute = false;
            if settled && !problems.is_empty() {
                // A marker that ended up equal to another target is not to be seen. That takes a while to
                // tell from one that has not arrived yet.
                problems = unseen(markers, &reading, &self.folding(&reading).await?);
                mute = true;
            }
            let differences = self.differences(&reading).await?;
            if !differences.is_empty() {
                let _ = write!(problems, "{differences}");
            }
            if problems.is_empty() {
                problems = self.uncounted().await?;
            }
            // A job that a marker cannot speak for must also hold still.
            let same = before
                .as_ref()
                .is_some_and(|b| same_targets(b, &reading.direct));
            equal = match (problems.is_empty(), settled) {
                (true, true) if same => equal + 1,
                (true, true) => 1,
                _ => 0,
            };
            let needed = if mute || speechless(markers, &reading) {
                EQUAL_READINGS
            } else {
                0
            };
            if problems.is_empty() && equal >= needed {
                return Ok(reading.direct);
            }
            // Three equal readings take what they take; a deadline shorter than that must not fail them.
            let patience = if needed > 0 {
                deadline.max(self.last_step + 2 * SETTLE)
            } else {
                deadline
            };
            if Instant::now() > patience {
                bail!(
                    "the sides do not agree after {} s\n{problems}",
                    within.as_secs()
                );
            }
            before = Some(reading.direct);
            sleep(EVERY).await;
        }
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
        discovered.retain(|job, count| {
            let active = reading
                .direct
                .active_targets
                .iter()
                .filter(|t| t.scrape_pool == *job);
            let dropped = reading
                .direct
                .dropped_targets
                .iter()
                .filter(|t| t.scrape_pool == *job);
            *count > active.count() + dropped.count()
        });
        Ok(discovered.into_keys().collect())
    }

    /// Targets that no side shows (copies of others, invalid ones) are at least counted.
    async fn uncounted(&self) -> anyhow::Result<String> {
        let direct = self.servers[0].discovered().await?;
        let discovered = self.servers[1].discovered().await?;
        let mut text = String::new();
        for job in super::names(&self.jobs) {
            let count = |counts: &BTreeMap<String, usize>| counts.get(&job).copied().unwrap_or(0);
            let (a, b) = (count(&direct), count(&discovered));
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
        let never = |_: &str, _: &Labels| false;
        let direct = &reading.direct;
        let last = Differences::between(direct, &reading.last, Side::Final, &never);
        if !last.is_empty() {
            return Ok(last);
        }
        let found = Differences::between(direct, &reading.discovered, Side::Discovered, &never);
        if found.is_empty() {
            return Ok(found);
        }
        // Only now it matters what else Periplus discovers.
        let lists = self.lists("discovered").await?;
        let twin = |job: &str, labels: &Labels| discovers(&lists, job, labels);
        Ok(Differences::between(
            direct,
            &reading.discovered,
            Side::Discovered,
            &twin,
        ))
    }
}

/// Says which side has not seen which marker, less those of jobs that fold targets together.
fn unseen(markers: &[Marker], reading: &Reading, folding: &BTreeSet<String>) -> String {
    let mut text = String::new();
    for marker in markers.iter().filter(|m| !folding.contains(&m.job)) {
        let Some(object) = &marker.object else {
            continue;
        };
        let mut missing = BTreeSet::new();
        let direct = marker.sight(&reading.direct);
        if direct == Sight::Unseen {
            missing.insert(Side::Direct.name());
        }
        if marker.sight(&reading.discovered) == Sight::Unseen {
            missing.insert(Side::Discovered.name());
        }
        if direct == Sight::Active && !marker.is_in_outcome(&reading.direct, &reading.last) {
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
        .any(|m| m.object.is_none() || m.sight(&reading.direct) != Sight::Active)
        || markers.is_empty()
}

fn same_targets(a: &Targets, b: &Targets) -> bool {
    a.active_targets == b.active_targets && a.dropped_targets == b.dropped_targets
}

/// Whether a list holds a target of exactly these labels, before the job's defaults were added.
fn discovers(lists: &BTreeMap<String, Vec<Entry>>, job: &str, labels: &Labels) -> bool {
    let entries = lists.get(job).map_or(&[][..], Vec::as_slice);
    entries.iter().any(|entry| {
        entry.targets.first() == labels.get("__address__")
            && entry.labels.iter().all(|(name, value)| labels.get(name) == Some(value))
            // Defaults are no `__meta_` labels: a target that lacks one is another target.
            && labels.keys().all(|n| !n.starts_with("__meta_") || entry.labels.contains_key(n))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn a_target_that_lacks_a_label_is_not_discovered() {
        let seen = labels(&[
            ("__address__", "a"),
            ("__meta_x", "1"),
            ("__meta_y", "2"),
            ("job", "j"),
        ]);
        let discovers = |entry: &[(&str, &str)]| {
            let entry = Entry {
                targets: vec!["a".to_owned()],
                labels: labels(entry),
            };
            discovers(&BTreeMap::from([("j".to_owned(), vec![entry])]), "j", &seen)
        };
        assert!(discovers(&[("__meta_x", "1"), ("__meta_y", "2")]));
        assert!(!discovers(&[("__meta_x", "1")]));
        assert!(!discovers(&[("__meta_x", "1"), ("__meta_y", "3")]));
        assert!(!discovers(&[
            ("__meta_x", "1"),
            ("__meta_y", "2"),
            ("__meta_z", "3")
        ]));
    }
}
