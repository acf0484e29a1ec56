//! How long after its acknowledgement a change is in a peer's list of targets.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use hyper::StatusCode;
use serde::Deserialize;
use tokio::sync::watch;

use super::peer::{Peer, Running};
use super::phases::{Bench, paced};
use super::{Latency, PATIENCE};
use crate::client::Client;
use crate::jobs::{Jobs, PROBE_JOB};
use crate::report::quantile;

const CHANGES_PER_SECOND: u32 = 20;
/// A change that is not visible so long after the last one was missed.
const LONGEST: Duration = Duration::from_secs(40);
/// Prometheus encodes its whole list for each reading; Periplus mostly answers `304`.
const PROMETHEUS_POLL: Duration = Duration::from_millis(250);
const PERIPLUS_POLL: Duration = Duration::from_millis(2);
/// The time from an event to a snapshot, as Periplus measures it.
const OWN: &str = "periplus_discovery_publish_latency_seconds";

/// When each Pod showed which number; in order of time.
type Shown = HashMap<String, Vec<(u64, Instant)>>;

/// Reads what a peer's list shows.
struct Reader {
    peer: Peer,
    client: Client,
    etag: Option<String>,
}

/// `/api/v1/targets` of Prometheus, as far as it is of interest.
#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    active_targets: Vec<ActiveTarget>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ActiveTarget {
    discovered_labels: HashMap<String, String>,
}

/// An entry of Periplus' list.
#[derive(Deserialize)]
struct Entry {
    labels: HashMap<String, String>,
}

// === impl Bench ===

impl Bench {
    /// A fresh process, and changes to the Pods that it is asked for.
    pub(super) async fn latency(&self, peer: Peer) -> anyhow::Result<Latency> {
        crate::progress(&format!("{}: change to visible", peer.name()));
        let folder = tempfile::tempdir_in(&self.folder)?;
        let config = peer.latency_config(&self.server.section());
        let mut running = peer.start(&self.programs, &config, folder.path())?;
        let expected = Jobs::One.list()[0].expected(&self.cluster);
        let mut jobs = vec![(Jobs::One.list()[0].name, expected)];
        if peer == Peer::Periplus {
            jobs.push((PROBE_JOB, expected));
        }
        running.until_discovered(&jobs).await?;
        tokio::time::sleep(self.scale.settle).await;
        let before = running.metrics().await?;
        let (acknowledged, shown) = self.watch_changes(peer, &running).await?;
        let after = running.metrics().await?;
        let mut times: Vec<Duration> = acknowledged
            .iter()
            .filter_map(|change| visible_after(change, &shown))
            .collect();
        times.sort_unstable();
        let at = |share| (!times.is_empty()).then(|| quantile(&times, share));
        Ok(Latency {
            peer,
            changes: acknowledged.len(),
            missed: acknowledged.len() - times.len(),
            p50_seconds: at(0.5),
            p90_seconds: at(0.9),
            p99_seconds: at(0.99),
            max_seconds: at(1.0),
            poll_seconds: poll(peer).as_secs_f64(),
            own_p99_seconds: after.quantile_bound(&before, OWN, 0.99),
        })
    }

    /// Changes the probes one after the other, and reads all the while.
    async fn watch_changes(
        &self,
        peer: Peer,
        running: &Running,
    ) -> anyhow::Result<(Vec<Change>, Shown)> {
        let cluster = self.cluster;
        let probes = cluster.probes();
        let pods: Vec<String> = probes
            .iter()
            .map(|place| cluster.pod_name((*place).into()).1)
            .collect();
        // Greater than every number of a run before, which the labels still hold.
        let first = std::time::UNIX_EPOCH.elapsed()?.as_millis() as u64;
        let (done, finished) = watch::channel(None);
        let reader = Reader {
            peer,
            client: Client::connect(running.address).await?,
            etag: None,
        };
        let reading = tokio::spawn(reader.read_until(finished));
        let mut acknowledged = Vec::new();
        let change = |number: usize| {
            let place = probes[number % probes.len()];
            cluster.label_change(place.into(), &(first + number as u64).to_string())
        };
        paced(
            &self.server,
            self.scale.latency_changes,
            CHANGES_PER_SECOND,
            change,
            |(number, at)| {
                acknowledged.push(Change {
                    pod: pods[number % pods.len()].clone(),
                    number: first + number as u64,
                    at,
                });
            },
        )
        .await?;
        done.send_replace(Some(acknowledged.clone()));
        let shown = reading.await??;
        Ok((acknowledged, shown))
    }
}

/// A change that the API server has acknowledged.
#[derive(Clone)]
struct Change {
    pod: String,
    number: u64,
    at: Instant,
}

/// The time from the acknowledgement to the first reading that shows this number or a later one. A list
/// may be quicker than the answer to the writer.
fn visible_after(change: &Change, shown: &Shown) -> Option<Duration> {
    let readings = shown.get(&change.pod)?;
    let reading = readings
        .iter()
        .find(|(number, _)| *number >= change.number)?;
    Some(reading.1.saturating_duration_since(change.at))
}

fn poll(peer: Peer) -> Duration {
    match peer {
        Peer::Prometheus => PROMETHEUS_POLL,
        Peer::Periplus => PERIPLUS_POLL,
    }
}

// === impl Reader ===

impl Reader {
    /// Reads until all changes are visible that the channel names at the end, or never will be.
    async fn read_until(
        mut self,
        finished: watch::Receiver<Option<Vec<Change>>>,
    ) -> anyhow::Result<Shown> {
        let mut shown = Shown::new();
        let mut ended: Option<Instant> = None;
        let mut ticks = tokio::time::interval(poll(self.peer));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let begun = Instant::now();
        loop {
            ticks.tick().await;
            let list = self.read().await?;
            let now = Instant::now();
            for (pod, number) in list {
                let readings = shown.entry(pod).or_default();
                if readings.last().is_none_or(|(last, _)| *last < number) {
                    readings.push((number, now));
                }
            }
            if let Some(changes) = finished.borrow().as_ref() {
                let ended = *ended.get_or_insert(now);
                let all = changes.iter().all(|c| visible_after(c, &shown).is_some());
                if all || now.duration_since(ended) > LONGEST {
                    return Ok(shown);
                }
            } else if now.duration_since(begun) > PATIENCE {
                bail!("the changes took more than {PATIENCE:?}");
            }
        }
    }

    /// Pods and the numbers that they show; nothing if the list is as it was.
    async fn read(&mut self) -> anyhow::Result<Vec<(String, u64)>> {
        match self.peer {
            Peer::Prometheus => self.read_prometheus().await,
            Peer::Periplus => self.read_periplus().await,
        }
    }

    async fn read_prometheus(&mut self) -> anyhow::Result<Vec<(String, u64)>> {
        let answer = self.client.get("/api/v1/targets?state=active", &[]).await?;
        let answer: Answer = serde_json::from_slice(&answer.body)?;
        let numbers = answer.data.active_targets.into_iter().filter_map(|target| {
            let labels = target.discovered_labels;
            let number = labels.get("__meta_kubernetes_pod_label_lab_seq")?;
            let pod = labels.get("__meta_kubernetes_pod_name")?;
            Some((pod.clone(), number.parse().ok()?))
        });
        Ok(numbers.collect())
    }

    async fn read_periplus(&mut self) -> anyhow::Result<Vec<(String, u64)>> {
        let path = format!("/sd/{PROBE_JOB}");
        let known = self.etag.clone().unwrap_or_default();
        let headers: &[_] = if known.is_empty() {
            &[]
        } else {
            &[("if-none-match", known.as_str())]
        };
        let answer = self.client.get(&path, headers).await?;
        match answer.status {
            StatusCode::NOT_MODIFIED => return Ok(Vec::new()),
            StatusCode::OK => {}
            other => bail!("`{path}` answered {other}"),
        }
        let etag = answer.headers.get("etag").context("the list has no tag")?;
        self.etag = Some(etag.to_str()?.to_owned());
        let entries: Vec<Entry> = serde_json::from_slice(&answer.body)?;
        let numbers = entries.into_iter().filter_map(|entry| {
            let number = entry.labels.get("lab_seq")?;
            let pod = entry.labels.get("pod")?;
            Some((pod.clone(), number.parse().ok()?))
        });
        Ok(numbers.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_visible_with_the_first_reading_of_its_number_or_a_later_one() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let shown = Shown::from([("a".to_owned(), vec![(5, at(1)), (8, at(4))])]);
        let change = |number, seconds| Change {
            pod: "a".to_owned(),
            number,
            at: at(seconds),
        };
        let after = |change| visible_after(&change, &shown);
        assert_eq!(after(change(7, 2)), Some(Duration::from_secs(2)));
        assert_eq!(after(change(5, 2)), Some(Duration::ZERO));
        assert_eq!(after(change(9, 2)), None);
        let other = Change {
            pod: "b".to_owned(),
            ..change(5, 0)
        };
        assert_eq!(after(other), None);
    }
}
