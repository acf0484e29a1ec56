//! Changes to a [`Cluster`], as requests that any API server takes.

use serde_json::{Value, json};

use super::cluster::{Cluster, PodRef};
use super::{baseline, objects};
use crate::KubeApi;
use crate::write::timestamp;

/// Heartbeats count seconds from here.
const BEATS_BEGIN: u64 = 1_790_000_000;

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A JSON merge patch.
    Patch {
        /// What is patched.
        object: Name,
        /// Whether it goes to the subresource `status`.
        status: bool,
        /// The patch.
        patch: Value,
    },
    /// The whole object, new or not, its status included.
    Apply(Value),
    /// The object goes, at once.
    Delete(Name),
}

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// As in [`KubeApi::get`]: `v1/pods`.
    pub resource: &'static str,
    /// Empty for objects of the cluster.
    pub namespace: String,
    /// The name.
    pub name: String,
}

// === impl Change ===

impl Change {
    /// Writes to a stand-in; false if the object is not there.
    pub fn make(&self, api: &KubeApi) -> bool {
        match self {
            Self::Patch { object, patch, .. } => {
                let Name {
                    resource,
                    namespace,
                    name,
                } = object;
                api.patch(resource, namespace, name, patch).is_some()
            }
            Self::Apply(object) => api.apply(object.clone()) > 0,
            Self::Delete(object) => api.delete(object.resource, &object.namespace, &object.name),
        }
    }
}

// === impl Cluster ===

impl Cluster {
    /// A Pod's label `lab-seq` gets this value, which every target shows.
    pub fn label_change(&self, pod: PodRef, value: &str) -> Change {
        Change::Patch {
            object: self.pod_object(pod),
            status: false,
            patch: json!({"metadata": {"labels": {"lab-seq": value}}}),
        }
    }

    /// The kubelet looked at a Pod again: no target shows it. `beat` must differ from call to call.
    pub fn pod_heartbeat(&self, pod: PodRef, beat: u64) -> Change {
        let conditions = baseline::conditions(Some(&timestamp(BEATS_BEGIN + beat)));
        Change::Patch {
            object: self.pod_object(pod),
            status: true,
            patch: json!({"status": {"conditions": conditions}}),
        }
    }

    /// A node says that it is well: no target shows it. `beat` must differ from call to call.
    pub fn node_heartbeat(&self, node: usize, beat: u64) -> Change {
        let conditions = objects::conditions(&timestamp(BEATS_BEGIN + beat));
        Change::Patch {
            object: node_object(node),
            status: true,
            patch: json!({"status": {"conditions": conditions}}),
        }
    }

    /// A node's label changes, which all its Pods' targets show with `attach_metadata`.
    pub fn node_change(&self, node: usize, value: &str) -> Change {
        Change::Patch {
            object: node_object(node),
            status: false,
            patch: json!({"metadata": {"labels": {"lab-seq": value}}}),
        }
    }

    /// A Pod goes and another takes its place, as a rolling update does: the old one is deleted, the new
    /// one created, and the slice names it. `generation` says which Pod fills the other places.
    pub fn replacement(&self, old: PodRef, generation: impl Fn(usize) -> usize) -> [Change; 3] {
        let next = PodRef {
            generation: old.generation + 1,
            ..old
        };
        let (service, part) = self.slice_of(old.place);
        let slice = self.slice(service, part, |place| {
            if place == old.place {
                next.generation
            } else {
                generation(place)
            }
        });
        [
            Change::Delete(self.pod_object(old)),
            Change::Apply(self.pod(next)),
            Change::Apply(slice),
        ]
    }

    fn pod_object(&self, pod: PodRef) -> Name {
        let (namespace, name) = self.pod_name(pod);
        Name {
            resource: "v1/pods",
            namespace,
            name,
        }
    }
}

fn node_object(node: usize) -> Name {
    Name {
        resource: "v1/nodes",
        namespace: String::new(),
        name: objects::node_name(node),
    }
}
