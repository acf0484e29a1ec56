//! The conditions of predicates, decided on objects.

use serde::Deserialize;
use serde_json::Value;

use crate::facts::{
    Candidates, PREFIX, competing, controller, has_address, kind_of, object_of, of_namespace,
    of_node, of_pod, of_port, ports_of, referenced,
};
use crate::history::History;
use crate::prometheus::Labels;
use crate::script::ObjectName;
use crate::selector::sees;
use crate::sides::attaches;

/// What must be so for a predicate to cover a label, or a whole target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// Prometheus shows labels of a state that the Pod behind the endpoint has left; Periplus those of the
    /// Pod as it is.
    PodChanged,
    /// A target stands for a port of a Pod that the endpoints do not name. Prometheus has it by a state that
    /// the Pod has left, or lacks it by such a state; Periplus has it exactly if the Pod is so now.
    PodPortsChanged,
    /// The endpoint refers to no Pod or node that Prometheus would find it by when its node changes: Prometheus
    /// shows labels of a state that the node has left, Periplus those of the node as it is.
    NodeChanged,
    /// Prometheus shows the `ReplicaSet`'s or `Job`'s owner as it once was, or nothing; Periplus as it is.
    OwnerChanged,
    /// Prometheus shows labels of a namespace that is gone, or none of one that came back; Periplus what is.
    NamespaceCameOrWent,
    /// The node has no address now; Prometheus keeps the target, Periplus has none.
    NodeWithoutAddress,
    /// Several names of the object become this label. Both sides show a value of one of them, Periplus that of
    /// the last name in the order of bytes.
    NamesCollide,
}

/// What a condition looks at: one difference, and what was and is in the cluster.
pub(super) struct Scene<'a> {
    pub(super) history: &'a History,
    pub(super) section: &'a Value,
    pub(super) role: &'a str,
    pub(super) direct: Option<&'a Labels>,
    pub(super) ours: Option<&'a Labels>,
    /// Whether our side may show any of colliding values too.
    pub(super) any_of_colliding: bool,
}

// === impl Condition ===

impl Condition {
    /// Whether it speaks of targets that one side alone shows.
    pub(super) fn is_of_whole_targets(self) -> bool {
        matches!(self, Self::PodPortsChanged | Self::NodeWithoutAddress)
    }

    /// Whether it holds for this label of the difference, or for the target as such.
    pub(super) fn holds(self, scene: &Scene<'_>, label: &str) -> bool {
        let holds = match self {
            Self::PodChanged => scene.pod_changed(label),
            Self::PodPortsChanged => scene.pod_ports_changed(),
            Self::NodeChanged => scene.node_changed(label),
            Self::OwnerChanged => scene.owner_changed(label),
            Self::NamespaceCameOrWent => scene.namespace_came_or_went(label),
            Self::NodeWithoutAddress => scene.node_without_address(),
            Self::NamesCollide => scene.names_collide(label),
        };
        holds.unwrap_or(false)
    }
}

// === impl Scene ===

impl Scene<'_> {
    pub(super) fn attaches(&self, what: &str) -> bool {
        attaches(self.section, what)
    }

    /// An object as the section sees it now.
    pub(super) fn now(&self, role: &str, name: &ObjectName) -> Option<Value> {
        self.history
            .now(name)
            .filter(|state| sees(self.section, role, state))
    }

    /// What the section saw of an object before now.
    pub(super) fn before(&self, role: &str, name: &ObjectName) -> Vec<Option<Value>> {
        let states = self.history.before(name).into_iter();
        states
            .map(|state| state.filter(|state| sees(self.section, role, state)))
            .collect()
    }

    pub(super) fn any(&self) -> Option<&Labels> {
        self.ours.or(self.direct)
    }

    pub(super) fn value<'l>(labels: Option<&'l Labels>, label: &str) -> Option<&'l str> {
        labels?.get(label).map(String::as_str)
    }

    /// Whether our value is the present one, and the direct side's one of the past.
    fn is_past_and_present(&self, label: &str, now: &Candidates, past: &[Candidates]) -> bool {
        let (theirs, ours) = (
            Self::value(self.direct, label),
            Self::value(self.ours, label),
        );
        self.is_present(ours, now.get(label))
            && past.iter().any(|state| is_among(theirs, state.get(label)))
    }

    pub(super) fn is_present(&self, ours: Option<&str>, now: Option<&Vec<String>>) -> bool {
        if self.any_of_colliding {
            return is_among(ours, now);
        }
        is_same(ours, now.and_then(|values| values.last()))
    }

    /// The Pod that the endpoint, or the port that it hides, belongs to.
    pub(super) fn pod(&self) -> Option<ObjectName> {
        let labels = self.any()?;
        let object = object_of(self.role, labels)?;
        let named = || labels.get(&format!("{PREFIX}pod_name")).cloned();
        let name = referenced(labels, "Pod").or_else(named)?;
        Some(ObjectName::named("Pod", &object.namespace, &name))
    }

    /// The node that the endpoint runs on: slices prefer the one that they refer to, endpoints the one they name.
    pub(super) fn node(&self) -> Option<ObjectName> {
        let labels = self.any()?;
        let referenced = || referenced(labels, "Node");
        let named = ["endpointslice_endpoint_node_name", "endpoint_node_name"]
            .iter()
            .find_map(|key| labels.get(&format!("{PREFIX}{key}")).cloned());
        let name = match self.role {
            "endpointslice" => referenced().or(named),
            _ => named.or_else(referenced),
        };
        Some(ObjectName::named("Node", "", &name?))
    }

    fn pod_changed(&self, label: &str) -> Option<bool> {
        let name = self.pod()?;
        let now = self.pod_labels(self.now("pod", &name).as_ref());
        let past: Vec<Candidates> = self
            .before("pod", &name)
            .iter()
            .map(|state| self.pod_labels(state.as_ref()))
            // One state must explain every label of the Pod that differs, not each label another one.
            .filter(|state| self.explains(state, &now))
            .collect();
        let allowed = label != format!("{PREFIX}pod_job_name") || self.attaches("job");
        Some(allowed && self.is_past_and_present(label, &now, &past))
    }

    /// Whether all labels that come from the Pod are on the direct side as this state has them.
    fn explains(&self, state: &Candidates, now: &Candidates) -> bool {
        let mut labels = state.keys().chain(now.keys());
        labels.all(|label| {
            let optional = label == &format!("{PREFIX}pod_job_name") && !self.attaches("job");
            optional || is_among(Self::value(self.direct, label), state.get(label))
        })
    }

    /// What a Pod gives to this target: its own labels, and those of the container that listens on its port.
    fn pod_labels(&self, pod: Option<&Value>) -> Candidates {
        let mut found = of_pod(pod);
        let labels = self.any();
        let number = Self::value(labels, "__address__").and_then(|a| a.rsplit_once(':'));
        let number = number.map_or("", |(_, number)| number);
        let port = if self.is_named_port() {
            let protocol = Self::value(labels, "__meta_kubernetes_endpoint_port_protocol");
            of_port(pod, number, protocol)
        } else {
            // One target for each container that has the port: this one's container tells which.
            let container = "__meta_kubernetes_pod_container_name";
            let ports = ports_of(pod).into_iter().flatten();
            let mut same = ports.filter(|port| {
                port.number == number
                    && Self::value(Some(&port.labels), container) == Self::value(labels, container)
            });
            same.next().map_or(Labels::new(), |port| port.labels)
        };
        found.extend(port.into_iter().map(|(name, value)| (name, vec![value])));
        found
    }

    /// Whether the endpoints name the port; else it is one that the Pod has besides.
    pub(super) fn is_named_port(&self) -> bool {
        let labels = self.any();
        let protocol = |part: &str| format!("{PREFIX}{part}_port_protocol");
        ["endpoint", "endpointslice"]
            .iter()
            .any(|part| Self::value(labels, &protocol(part)).is_some())
    }

    fn node_changed(&self, label: &str) -> Option<bool> {
        let labels = self.any()?;
        // Nodes of ready endpoints that refer to a Pod or to a node are noticed upstream.
        let ready = Self::value(Some(labels), "__meta_kubernetes_endpoint_ready") != Some("false");
        let found_by = referenced(labels, "Pod").or_else(|| referenced(labels, "Node"));
        if !self.attaches("node") || (found_by.is_some() && ready) {
            return None;
        }
        let name = self.node()?;
        let now = of_node(self.now("node", &name).as_ref());
        let past = self.before("node", &name);
        let past: Vec<Candidates> = past.iter().map(|state| of_node(state.as_ref())).collect();
        Some(self.is_past_and_present(label, &now, &past))
    }

    fn owner_changed(&self, label: &str) -> Option<bool> {
        let pod = self.pod()?;
        let (attached, kind, above) = match label.strip_prefix(PREFIX)? {
            "pod_deployment_name" => ("deployment", "ReplicaSet", "Deployment"),
            "pod_cronjob_name" => ("cronjob", "Job", "CronJob"),
            _ => return None,
        };
        if !self.attaches(attached) {
            return None;
        }
        let name_of = |owner: Option<&Value>| Some(owner?["name"].as_str()?.to_owned());
        let of_kind = |object: Option<&Value>, kind: &str| {
            name_of(controller(object?).filter(|owner| owner["kind"] == kind))
        };
        let owner_of = |pod_state: Option<&Value>| {
            of_kind(pod_state, kind).map(|name| ObjectName::named(kind, &pod.namespace, &name))
        };
        let present = owner_of(self.now("pod", &pod).as_ref())
            .and_then(|owner| of_kind(self.history.now(&owner).as_ref(), above));
        let mut pods = self.before("pod", &pod);
        pods.push(self.now("pod", &pod));
        let mut past = vec![None];
        for owner in pods.iter().filter_map(|state| owner_of(state.as_ref())) {
            let mut states = self.history.before(&owner);
            states.push(self.history.now(&owner));
            past.extend(states.iter().map(|state| of_kind(state.as_ref(), above)));
        }
        let theirs = Self::value(self.direct, label);
        Some(
            Self::value(self.ours, label) == present.as_deref()
                && past.iter().any(|name| name.as_deref() == theirs),
        )
    }

    fn namespace_came_or_went(&self, label: &str) -> Option<bool> {
        if !self.attaches("namespace") {
            return None;
        }
        let name = object_of("namespace", self.any()?)?;
        let now = self.history.now(&name);
        let uid = |state: Option<&Value>| state.map(|s| s["metadata"]["uid"].clone());
        // What a namespace that stays was earlier, upstream notices.
        let past: Vec<Candidates> = self
            .history
            .before(&name)
            .iter()
            .filter(|state| uid(state.as_ref()) != uid(now.as_ref()))
            .map(|state| of_namespace(state.as_ref()))
            .collect();
        Some(self.is_past_and_present(label, &of_namespace(now.as_ref()), &past))
    }

    fn node_without_address(&self) -> Option<bool> {
        let name = object_of("node", self.direct?)?;
        let node = self.history.now(&name)?;
        Some(self.ours.is_none() && !has_address(&node))
    }

    fn names_collide(&self, label: &str) -> Option<bool> {
        let kind = label.strip_prefix(PREFIX)?.split_once('_')?.0;
        kind_of(kind)?;
        let labels = self.any()?;
        let object = if kind == "pod" && self.role.starts_with("endpoint") {
            self.pod()
        } else {
            object_of(kind, labels)
        };
        let object = self.history.now(&object?)?;
        let values = competing(kind, &object, label);
        let theirs = Self::value(self.direct, label)?;
        let ours = Self::value(self.ours, label)?;
        Some(
            values.len() > 1
                && self.is_present(Some(ours), Some(&values))
                && values.iter().any(|value| value == theirs),
        )
    }
}

fn is_among(value: Option<&str>, candidates: Option<&Vec<String>>) -> bool {
    match (value, candidates) {
        (None | Some(""), None) => true,
        // An empty label is as good as none, and not every side shows it.
        (None, Some(values)) => values.iter().any(String::is_empty),
        (Some(value), Some(values)) => values.iter().any(|v| v == value),
        (Some(_), None) => false,
    }
}

/// An empty label is as good as none.
pub(super) fn is_same(shown: Option<&str>, value: Option<&String>) -> bool {
    shown.unwrap_or_default() == value.map_or("", String::as_str)
}
