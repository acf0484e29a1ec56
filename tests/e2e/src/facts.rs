//! What labels an object gives to targets that refer to it, computed from the object itself.
//!
//! It is no third implementation of discovery: it knows the labels of Pods, nodes and namespaces that others
//! attach, the ports of a Pod that nobody names, and no more. Conditions of `differences.yaml` are decided by it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::prometheus::Labels;
use crate::script::ObjectName;

/// What every label of this mechanism begins with.
pub const PREFIX: &str = "__meta_kubernetes_";

/// Labels with all values that may stand: of names that sanitise alike the last in the order of bytes is what
/// Periplus shows, and any of them what Prometheus shows.
pub type Candidates = BTreeMap<String, Vec<String>>;

/// The role that made a target: the most particular of the names that it bears.
pub fn role_of(labels: &Labels) -> Option<&'static str> {
    [
        "endpointslice",
        "endpoints",
        "ingress",
        "service",
        "pod",
        "node",
    ]
    .into_iter()
    .find(|role| labels.contains_key(&format!("{PREFIX}{role}_name")))
}

/// The kind that a role, or a part of a label's name, speaks of.
pub fn kind_of(role: &str) -> Option<&'static str> {
    Some(match role {
        "pod" => "Pod",
        "node" => "Node",
        "service" => "Service",
        "endpoints" => "Endpoints",
        "endpointslice" => "EndpointSlice",
        "ingress" => "Ingress",
        "namespace" => "Namespace",
        _ => return None,
    })
}

/// The object of this role that a target names.
pub fn object_of(role: &str, labels: &Labels) -> Option<ObjectName> {
    let namespace = labels.get(&format!("{PREFIX}namespace"));
    let namespace = namespace.map_or("", String::as_str);
    if role == "namespace" {
        return Some(ObjectName::named("Namespace", "", namespace));
    }
    let name = labels.get(&format!("{PREFIX}{role}_name"))?;
    let namespace = if role == "node" { "" } else { namespace };
    Some(ObjectName::named(kind_of(role)?, namespace, name))
}

/// Every object that a target's labels may come from.
pub fn related(labels: &Labels) -> BTreeSet<ObjectName> {
    let get = |name: &str| labels.get(&format!("{PREFIX}{name}"));
    let mut found: BTreeSet<ObjectName> = ["pod", "node", "service", "endpoints", "endpointslice"]
        .iter()
        .chain(&["ingress", "namespace"])
        .filter_map(|role| object_of(role, labels))
        .collect();
    let namespace = get("namespace").map_or("", String::as_str);
    for name in [
        "pod_node_name",
        "endpointslice_endpoint_node_name",
        "endpoint_node_name",
    ] {
        found.extend(get(name).map(|node| ObjectName::named("Node", "", node)));
    }
    if let (Some(kind), Some(name)) = (get("pod_controller_kind"), get("pod_controller_name")) {
        found.insert(ObjectName::named(kind, namespace, name));
    }
    if let Some(pod) = referenced(labels, "Pod") {
        found.insert(ObjectName::named("Pod", namespace, &pod));
    }
    found
}

/// The name that the target's `targetRef` gives, if it is of this kind.
pub fn referenced(labels: &Labels, kind: &str) -> Option<String> {
    ["endpointslice_address", "endpoint_address"]
        .iter()
        .find_map(|part| {
            let get = |what: &str| labels.get(&format!("{PREFIX}{part}_target_{what}"));
            get("kind")
                .filter(|k| *k == kind)
                .and_then(|_| get("name"))
                .cloned()
        })
}

/// Go's `strutil.SanitizeLabelName`.
pub fn sanitize(name: &str) -> String {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars()
        .map(|c| if good(c) { c } else { '_' })
        .collect()
}

/// The labels that a node gives to targets on it.
pub fn of_node(node: Option<&Value>) -> Candidates {
    let mut found = Candidates::new();
    if let Some(node) = node {
        put(&mut found, "node_name", text(&node["metadata"]["name"]));
        add_pairs(&mut found, "node", node);
    }
    found
}

/// The labels that a namespace gives to targets in it.
pub fn of_namespace(namespace: Option<&Value>) -> Candidates {
    let mut found = Candidates::new();
    if let Some(namespace) = namespace {
        add_pairs(&mut found, "namespace", namespace);
    }
    found
}

/// The labels that a Pod gives to targets of endpoints that refer to it, those of its ports apart.
pub fn of_pod(pod: Option<&Value>) -> Candidates {
    let mut found = Candidates::new();
    let Some(pod) = pod else { return found };
    let (metadata, spec, status) = (&pod["metadata"], &pod["spec"], &pod["status"]);
    put(&mut found, "pod_name", text(&metadata["name"]));
    put(&mut found, "pod_uid", text(&metadata["uid"]));
    put(&mut found, "pod_ip", text(&status["podIP"]));
    put(&mut found, "pod_phase", text(&status["phase"]));
    put(&mut found, "pod_host_ip", text(&status["hostIP"]));
    put(&mut found, "pod_node_name", text(&spec["nodeName"]));
    let ready = items(&status["conditions"]).find(|c| c["type"] == "Ready");
    let ready = ready.map_or("unknown".to_owned(), |c| text(&c["status"]).to_lowercase());
    put(&mut found, "pod_ready", ready);
    add_pairs(&mut found, "pod", pod);
    if let Some(owner) = controller(pod) {
        put(&mut found, "pod_controller_kind", text(&owner["kind"]));
        put(&mut found, "pod_controller_name", text(&owner["name"]));
        if owner["kind"] == "Job" {
            put(&mut found, "pod_job_name", text(&owner["name"]));
        }
    }
    found
}

/// One port of a container, as labels have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The number.
    pub number: String,
    /// The labels of the container and the port.
    pub labels: Labels,
}

/// All ports of a Pod: of its containers, then of its init containers.
pub fn ports_of(pod: Option<&Value>) -> Vec<Vec<Port>> {
    let Some(pod) = pod else { return Vec::new() };
    let kinds = [("containers", "false"), ("initContainers", "true")];
    let containers = kinds
        .iter()
        .flat_map(|(key, init)| items(&pod["spec"][*key]).map(move |container| (container, *init)));
    containers
        .map(|(container, init)| {
            let ports = items(&container["ports"]);
            ports.map(|port| port_of(container, init, port)).collect()
        })
        .collect()
}

fn port_of(container: &Value, init: &str, port: &Value) -> Port {
    let number = port["containerPort"].to_string();
    let pairs = [
        ("container_name", text(&container["name"])),
        ("container_image", text(&container["image"])),
        ("container_init", init.to_owned()),
        ("container_port_name", text(&port["name"])),
        ("container_port_number", number.clone()),
        ("container_port_protocol", text(&port["protocol"])),
    ];
    let labels = pairs
        .into_iter()
        .map(|(name, value)| (format!("{PREFIX}pod_{name}"), value));
    Port {
        number,
        labels: labels.collect(),
    }
}

/// The labels of the port that an endpoint of this number is taken for: that of the last container that has
/// it. `protocol` stands for the port's own where the role prefers the endpoint's.
pub fn of_port(pod: Option<&Value>, number: &str, protocol: Option<&str>) -> Labels {
    let containers = ports_of(pod);
    let mut matching = containers
        .iter()
        .filter_map(|ports| ports.iter().find(|port| port.number == number));
    let mut labels = matching
        .next_back()
        .map_or(Labels::new(), |port| port.labels.clone());
    if let (Some(protocol), false) = (protocol, labels.is_empty()) {
        labels.insert(
            format!("{PREFIX}pod_container_port_protocol"),
            protocol.to_owned(),
        );
    }
    labels
}

/// The addresses and labels of a Pod's ports that none of these numbers is.
pub fn hidden_ports(pod: Option<&Value>, shown: &BTreeSet<String>) -> Vec<Labels> {
    let address = pod.map_or(String::new(), |pod| text(&pod["status"]["podIP"]));
    if address.is_empty() {
        return Vec::new();
    }
    let ports = ports_of(pod).into_iter().flatten();
    let hidden = ports.filter(|port| !shown.contains(&port.number));
    hidden
        .map(|port| {
            let mut labels = port.labels;
            labels.insert("__address__".to_owned(), join(&address, &port.number));
            labels
        })
        .collect()
}

/// The numbers that an `EndpointSlice` or an `Endpoints` object shows of a Pod.
pub fn shown_ports(object: Option<&Value>, pod: &str) -> Option<BTreeSet<String>> {
    let object = object?;
    let refers = |endpoint: &Value| {
        endpoint["targetRef"]["kind"] == "Pod" && endpoint["targetRef"]["name"] == pod
    };
    let numbers = |ports: &Value| -> BTreeSet<String> {
        items(ports)
            .filter(|p| !p["port"].is_null())
            .map(|p| p["port"].to_string())
            .collect()
    };
    // Without ports no endpoint becomes a target, and no Pod is looked at.
    if object["kind"] == "EndpointSlice" {
        let seen = items(&object["endpoints"]).any(refers) && items(&object["ports"]).count() > 0;
        return seen.then(|| numbers(&object["ports"]));
    }
    let mut shown = BTreeSet::new();
    for subset in items(&object["subsets"]) {
        let mut addresses = items(&subset["addresses"]).chain(items(&subset["notReadyAddresses"]));
        if addresses.any(refers) {
            shown.extend(numbers(&subset["ports"]));
        }
    }
    (!shown.is_empty()).then_some(shown)
}

/// The owner of an object that controls it.
pub fn controller(object: &Value) -> Option<&Value> {
    items(&object["metadata"]["ownerReferences"]).find(|owner| owner["controller"] == true)
}

/// Whether a node has an address of a type that discovery knows.
pub fn has_address(node: &Value) -> bool {
    let types = [
        "InternalIP",
        "InternalDNS",
        "ExternalIP",
        "ExternalDNS",
        "LegacyHostIP",
        "Hostname",
    ];
    items(&node["status"]["addresses"]).any(|a| types.iter().any(|t| a["type"] == *t))
}

/// All pairs of a map of an object, with every value that competes for a name, in the order of the names' bytes.
fn add_pairs(found: &mut Candidates, kind: &str, object: &Value) {
    for (map, key) in [("label", "labels"), ("annotation", "annotations")] {
        let pairs = object["metadata"][key].as_object().into_iter().flatten();
        let sorted: BTreeMap<&String, &Value> = pairs.collect();
        for (name, value) in sorted {
            let name = sanitize(name);
            let values = found
                .entry(format!("{PREFIX}{kind}_{map}_{name}"))
                .or_default();
            values.push(text(value));
            put(
                found,
                &format!("{kind}_{map}present_{name}"),
                "true".to_owned(),
            );
        }
    }
}

/// The values that compete for a label which comes from a map of this very object; the last one stands with us.
pub fn competing(kind: &str, object: &Value, label: &str) -> Vec<String> {
    let mut found = Candidates::new();
    add_pairs(&mut found, kind, object);
    found.remove(label).unwrap_or_default()
}

fn put(found: &mut Candidates, name: &str, value: String) {
    found.insert(format!("{PREFIX}{name}"), vec![value]);
}

fn join(host: &str, port: &str) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn items(value: &Value) -> impl DoubleEndedIterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests;
