//! Takes a script's steps without Periplus: whoever writes scripts learns within seconds what the API server
//! refuses, and in a little more what Prometheus itself overlooks.
//!
//! A Prometheus that has just started has built every group from the present. Where one that has watched the
//! whole script shows something else, it remembers, and that must be covered by `differences.yaml`: so the
//! predicates are shown to speak of Prometheus, whatever Periplus does.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::time::sleep;

use crate::compare::Differences;
use crate::forgive::{Fired, Forgiveness, count};
use crate::kube::Cluster;
use crate::process::free_port;
use crate::prometheus::{Labels, Prometheus, Targets};
use crate::script::{Part, Script, Step};
use crate::sides::Side;

/// Time between two readings of a server.
const EVERY: Duration = Duration::from_secs(1);

/// Its discovery hands changes on every five seconds, so it has settled when this many readings are equal.
const EQUAL: usize = 7;

/// More readings than a server ever needs.
const READINGS: usize = 60;

/// What is rehearsed, and where.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The binary of etcd and kube-apiserver.
    pub apiserver: PathBuf,
    /// The binary of Prometheus, and what it may overlook; without it the steps are taken on the server alone.
    pub prometheus: Option<(PathBuf, Forgiveness)>,
    /// A directory for everything that the run writes.
    pub directory: PathBuf,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many objects were changed.
    pub changes: usize,
    /// What Prometheus overlooked.
    pub fired: Fired,
}

struct Rehearsal<'a> {
    cluster: Cluster,
    directory: &'a Path,
    jobs: Vec<Value>,
    /// The server that has watched everything.
    old: Option<(Prometheus, &'a Path, &'a Forgiveness)>,
    report: Report,
}

/// Takes all steps; the error names the step, and the object or the labels.
pub async fn run(script: &Script, setup: &Setup) -> anyhow::Result<Report> {
    let directory = setup.directory.join(&script.name);
    std::fs::create_dir_all(&directory)?;
    let ports = (free_port()?, free_port()?);
    let cluster = Cluster::start(&setup.apiserver, &directory, ports, "").await?;
    let mut rehearsal = Rehearsal {
        cluster,
        directory: &directory,
        jobs: script.jobs.clone(),
        old: None,
        report: Report::default(),
    };
    if let Some((program, forgiveness)) = &setup.prometheus {
        let server = rehearsal.start(program, "old").await?;
        rehearsal.old = Some((server, program, forgiveness));
    }
    let outcome = rehearsal.steps(script).await;
    if let Some((server, _, _)) = &mut rehearsal.old {
        server.stop().await?;
    }
    rehearsal.cluster.stop().await?;
    outcome.with_context(|| format!("script `{}`", script.name))?;
    Ok(rehearsal.report)
}

// === impl Rehearsal ===

impl Rehearsal<'_> {
    async fn start(&self, program: &Path, name: &str) -> anyhow::Result<Prometheus> {
        let directory = self.directory.join(name);
        std::fs::create_dir_all(&directory)?;
        let config = Side::Direct.config(&self.jobs, &self.cluster.kubeconfig(), "");
        Prometheus::start(Side::Direct, program, &directory, free_port()?, &config).await
    }

    async fn steps(&mut self, script: &Script) -> anyhow::Result<()> {
        for (index, step) in script.steps.iter().enumerate() {
            let place = || format!("step {} ({})", index + 2, step.key());
            self.take(step, index).await.with_context(place)?;
        }
        Ok(())
    }

    async fn take(&mut self, step: &Step, index: usize) -> anyhow::Result<()> {
        match step {
            Step::Apply(objects) => {
                for object in objects {
                    self.cluster.apply(object).await?;
                    self.report.changes += 1;
                }
            }
            Step::Patch(patches) => {
                for patch in patches {
                    self.cluster.patch(patch).await?;
                    self.report.changes += 1;
                }
            }
            Step::Delete(objects) => {
                for object in objects {
                    self.cluster.delete(object).await?;
                    self.report.changes += 1;
                }
            }
            Step::Restart(Part::ApiServer) => self.cluster.restart().await?,
            Step::Restart(Part::Periplus) => {}
            Step::Reload(jobs) => {
                jobs.clone_into(&mut self.jobs);
                let config = Side::Direct.config(jobs, &self.cluster.kubeconfig(), "");
                if let Some((server, _, _)) = &self.old {
                    server.reload(&config).await?;
                }
            }
            Step::Compare { .. } => self.compare(index).await?,
        }
        Ok(())
    }

    /// Lays what the old server shows beside what a new one shows.
    async fn compare(&mut self, index: usize) -> anyhow::Result<()> {
        let Some((_, program, forgiveness)) = self.old else {
            return Ok(());
        };
        let mut new = self.start(program, &format!("new-{index}")).await?;
        let Some((old, _, _)) = &mut self.old else {
            return Ok(());
        };
        let (left, right) = tokio::try_join!(settled(old), settled(&mut new))?;
        new.stop().await?;
        let never = |_: &str, _: &Labels| None;
        let mut found = Differences::between(&left, &right, Side::Discovered, &never);
        let history = self.cluster.history();
        found.forgive(&|difference| forgiveness.reasons(difference, &self.jobs, history));
        for (difference, names) in found.forgiven() {
            count(&mut self.report.fired, difference, names);
        }
        if !found.is_empty() {
            bail!("a new Prometheus (`discovered` below) shows what the old one does not\n{found}");
        }
        Ok(())
    }
}

/// What a server shows once it shows the same twice.
async fn settled(server: &mut Prometheus) -> anyhow::Result<Targets> {
    let (mut before, mut equal) = (Targets::default(), 0);
    for _ in 0..READINGS {
        sleep(EVERY).await;
        let now = server.targets().await?;
        equal = if before == now { equal + 1 } else { 0 };
        if equal == EQUAL {
            return Ok(now);
        }
        before = now;
    }
    bail!("the targets of a Prometheus do not come to rest")
}
