//! A manager with the Kubernetes mechanism, as the binary has them, within this process.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use periplus_config::{LoadOptions, Section, SectionKind, TransformerConfig, load_file};
use periplus_core::TargetGroup;
use periplus_discovery::{
    Discoverer, JobHandle, Manager, ManagerHandle, ManagerOptions, Mechanisms, Transformer,
};
use periplus_kubernetes::{KubernetesMechanism, KubernetesOptions};
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::jobs::Configurations;

/// How long a job may take until it is known.
const PATIENCE: Duration = Duration::from_mins(3);

/// How long a configuration runs before the other takes its turn.
const TURN: Duration = Duration::from_secs(3);

/// What one job has: groups by source.
pub(crate) type Groups = BTreeMap<String, Arc<TargetGroup>>;

/// Everything that discovers, without fronts.
pub(crate) struct Host {
    handle: ManagerHandle,
    _stop: DropGuard,
}

struct Kubernetes(KubernetesMechanism);

// === impl Host ===

impl Host {
    /// Starts with a configuration file; returns when every job is known.
    pub(crate) async fn start(config: &Path) -> anyhow::Result<Self> {
        let mechanism = KubernetesMechanism::new(KubernetesOptions::default());
        let mechanisms: Arc<dyn Mechanisms> = Arc::new(Kubernetes(mechanism));
        let (manager, handle) = Manager::new(mechanisms, ManagerOptions::default());
        let stop = CancellationToken::new();
        tokio::spawn(manager.run(stop.clone()));
        let host = Self {
            handle,
            _stop: stop.drop_guard(),
        };
        host.apply(config).await?;
        timeout(PATIENCE, host.known())
            .await
            .with_context(|| format!("not known in time: {:?}", host.handle.providers()))?;
        Ok(host)
    }

    /// Makes a configuration file the running one.
    pub(crate) async fn apply(&self, config: &Path) -> anyhow::Result<()> {
        let loaded = load_file(config, &LoadOptions::default());
        let loaded = loaded.map_err(|errors| anyhow::anyhow!("{errors}"))?;
        let report = self.handle.apply(loaded.config).await;
        ensure!(
            report.failed_sections.is_empty(),
            "sections failed: {:?}",
            report.failed_sections
        );
        Ok(())
    }

    /// Takes turns between two configurations for ever; why it cannot.
    pub(crate) async fn alternate(&self, configs: &Configurations) -> anyhow::Error {
        loop {
            for config in [&configs.all, &configs.few] {
                sleep(TURN).await;
                if let Err(error) = self.apply(config).await {
                    return error;
                }
            }
        }
    }

    async fn known(&self) {
        while !self.jobs().iter().all(|job| job.snapshots.borrow().known) {
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The jobs with their snapshots.
    pub(crate) fn jobs(&self) -> Vec<JobHandle> {
        let directory = self.handle.directory();
        let directory = directory.borrow();
        directory.jobs.values().cloned().collect()
    }

    /// What each job has now.
    pub(crate) fn groups(&self) -> BTreeMap<String, Groups> {
        let groups = |job: &JobHandle| {
            let snapshot = job.snapshots.borrow().clone();
            let groups = snapshot.groups.iter();
            groups
                .map(|(key, result)| (key.source.to_string(), result.discovered().group()))
                .collect()
        };
        let jobs = self.jobs();
        jobs.iter()
            .map(|job| (job.name.to_string(), groups(job)))
            .collect()
    }

    /// What the providers say of themselves, for messages.
    pub(crate) fn problems(&self) -> Vec<String> {
        let providers = self.handle.providers().into_iter();
        providers
            .filter_map(|it| {
                it.last_error
                    .map(|(_, error)| format!("{}: {error}", it.name))
            })
            .collect()
    }
}

// === impl Kubernetes ===

impl Mechanisms for Kubernetes {
    fn discoverer(&self, section: &Section, name: &str) -> Result<Box<dyn Discoverer>, String> {
        match &section.kind {
            SectionKind::Kubernetes(kubernetes) => self.0.discoverer(kubernetes, name),
            _ => Err(format!("`{}` has no part in this", section.mechanism)),
        }
    }

    fn transformer(&self, _: &TransformerConfig) -> Result<Arc<dyn Transformer>, String> {
        Err("transformers have no part in this".to_owned())
    }
}
