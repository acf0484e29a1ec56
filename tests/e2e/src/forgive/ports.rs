//! Targets for ports of Pods that the endpoints do not name.

use serde_json::Value;

use super::condition::{Scene, is_same};
use crate::facts::{Candidates, PREFIX, hidden_ports, object_of, of_pod, shown_ports};
use crate::prometheus::Labels;

// === impl Scene ===

impl Scene<'_> {
    /// Whether Prometheus has, or lacks, the port by a state that the Pod has left.
    pub(super) fn pod_ports_changed(&self) -> Option<bool> {
        let labels = self.any()?;
        let name = self.pod()?;
        let object = self.history.now(&object_of(self.role, labels)?);
        let shown = shown_ports(object.as_ref(), &name.name)?;
        let now = self.now("pod", &name);
        let is_hidden_port_of = |pod: Option<&Value>, labels: &Labels| {
            hidden_ports(pod, &shown).iter().any(|port| {
                port.iter()
                    .all(|(label, value)| is_same(Self::value(Some(labels), label), Some(value)))
            })
        };
        let past = self.before("pod", &name);
        let holds = match (self.direct, self.ours) {
            (Some(theirs), None) => {
                !is_hidden_port_of(now.as_ref(), theirs)
                    && past
                        .iter()
                        .any(|state| is_hidden_port_of(state.as_ref(), theirs))
            }
            (None, Some(ours)) => {
                is_hidden_port_of(now.as_ref(), ours)
                    && self.has_all_of(ours, &of_pod(now.as_ref()))
                    && past
                        .iter()
                        .any(|state| !is_hidden_port_of(state.as_ref(), ours))
            }
            _ => false,
        };
        // A port that the endpoints name is theirs, whatever the Pod says.
        Some(holds && !self.is_named_port())
    }

    /// Whether a target shows the Pod's labels as they are, all of them and no others.
    fn has_all_of(&self, labels: &Labels, pod: &Candidates) -> bool {
        let own = |label: &str| {
            label.starts_with("__meta_kubernetes_pod_")
                && !label.starts_with("__meta_kubernetes_pod_container_")
        };
        // Owners have a condition of their own.
        let owner = |label: &str| {
            ["deployment", "job", "cronjob"]
                .iter()
                .any(|what| label == format!("{PREFIX}pod_{what}_name"))
        };
        let mut expected = pod.iter().filter(|(label, _)| !owner(label));
        let mut shown = labels.keys().filter(|label| own(label) && !owner(label));
        expected.all(|(label, values)| {
            self.is_present(labels.get(label).map(String::as_str), Some(values))
        }) && shown.all(|label| pod.contains_key(label))
    }
}
