//! Runs one script: starts every part, takes the steps, and compares the sides.

mod agree;
mod twins;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::Client;
use serde_json::Value;
use tokio::time::Instant;

use crate::forgive::{Fired, Forgiveness};
use crate::kube::{Applied, Cluster};
use crate::marker::{Marker, Markers};
use crate::periplus::{Entry, List, Periplus, read_list};
use crate::process::free_port;
use crate::prometheus::{Prometheus, Targets};
use crate::proxy::{Mischief, Proxy};
use crate::script::{ObjectName, Part, Script, Step};
use crate::sides::{SIDES, Side, job_name, periplus_config};
use crate::steady::{Between, End, Reader};

/// What is run, and where.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The binary of Periplus.
    pub periplus: PathBuf,
    /// The binary of etcd and kube-apiserver.
    pub apiserver: PathBuf,
    /// The binary of Prometheus.
    pub prometheus: PathBuf,
    /// A directory for everything that the run writes.
    pub directory: PathBuf,
    /// What a proxy before Periplus does.
    pub mischief: Mischief,
    /// What may differ.
    pub forgiveness: Forgiveness,
}

/// A script that passed.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Steps taken.
    pub steps: usize,
    /// Comparisons among them.
    pub comparisons: usize,
    /// Lists of Periplus read between them.
    pub lists: u64,
    /// How often each accepted difference was found.
    pub fired: Fired,
    /// Time from the first step to the last.
    pub took: Duration,
}

/// Everything that runs for one script.
struct World {
    script: Script,
    cluster: Cluster,
    periplus: Periplus,
    proxy: Option<Proxy>,
    servers: Vec<Prometheus>,
    reader: Reader,
    client: Client,
    jobs: Vec<Value>,
    forgiveness: Forgiveness,
    fired: Fired,
    /// What happened since the last comparison.
    between: Between,
    last_step: Instant,
    end: Option<End>,
    comparisons: usize,
}

/// Runs a script. The error names the script, the step and what is wrong.
pub async fn run(script: Script, setup: &Setup) -> anyhow::Result<Report> {
    let name = script.name.clone();
    let started = Instant::now();
    let mut world = World::start(script, setup)
        .await
        .with_context(|| format!("script `{name}`: at the start"))?;
    let outcome = world
        .steps()
        .await
        .with_context(|| format!("script `{name}`"));
    let lists = world.reader.count();
    let stopped = world.stop().await;
    outcome?;
    stopped.with_context(|| format!("script `{name}`: at the end"))?;
    if lists == 0 {
        bail!("script `{name}`: no list was read between the comparisons");
    }
    let (steps, comparisons) = (world.script.steps.len() + 1, world.comparisons);
    Ok(Report {
        steps,
        comparisons,
        lists,
        fired: world.fired,
        took: started.elapsed(),
    })
}

// === impl World ===

impl World {
    async fn start(script: Script, setup: &Setup) -> anyhow::Result<Self> {
        let directory = setup.directory.join(&script.name);
        std::fs::create_dir_all(&directory)?;
        let ports = (free_port()?, free_port()?);
        let cluster = Cluster::start(&setup.apiserver, &directory, ports, "").await?;
        let kubeconfig = cluster.kubeconfig();
        let jobs = script.jobs.clone();
        let config = periplus_config(&jobs, &kubeconfig);
        let periplus = Periplus::start(&setup.periplus, &directory, free_port()?, &config).await?;
        let proxy = match setup.mischief {
            Mischief::None => None,
            mischief => Some(Proxy::start(periplus.url(), mischief).await?),
        };
        let url = proxy.as_ref().map_or(periplus.url(), Proxy::url).to_owned();
        let servers = SIDES.map(|side| {
            let config = side.config(&jobs, &kubeconfig, &url);
            start_server(side, setup, &directory, config)
        });
        let servers = futures::future::try_join_all(servers).await?;
        let reader = Reader::start(&url, names(&jobs))?;
        Ok(Self {
            script,
            cluster,
            periplus,
            proxy,
            servers,
            reader,
            client: Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(10))
                .build()?,
            jobs,
            forgiveness: setup.forgiveness.clone(),
            fired: Fired::new(),
            between: Between::default(),
            last_step: Instant::now(),
            end: None,
            comparisons: 0,
        })
    }

    async fn steps(&mut self) -> anyhow::Result<()> {
        let steps = self.script.steps.clone();
        for (index, step) in steps.iter().enumerate() {
            let place = || format!("step {} ({})", index + 2, step.key());
            self.cluster.check().with_context(place)?;
            self.periplus.check().with_context(place)?;
            self.step(step).await.with_context(place)?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> anyhow::Result<()> {
        match step {
            Step::Apply(objects) => {
                for object in objects {
                    self.apply(object).await?;
                }
            }
            Step::Patch(patches) => {
                for patch in patches {
                    self.cluster.patch(patch).await?;
                    self.changed(&patch.object, 1);
                    self.between.namespaces_changed |= patch.object.kind == "Namespace";
                }
            }
            Step::Delete(objects) => {
                for object in objects {
                    self.cluster.delete(object).await?;
                    self.changed(object, 1);
                }
            }
            Step::Restart(Part::ApiServer) => self.cluster.restart().await?,
            Step::Restart(Part::Periplus) => {
                self.between.restarts += 1;
                self.periplus.restart().await?;
            }
            Step::Reload(jobs) => self.reload(jobs).await?,
            Step::Compare { seconds, empty } => {
                self.compare(Duration::from_secs(*seconds), *empty).await?;
                if let Some(proxy) = &self.proxy {
                    proxy.arm();
                }
                return Ok(());
            }
        }
        self.last_step = Instant::now();
        Ok(())
    }

    async fn apply(&mut self, object: &Value) -> anyhow::Result<()> {
        let applied = self.cluster.apply(object).await?;
        // One write for the object and one for its status; a new one comes after a deletion.
        let writes = match applied {
            Applied::Created | Applied::Recreated => 2,
            Applied::Updated if object.get("status").is_some() => 2,
            Applied::Updated => 1,
        };
        self.between.namespaces_changed |=
            object["kind"] == "Namespace" && applied == Applied::Updated;
        self.changed(&ObjectName::of(object)?, writes);
        Ok(())
    }

    fn changed(&mut self, object: &ObjectName, writes: usize) {
        *self
            .between
            .changes
            .entry(Cluster::full_name(object))
            .or_default() += writes;
    }

    async fn reload(&mut self, jobs: &[Value]) -> anyhow::Result<()> {
        jobs.clone_into(&mut self.jobs);
        let kubeconfig = self.cluster.kubeconfig();
        // Periplus first: it must know the jobs that the others are about to ask for.
        self.periplus
            .reload(&periplus_config(jobs, &kubeconfig))
            .await?;
        let url = self.url();
        for server in &self.servers {
            server
                .reload(&server.side.config(jobs, &kubeconfig, &url))
                .await?;
        }
        self.reader.set_jobs(names(jobs));
        self.between.reloads += 1;
        Ok(())
    }

    fn url(&self) -> String {
        self.proxy
            .as_ref()
            .map_or(self.periplus.url(), Proxy::url)
            .to_owned()
    }

    async fn compare(&mut self, within: Duration, empty: bool) -> anyhow::Result<()> {
        let shown = self.servers[0].targets().await?;
        let namespaces_changed = self.between.namespaces_changed;
        let markers = Markers::write(&self.cluster, &self.jobs, &shown, namespaces_changed).await?;
        for namespace in &markers.namespaces {
            self.changed(&ObjectName::named("Namespace", "", namespace), 1);
        }
        let agreed = self.agree(&markers.all, within).await?;
        let is_real = |labels| !Marker::is_marker(labels);
        let real = agreed
            .targets
            .active_targets
            .iter()
            .any(|t| is_real(&t.discovered_labels))
            || agreed
                .targets
                .dropped_targets
                .iter()
                .any(|t| is_real(&t.discovered_labels));
        if !real && !empty {
            bail!("there are no targets at all, and the step does not say `empty: true`");
        }
        self.judge(&agreed.targets).await?;
        self.comparisons += 1;
        for (name, times) in agreed.fired {
            *self.fired.entry(name).or_default() += times;
        }
        markers.delete(&self.cluster).await
    }

    /// Looks back on the lists read since the last comparison.
    async fn judge(&mut self, agreed: &Targets) -> anyhow::Result<()> {
        let end = End::new(agreed, &self.lists("final").await?);
        let before = self.end.take().unwrap_or_default();
        let between = std::mem::take(&mut self.between);
        let complaints = self.reader.judge(&before, &end, &between);
        self.end = Some(end);
        if !complaints.is_empty() {
            bail!(
                "between the comparisons:\n    {}",
                complaints.join("\n    ")
            );
        }
        Ok(())
    }

    /// Periplus' lists of all jobs; a job that is not known has none.
    async fn lists(&self, stage: &str) -> anyhow::Result<BTreeMap<String, Vec<Entry>>> {
        let url = self.url();
        let mut lists = BTreeMap::new();
        for job in names(&self.jobs) {
            if let List::Known(entries) = read_list(&self.client, &url, &job, stage).await? {
                lists.insert(job, entries);
            }
        }
        Ok(lists)
    }

    async fn stop(&mut self) -> anyhow::Result<()> {
        for server in &mut self.servers {
            server.stop().await?;
        }
        let periplus = self.periplus.stop().await;
        self.cluster.stop().await?;
        periplus
    }
}

async fn start_server(
    side: Side,
    setup: &Setup,
    directory: &Path,
    config: String,
) -> anyhow::Result<Prometheus> {
    Prometheus::start(side, &setup.prometheus, directory, free_port()?, &config).await
}

fn names(jobs: &[Value]) -> Vec<String> {
    jobs.iter().map(|job| job_name(job).to_owned()).collect()
}
