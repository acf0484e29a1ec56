//! Whether Periplus shows related objects as they are, even where Prometheus agrees that it need not.
//!
//! Two sides that both remember an old Pod agree. We promise more than agreement: what changes is seen. So labels
//! that come from Pods, nodes and namespaces are also held against the objects themselves.

use std::collections::BTreeSet;

use super::condition::Scene;
use crate::facts::{Candidates, PREFIX, object_of, of_namespace, of_node, of_pod};
use crate::prometheus::Labels;
use crate::script::ObjectName;

// === impl Scene ===

impl Scene<'_> {
    /// The labels of our side that are not what the objects say, each with both values.
    pub(super) fn overlooked(&self) -> Vec<String> {
        let Some(ours) = self.ours else {
            return Vec::new();
        };
        let mut found = Vec::new();
        if self.role.starts_with("endpoint") {
            // A target that refers to no Pod has none of its labels either.
            let pod = self.pod().and_then(|name| self.now("pod", &name));
            differing(ours, "pod_", &of_pod(pod.as_ref()), &mut found);
            if self.attaches("node") {
                let node = self.node().and_then(|name| self.now("node", &name));
                let named = self.is_named_port();
                let labels = of_node(node.as_ref().filter(|_| named));
                differing(ours, "node_", &labels, &mut found);
            }
        }
        if self.attaches("namespace") {
            let name = object_of("namespace", ours);
            let namespace = name.and_then(|name| self.history.now(&name));
            // Namespaces that the server made by itself are not in the history.
            if namespace.is_some() || self.history.knows(&self.namespace()) {
                differing(
                    ours,
                    "namespace_",
                    &of_namespace(namespace.as_ref()),
                    &mut found,
                );
            }
        }
        found
    }

    fn namespace(&self) -> ObjectName {
        let labels = self.ours.or(self.direct);
        let name = labels.and_then(|labels| object_of("namespace", labels));
        name.unwrap_or_else(|| ObjectName::named("Namespace", "", ""))
    }
}

/// Adds every label beginning so, on either side, whose value is not the one that stands.
fn differing(ours: &Labels, part: &str, expected: &Candidates, found: &mut Vec<String>) {
    // Ports and owners are not what the object itself says.
    let not_of_object = |label: &str| {
        [
            "pod_container_",
            "pod_deployment_",
            "pod_job_",
            "pod_cronjob_",
        ]
        .iter()
        .any(|other| label.starts_with(&format!("{PREFIX}{other}")))
    };
    let start = format!("{PREFIX}{part}");
    let labels: BTreeSet<&String> = ours
        .keys()
        .chain(expected.keys())
        .filter(|label| label.starts_with(&start) && !not_of_object(label))
        .collect();
    for label in labels {
        let shown = ours.get(label).map_or("", String::as_str);
        let present = expected.get(label).and_then(|values| values.last());
        let present = present.map_or("", String::as_str);
        if shown != present {
            found.push(format!(
                "{label}: {shown:?}, and the object says {present:?}"
            ));
        }
    }
}
