//! The phases of the baseline, one after the other in the same process.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hyper::StatusCode;
use periplus_kube_api::load::{Change, Cluster};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use super::peer::{Peer, Running};
use super::server::Server;
use super::{Phase, Programs, Run, Scale};
use crate::client::Client;
use crate::jobs::Jobs;
use crate::process::{Usage, machine_busy};

const LABELS_PER_SECOND: u32 = 20;
const POD_HEARTBEATS_PER_SECOND: u32 = 100;
const NODE_HEARTBEATS_PER_SECOND: u32 = 20;
/// How often a scraper reads the list of a job.
const READ_INTERVAL: Duration = Duration::from_secs(15);
/// Writes under way at a time: far more than a server that keeps up ever has.
const MOST_UNDER_WAY: usize = 64;
/// Readings of the counters, to learn what one costs.
const COST_POLLS: u32 = 40;
/// Neighbouring changes are to hit Pods far apart.
const STRIDE: usize = 61;
const DERIVED: &str = "periplus_kubernetes_derived_groups_total";

/// What all runs share.
pub(super) struct Bench {
    pub(super) server: Arc<Server>,
    pub(super) cluster: Cluster,
    pub(super) programs: Programs,
    pub(super) folder: PathBuf,
    pub(super) scale: Scale,
    pub(super) gzip: bool,
}

/// All counters at one moment.
struct Moment {
    peer: Usage,
    server: Usage,
    busy: Duration,
    derived: Option<f64>,
}

// === impl Bench ===

impl Bench {
    /// One process, from its start through all phases.
    pub(super) async fn run(&self, peer: Peer, jobs: Jobs) -> anyhow::Result<Run> {
        let what = format!("{}, jobs: {}", peer.name(), jobs.name());
        crate::progress(&format!("{what}: first sync"));
        let folder = tempfile::tempdir_in(&self.folder)?;
        let (server, busy) = (self.server.usage()?, machine_busy()?);
        let config = peer.config(jobs, &self.server.section());
        let mut running = peer.start(&self.programs, &config, folder.path())?;
        let expected: Vec<(&str, usize)> = jobs
            .list()
            .iter()
            .map(|job| (job.name, job.expected(&self.cluster)))
            .collect();
        let polls = running.until_discovered(&expected).await?;
        let took = running.started.elapsed().as_secs_f64();
        let reader = (peer == Peer::Periplus).then(|| self.read_lists(&running, jobs));
        tokio::time::sleep(self.scale.settle).await;
        let start = Moment {
            peer: Usage::none(),
            server,
            busy,
            derived: None,
        };
        let mut phases = vec![self.phase("sync", 0, took, &start, &running).await?];
        let asked = running.poll_cost(COST_POLLS).await? * polls;
        phases[0].cpu_seconds -= asked.as_secs_f64().min(phases[0].cpu_seconds);
        crate::progress(&format!("{what}: changes"));
        self.changes(&running, &mut phases).await?;
        if let Some(reader) = reader {
            ensure!(!reader.is_finished(), "{:?}", reader.await?);
            reader.abort();
        }
        Ok(Run {
            peer,
            jobs,
            sync_seconds: took,
            phases,
        })
    }

    async fn changes(&self, running: &Running, phases: &mut Vec<Phase>) -> anyhow::Result<()> {
        let Scale {
            idle,
            labels,
            pod_heartbeats,
            node_heartbeats,
            ..
        } = self.scale;
        let cluster = self.cluster;
        let start = self.moment(running).await?;
        tokio::time::sleep(idle).await;
        let length = idle.as_secs_f64();
        phases.push(self.phase("idle", 0, length, &start, running).await?);

        // Numbers that no run before has used, or a write would change nothing.
        let since = std::time::UNIX_EPOCH.elapsed()?.as_secs();
        let label = |number: usize| {
            let place = number * STRIDE % cluster.pods;
            cluster.label_change(place.into(), &format!("c{since}-{number}"))
        };
        let pod = |number: usize| {
            let place = number * STRIDE % cluster.pods;
            cluster.pod_heartbeat(place.into(), since % 100_000_000 + number as u64)
        };
        let node = |number: usize| {
            cluster.node_heartbeat(number % cluster.nodes, since % 100_000_000 + number as u64)
        };
        let rate = LABELS_PER_SECOND;
        phases.push(
            self.stream("label changes", labels, rate, running, label)
                .await?,
        );
        let rate = POD_HEARTBEATS_PER_SECOND;
        phases.push(
            self.stream("Pod heartbeats", pod_heartbeats, rate, running, pod)
                .await?,
        );
        let rate = NODE_HEARTBEATS_PER_SECOND;
        phases.push(
            self.stream("node heartbeats", node_heartbeats, rate, running, node)
                .await?,
        );
        Ok(())
    }

    async fn stream(
        &self,
        name: &str,
        count: usize,
        per_second: u32,
        running: &Running,
        change: impl Fn(usize) -> Change,
    ) -> anyhow::Result<Phase> {
        let start = self.moment(running).await?;
        let begun = Instant::now();
        paced(&self.server, count, per_second, change, |_| {}).await?;
        let length = begun.elapsed().as_secs_f64();
        tokio::time::sleep(self.scale.rest).await;
        self.phase(name, count, length, &start, running).await
    }

    async fn phase(
        &self,
        name: &str,
        changes: usize,
        seconds: f64,
        start: &Moment,
        running: &Running,
    ) -> anyhow::Result<Phase> {
        let end = Moment {
            peer: running.usage()?,
            server: self.server.usage()?,
            busy: machine_busy()?,
            derived: running.metrics().await?.sum(DERIVED),
        };
        let peer = end.peer.cpu_since(&start.peer);
        let server = end.server.cpu_since(&start.server);
        let busy = end.busy.saturating_sub(start.busy);
        Ok(Phase {
            name: name.to_owned(),
            changes,
            seconds,
            cpu_seconds: peer.as_secs_f64(),
            resident_bytes: end.peer.resident,
            peak_bytes: end.peer.peak,
            api_server_cpu_seconds: server.as_secs_f64(),
            other_cpu_seconds: busy.saturating_sub(peer + server).as_secs_f64(),
            derived_groups: end
                .derived
                .map(|after| after - start.derived.unwrap_or(0.0)),
        })
    }

    /// The counters are read before the clock of the processor, so that the reading is not in the phase.
    async fn moment(&self, running: &Running) -> anyhow::Result<Moment> {
        let derived = running.metrics().await?.sum(DERIVED);
        Ok(Moment {
            derived,
            peer: running.usage()?,
            server: self.server.usage()?,
            busy: machine_busy()?,
        })
    }

    /// Reads the final list of every job as often as a scraper would, until it is aborted. It ends by
    /// itself only when an answer is not a list.
    fn read_lists(&self, running: &Running, jobs: Jobs) -> JoinHandle<anyhow::Result<()>> {
        let (address, gzip) = (running.address, self.gzip);
        tokio::spawn(async move {
            let mut client = Client::connect(address).await?;
            // The first in the middle of the time to settle, so that it is always one.
            let first = tokio::time::Instant::now() + READ_INTERVAL / 3;
            let mut ticks = tokio::time::interval_at(first, READ_INTERVAL);
            let headers: &[_] = if gzip {
                &[("accept-encoding", "gzip")]
            } else {
                &[]
            };
            loop {
                ticks.tick().await;
                for job in jobs.list() {
                    let path = format!("/sd/{}", job.name);
                    let answer = client.get(&path, headers).await?;
                    let status = answer.status;
                    ensure!(status == StatusCode::OK, "`{path}` answered {status}");
                }
            }
        })
    }
}

/// Makes changes at a steady rate, each acknowledged before `acknowledged` hears of its number.
pub(super) async fn paced(
    server: &Arc<Server>,
    count: usize,
    per_second: u32,
    change: impl Fn(usize) -> Change,
    mut acknowledged: impl FnMut((usize, Instant)),
) -> anyhow::Result<()> {
    let slots = Arc::new(Semaphore::new(MOST_UNDER_WAY));
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
    let mut writes = JoinSet::new();
    for number in 0..count {
        ticks.tick().await;
        let slot = slots.clone().acquire_owned().await?;
        let (server, change) = (server.clone(), change(number));
        writes.spawn(async move {
            let made = server.make(change).await;
            drop(slot);
            made.map(|()| (number, Instant::now()))
        });
        while let Some(write) = writes.try_join_next() {
            acknowledged(write??);
        }
    }
    while let Some(write) = writes.join_next().await {
        let made = write?.context("a change failed")?;
        acknowledged(made);
    }
    Ok(())
}
