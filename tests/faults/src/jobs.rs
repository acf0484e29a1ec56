//! The jobs that follow the stand-in.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use periplus_kube_api::KubeApi;

/// Two configurations.
pub(crate) struct Configurations {
    /// Every role, and several views of Pods.
    pub(crate) all: PathBuf,
    /// Only the selections that `all` has as well: without the wide watches they have their own.
    pub(crate) few: PathBuf,
}

/// Jobs in both configurations, each of which shows Pods by nothing that changes in their lives.
const FEW: &[(&str, &str)] = &[
    (
        "app-0",
        "role: pod, selectors: [{role: pod, label: app=app-0}]",
    ),
    (
        "app-1",
        "role: pod, selectors: [{role: pod, label: app=app-1}]",
    ),
];

/// Further jobs.
const MORE: &[(&str, &str)] = &[
    ("pods", "role: pod"),
    ("pods-of-one", "role: pod, namespaces: {names: [chaos-0]}"),
    (
        "pods-with-nodes",
        "role: pod, attach_metadata: {node: true, namespace: true}",
    ),
    ("nodes", "role: node"),
    ("services", "role: service"),
    (
        "slices",
        "role: endpointslice, attach_metadata: {node: true}",
    ),
];

/// Writes the configurations, and a kubeconfig for them.
pub(crate) fn write(folder: &Path, api: &KubeApi) -> std::io::Result<Configurations> {
    std::fs::write(folder.join("kubeconfig"), api.kubeconfig())?;
    let configurations = Configurations {
        all: folder.join("all.yml"),
        few: folder.join("few.yml"),
    };
    std::fs::write(&configurations.all, text(FEW.iter().chain(MORE)))?;
    std::fs::write(&configurations.few, text(FEW.iter()))?;
    Ok(configurations)
}

/// Whether a job shows a Pod as long as it lives.
pub(crate) fn shows_pods_all_their_lives(job: &str) -> bool {
    job.starts_with("app-") || job == "pods" || job == "pods-of-one"
}

fn text<'j>(jobs: impl Iterator<Item = &'j (&'j str, &'j str)>) -> String {
    let mut text = "scrape_configs:\n".to_owned();
    for (name, section) in jobs {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "  - job_name: {name}\n    kubernetes_sd_configs:\n      - {{kubeconfig_file: kubeconfig, {section}}}\n"
        );
    }
    text
}
