//! The programs that are compared, each started and read in its own way.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use periplus_e2e::process::free_port;
use serde::{Deserialize, Serialize};

use super::{PATIENCE, Programs};
use crate::client::Client;
use crate::jobs::{Jobs, Targets};
use crate::metrics::Metrics;
use crate::process::{Daemon, Host, Usage};

/// As often the baseline asks a starting process for its counters.
const POLL: Duration = Duration::from_millis(250);

/// A program that discovers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Peer {
    /// Prometheus, every target dropped by its first rule.
    Prometheus,
    /// Periplus, every target kept.
    Periplus,
}

/// A running one.
pub(super) struct Running {
    process: Process,
    pub(super) address: std::net::SocketAddr,
    pub(super) started: Instant,
}

enum Process {
    Prometheus(Daemon),
    Periplus(Host),
}

// === impl Peer ===

impl Peer {
    pub(crate) const ALL: [Self; 2] = [Self::Prometheus, Self::Periplus];

    /// Its name for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Prometheus => "Prometheus",
            Self::Periplus => "Periplus",
        }
    }

    /// The configuration for the phases.
    pub(super) fn config(self, jobs: Jobs, section: &str) -> String {
        match self {
            Self::Prometheus => jobs.config(section, Targets::Dropped),
            Self::Periplus => jobs.config(section, Targets::Kept),
        }
    }

    /// The configuration for latency: Prometheus keeps the targets that it is asked for and no others,
    /// Periplus keeps all and has them in a job of their own as well.
    pub(super) fn latency_config(self, section: &str) -> String {
        match self {
            Self::Prometheus => Jobs::One.config(section, Targets::Probes),
            Self::Periplus => Jobs::One.with_probe_job(section),
        }
    }

    /// Starts it.
    pub(super) fn start(
        self,
        programs: &Programs,
        config: &str,
        folder: &Path,
    ) -> anyhow::Result<Running> {
        let file = folder.join("prometheus.yml");
        std::fs::write(&file, config)?;
        let started = Instant::now();
        let (process, address) = match self {
            Self::Prometheus => {
                let address = std::net::SocketAddr::from(([127, 0, 0, 1], free_port()?));
                let flags = [
                    format!("--config.file={}", file.display()),
                    format!("--storage.tsdb.path={}", folder.join("data").display()),
                    format!("--web.listen-address={address}"),
                    "--log.level=warn".to_owned(),
                ];
                let program = &programs.prometheus;
                let daemon = Daemon::start("prometheus", program, &flags, folder)?;
                (Process::Prometheus(daemon), address)
            }
            Self::Periplus => {
                let host = Host::start(&programs.periplus, &file, &folder.join("cache"))?;
                let address = host.address;
                (Process::Periplus(host), address)
            }
        };
        Ok(Running {
            process,
            address,
            started,
        })
    }
}

// === impl Running ===

impl Running {
    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        match &self.process {
            Process::Prometheus(daemon) => daemon.usage(),
            Process::Periplus(host) => host.usage(),
        }
    }

    pub(super) async fn metrics(&self) -> anyhow::Result<Metrics> {
        Metrics::read(&mut Client::connect(self.address).await?).await
    }

    /// Waits until its counters show all targets of all jobs; how often it was asked.
    pub(super) async fn until_discovered(
        &mut self,
        expected: &[(&str, usize)],
    ) -> anyhow::Result<u32> {
        let mut polls = 0;
        loop {
            if let Process::Prometheus(daemon) = &mut self.process {
                daemon.check()?;
            }
            // Before it listens there is nothing to read.
            let metrics = self.metrics().await.ok();
            polls += 1;
            if metrics.is_some_and(|metrics| self.has_all(&metrics, expected)) {
                return Ok(polls);
            }
            ensure!(
                self.started.elapsed() < PATIENCE,
                "waited {PATIENCE:?} for all targets"
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// CPU that one reading of its counters takes.
    pub(super) async fn poll_cost(&self, polls: u32) -> anyhow::Result<Duration> {
        let before = self.usage()?;
        for _ in 0..polls {
            self.metrics().await?;
        }
        Ok(self.usage()?.cpu_since(&before) / polls)
    }

    fn has_all(&self, metrics: &Metrics, expected: &[(&str, usize)]) -> bool {
        let complete = expected
            .iter()
            .all(|(job, targets)| metrics.discovered(job) >= *targets);
        // In Prometheus the targets are of use only when their pool exists, a tick later.
        let pooled = match self.process {
            Process::Prometheus(_) => metrics
                .sum("prometheus_target_scrape_pool_targets")
                .is_some(),
            Process::Periplus(_) => true,
        };
        complete && pooled
    }
}
