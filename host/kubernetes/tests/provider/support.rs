//! Servers, sections and providers for the tests.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Once;
use std::time::Duration;

use periplus_config::{KubernetesResourceSection, KubernetesSection, Role};
use periplus_discovery::{Discoverer, Updates, UpdatesProbe};
use periplus_kube_api::KubeApi;
use periplus_kubernetes::{KubernetesMechanism, KubernetesMetrics, KubernetesOptions};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Nothing takes this long unless it never happens.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Providers of one process, which share what they can, and a folder for their files.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    mechanism: KubernetesMechanism,
    registry: Registry,
}

/// A provider at work.
pub(crate) struct Running {
    pub(crate) probe: UpdatesProbe,
    pub(crate) task: JoinHandle<()>,
    pub(crate) stop: DropGuard,
}

// === impl World ===

impl World {
    pub(crate) fn new() -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // The binary does this; an error says that it is done.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let mut registry = Registry::default();
        let options = KubernetesOptions {
            metrics: KubernetesMetrics::register(&mut registry),
            ..KubernetesOptions::default()
        };
        Self {
            folder: tempfile::tempdir().unwrap(),
            mechanism: KubernetesMechanism::new(options),
            registry,
        }
    }

    /// The value of a counter of this process, such as `name{label="value"}`.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let mut lines = text.lines().filter_map(|line| line.rsplit_once(' '));
        let found = lines.find(|(found, _)| *found == name);
        found.map_or(0, |(_, value)| value.parse().unwrap())
    }

    /// A file with this content in the folder.
    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Starts a provider that connects by the server's kubeconfig unless the section says how.
    pub(crate) fn start(&self, api: &KubeApi, mut section: KubernetesSection) -> Running {
        if section.api_server.is_none()
            && section.kubeconfig_file.is_none()
            && section.clusters.is_none()
        {
            section.kubeconfig_file = Some(self.file("kubeconfig", &api.kubeconfig()));
        }
        self.start_section(section)
    }

    /// Starts a provider that connects as the section says.
    pub(crate) fn start_section(&self, section: KubernetesSection) -> Running {
        Running::of(self.mechanism.discoverer(&section, "kubernetes/1").unwrap())
    }

    /// Starts a provider for objects of any kind.
    pub(crate) fn start_resource(&self, section: &KubernetesResourceSection) -> Running {
        let discoverer = self
            .mechanism
            .resource_discoverer(section, "kubernetes_resource/1");
        Running::of(discoverer.unwrap())
    }
}

// === impl Running ===

impl Running {
    fn of(discoverer: Box<dyn Discoverer>) -> Self {
        let (updates, probe) = Updates::testing();
        let stop = CancellationToken::new();
        let task = tokio::spawn(discoverer.run(updates, stop.clone()));
        Self {
            probe,
            task,
            stop: stop.drop_guard(),
        }
    }

    pub(crate) async fn until(&self, what: &str, condition: impl FnMut(&UpdatesProbe) -> bool) {
        let waited = tokio::time::timeout(PATIENCE, self.probe.wait_until(condition)).await;
        assert!(waited.is_ok(), "never {what}: {:?}", self.probe.status());
    }

    pub(crate) async fn until_synced(&self) {
        self.until("synced", |probe| probe.status().synced).await;
    }

    pub(crate) async fn until_sources(&self, expected: &[&str]) {
        let expected: BTreeSet<String> = expected.iter().map(|&source| source.to_owned()).collect();
        self.until(&format!("{expected:?}"), |probe| sources(probe) == expected)
            .await;
    }

    /// Stops it as a reload does, and waits until it has ended.
    pub(crate) async fn end(self) {
        drop(self.stop);
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .unwrap()
            .unwrap();
    }
}

pub(crate) fn sources(probe: &UpdatesProbe) -> BTreeSet<String> {
    probe.groups().keys().map(ToString::to_string).collect()
}

/// Starts a provider in a world of its own.
pub(crate) fn start(api: &KubeApi, section: KubernetesSection) -> (Running, World) {
    let world = World::new();
    (world.start(api, section), world)
}

pub(crate) fn section(role: Role) -> KubernetesSection {
    KubernetesSection::new(role)
}

pub(crate) fn pod(namespace: &str, name: &str, ip: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name, "labels": {"app": name}},
        "spec": {"nodeName": "n1", "containers": [{
            "name": "c", "image": "i", "ports": [{"containerPort": 80, "protocol": "TCP"}],
        }]},
        "status": {"podIP": ip, "phase": "Running"},
    })
}

pub(crate) fn address(probe: &UpdatesProbe, source: &str) -> Option<String> {
    let groups = probe.groups();
    let address = groups.get(source)?.targets.first()?.get("__address__")?;
    Some(address.to_owned())
}
