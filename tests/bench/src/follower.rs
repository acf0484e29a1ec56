//! A Periplus that follows a cluster: waiting for it, and asking it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use hyper::StatusCode;
use periplus_kube_api::load::Cluster;

use crate::client::Client;
use crate::jobs::{Job, Jobs};
use crate::metrics::Metrics;
use crate::process::{Host, Usage};

/// What a step may take at most.
pub(crate) const PATIENCE: Duration = Duration::from_mins(5);

/// How often readiness is asked for: often enough to time a first sync, and cheap.
const POLL: Duration = Duration::from_millis(10);

/// A running host and a connection to it.
pub(crate) struct Follower {
    pub(crate) host: Host,
    pub(crate) client: Client,
    pub(crate) started: Instant,
}

// === impl Follower ===

impl Follower {
    /// Starts a host with this configuration in a folder of its own.
    pub(crate) async fn start(binary: &Path, config: &str, folder: &Path) -> anyhow::Result<Self> {
        let file = folder.join("periplus.yml");
        std::fs::write(&file, config)?;
        let started = Instant::now();
        let host = Host::start(binary, &file, &folder.join("cache"))?;
        let client = Client::connect(host.address).await?;
        Ok(Self {
            host,
            client,
            started,
        })
    }

    /// Waits until every job is known and has all its targets; the time since the start.
    pub(crate) async fn until_synced(
        &mut self,
        jobs: &[Job],
        cluster: &Cluster,
    ) -> anyhow::Result<Duration> {
        loop {
            let answer = self.client.get("/-/ready", &[]).await?;
            if answer.status == StatusCode::OK {
                break;
            }
            self.patience(&String::from_utf8_lossy(&answer.body))?;
            tokio::time::sleep(POLL).await;
        }
        let took = self.started.elapsed();
        loop {
            let metrics = self.metrics().await?;
            let missing = jobs
                .iter()
                .find(|job| metrics.discovered(job.name) < job.expected(cluster));
            let Some(job) = missing else { return Ok(took) };
            let waited = format!(
                "job `{}`: ready, but with {} targets of {}",
                job.name,
                metrics.discovered(job.name),
                job.expected(cluster)
            );
            self.patience(&waited)?;
            tokio::time::sleep(POLL).await;
        }
    }

    /// Fails when the host was started too long ago.
    pub(crate) fn patience(&self, what: &str) -> anyhow::Result<()> {
        ensure!(
            self.started.elapsed() < PATIENCE,
            "waited {PATIENCE:?} for {what}"
        );
        Ok(())
    }

    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        self.host.usage()
    }

    pub(crate) async fn metrics(&mut self) -> anyhow::Result<Metrics> {
        Metrics::read(&mut self.client).await
    }

    /// Reads the final list of every job, as a scraper does; the bytes of all.
    pub(crate) async fn read_lists(&mut self, jobs: Jobs) -> anyhow::Result<usize> {
        let mut bytes = 0;
        for job in jobs.list() {
            bytes += self.read(&format!("/sd/{}", job.name), &[]).await?.len();
        }
        Ok(bytes)
    }

    /// Reads one path, whole.
    pub(crate) async fn read(
        &mut self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> anyhow::Result<bytes::Bytes> {
        let answer = self.client.get(path, headers).await?;
        ensure!(
            answer.status == StatusCode::OK,
            "`{path}` answered {}",
            answer.status
        );
        Ok(answer.body)
    }

    /// The tags of all final lists.
    pub(crate) async fn tags(&mut self, jobs: Jobs) -> anyhow::Result<Vec<String>> {
        let mut tags = Vec::new();
        for job in jobs.list() {
            tags.push(self.client.tag(&format!("/sd/{}", job.name)).await?);
        }
        Ok(tags)
    }
}
