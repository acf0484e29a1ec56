//! The jobs of the benchmarks, as configurations of Prometheus and of Periplus.

use std::fmt::Write;

use periplus_kube_api::load::Cluster;
use serde::{Deserialize, Serialize};

/// The job whose list is short: the Pods that latency is measured by.
pub(crate) const PROBE_JOB: &str = "probe";

/// Which jobs are configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Jobs {
    /// One job, role pod.
    One,
    /// The usual five: Pods with node metadata, slow Pods, slices with node metadata, services, nodes.
    Five,
}

/// What becomes of the targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Targets {
    /// All are dropped by the first rule: discovery alone.
    Dropped,
    /// All are kept, with the labels of their object.
    Kept,
    /// Only those of Pods labelled `lab-probe=true` are kept.
    Probes,
}

/// One scrape job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    pub(crate) name: &'static str,
    role: &'static str,
    node_metadata: bool,
    /// The object whose labels a target gets.
    labels_of: &'static str,
}

const PODS: Job = Job {
    name: "kubernetes-pods",
    role: "pod",
    node_metadata: false,
    labels_of: "pod",
};
const FIVE: [Job; 5] = [
    Job {
        node_metadata: true,
        ..PODS
    },
    Job {
        name: "kubernetes-service-endpoints",
        role: "endpointslice",
        node_metadata: true,
        ..PODS
    },
    Job {
        name: "kubernetes-nodes",
        role: "node",
        node_metadata: false,
        labels_of: "node",
    },
    Job {
        name: "kubernetes-services",
        role: "service",
        node_metadata: false,
        labels_of: "service",
    },
    Job {
        name: "kubernetes-pods-slow",
        ..PODS
    },
];

// === impl Jobs ===

impl Jobs {
    pub(crate) const ALL: [Self; 2] = [Self::One, Self::Five];

    /// The jobs themselves.
    pub(crate) fn list(self) -> &'static [Job] {
        match self {
            Self::One => &[PODS],
            Self::Five => &FIVE,
        }
    }

    /// Its name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Five => "five",
        }
    }

    /// Whether node metadata is attached in one of them.
    pub(crate) fn attaches_nodes(self) -> bool {
        self.list().iter().any(|job| job.node_metadata)
    }

    /// A configuration with these jobs; `section` is what says where the API server is.
    pub(crate) fn config(self, section: &str, targets: Targets) -> String {
        let mut text = String::from(
            "global: {keep_dropped_targets: 100, scrape_interval: 24h}\nscrape_configs:\n",
        );
        for job in self.list() {
            job.write(&mut text, job.name, section, targets);
        }
        text
    }

    /// One more job beside others, with the Pods that latency is measured by.
    pub(crate) fn with_probe_job(self, section: &str) -> String {
        let mut text = self.config(section, Targets::Kept);
        PODS.write(&mut text, PROBE_JOB, section, Targets::Probes);
        text
    }
}

// === impl Job ===

impl Job {
    /// How many targets the job has at least, two for each Pod. (The API server adds a service of its own.)
    pub(crate) fn expected(&self, cluster: &Cluster) -> usize {
        match self.role {
            "node" => cluster.nodes,
            "service" => cluster.services,
            _ => 2 * cluster.pods,
        }
    }

    fn write(&self, text: &mut String, name: &str, section: &str, targets: Targets) {
        let Self {
            role, labels_of, ..
        } = self;
        let attach = if self.node_metadata {
            ", attach_metadata: {node: true}"
        } else {
            ""
        };
        let keep_labels = format!(
            "      - {{action: labelmap, regex: __meta_kubernetes_{labels_of}_label_(.+)}}\n"
        );
        let names = ["namespace", "pod", "node", "service"].map(|label| {
            let source = match label {
                "namespace" => "__meta_kubernetes_namespace".to_owned(),
                _ => format!("__meta_kubernetes_{label}_name"),
            };
            format!("      - {{source_labels: [{source}], regex: (.+), target_label: {label}}}\n")
        });
        let keep = keep_labels + &names.concat();
        let probes = "      - {source_labels: [__meta_kubernetes_pod_label_lab_probe], regex: \"true\", action: keep}\n";
        let rules = match targets {
            Targets::Dropped => "      - {action: drop}\n".to_owned(),
            Targets::Kept => keep,
            Targets::Probes => probes.to_owned() + &keep,
        };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "  - job_name: {name}\n    kubernetes_sd_configs:\n      - {{role: {role}, {section}{attach}}}\n    \
             relabel_configs:\n{rules}"
        );
    }
}
