//! Objects of every shape, as random as an API server accepts them.

mod endpoints;
mod pods;
mod services;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub(super) use self::pods::{PHASES, pod_status};
use super::random::Random;
use crate::script::ObjectName;

/// Objects that are there, to which others may refer.
pub(super) type World = BTreeMap<ObjectName, Value>;

/// Some of these are one label name once they are sanitised.
const LABELS: [(&str, &[&str]); 5] = [
    ("app", &["web", "db", "api"]),
    ("tier", &["front", "back", ""]),
    ("app.kubernetes.io/version", &["1", "2", "3"]),
    ("team.x", &["red", "blue"]),
    ("team-x", &["green", "grey"]),
];

const ANNOTATIONS: [(&str, &[&str]); 4] = [
    ("prometheus.io/scrape", &["true", "false"]),
    (
        "example.com/note",
        &["say \"hi\"\n\tor not", "Zürich 東京", ""],
    ),
    ("example.com/x", &["slash"]),
    ("example.com-x", &["dash"]),
];

/// How often each of the above is there. Those that collide are rare.
const COMMON: u64 = 70;
const RARE: u64 = 12;

/// A new object of this name, or a new state of the one that is there.
pub(super) fn make(random: &mut Random, name: &ObjectName, world: &World) -> Option<Value> {
    let mut object = match name.kind.as_str() {
        "Namespace" => json!({"apiVersion": "v1"}),
        "Node" => node(random, name),
        "Pod" => pods::pod(random, name),
        "ReplicaSet" => pods::replica_set(random),
        "Job" => pods::job(random),
        "Service" => services::service(random),
        "Ingress" => services::ingress(random),
        "Endpoints" => endpoints::endpoints(random, name, world),
        "EndpointSlice" => endpoints::slice(random, name, world),
        _ => return None,
    };
    object["kind"] = name.kind.as_str().into();
    let metadata = &mut object["metadata"];
    metadata["name"] = name.name.as_str().into();
    if !name.namespace.is_empty() {
        metadata["namespace"] = name.namespace.as_str().into();
    }
    let mut labels = pairs(random, &LABELS);
    if let Some(more) = metadata["labels"].as_object() {
        labels.extend(more.clone());
    }
    metadata["labels"] = labels.into();
    let mut annotations = pairs(random, &ANNOTATIONS);
    if let Some(more) = metadata["annotations"].as_object() {
        annotations.extend(more.clone());
    }
    metadata["annotations"] = annotations.into();
    Some(object)
}

/// Whether an object must be deleted first to become the other: kube-apiserver 1.36 fails with an internal error
/// when some services become others in place.
pub(super) fn must_be_remade(before: &Value, after: &Value) -> bool {
    let differs = |key: &str| before["spec"][key] != after["spec"][key];
    after["kind"] == "Service"
        && ["type", "clusterIP", "ipFamilyPolicy", "ipFamilies"]
            .iter()
            .any(|key| differs(key))
}

fn pairs(random: &mut Random, choices: &[(&str, &[&str])]) -> Map<String, Value> {
    let mut map = Map::new();
    for (key, values) in choices {
        let percent = if key.contains('x') { RARE } else { COMMON };
        if random.chance(percent) {
            map.insert((*key).to_owned(), (*random.one_of(values)).into());
        }
    }
    map
}

/// Some labels set, some removed.
pub(super) fn label_changes(random: &mut Random) -> Value {
    changes(random, &LABELS)
}

/// Some annotations set, some removed.
pub(super) fn annotation_changes(random: &mut Random) -> Value {
    changes(random, &ANNOTATIONS)
}

fn changes(random: &mut Random, choices: &[(&str, &[&str])]) -> Value {
    let mut map = Map::new();
    for (key, values) in random.some_of(choices, 40) {
        let gone = random.chance(if key.contains('x') { 75 } else { 30 });
        let value = if gone {
            Value::Null
        } else {
            (*random.one_of(values)).into()
        };
        map.insert((*key).to_owned(), value);
    }
    map.into()
}

fn node(random: &mut Random, name: &ObjectName) -> Value {
    let status = node_status(random, name);
    let mut node = json!({"apiVersion": "v1", "status": status});
    if random.chance(50) {
        node["spec"] = json!({"providerID": format!("cloud:///zone/{}", name.name)});
    }
    node
}

/// Addresses of any types in any order, none at all now and then.
pub(super) fn node_status(random: &mut Random, name: &ObjectName) -> Value {
    let number = name.name.bytes().map(u64::from).sum::<u64>() % 200;
    let last = 1 + random.below(3);
    let all = [
        ("Hostname", name.name.clone()),
        ("LegacyHostIP", format!("192.168.{number}.{last}")),
        ("ExternalDNS", format!("{}.out.example.com", name.name)),
        ("ExternalIP", format!("203.0.113.{last}")),
        ("InternalDNS", format!("{}.in.example.com", name.name)),
        ("InternalIP", format!("10.200.{number}.{last}")),
        ("InternalIP", format!("fd00:200::{number}:{last}")),
    ];
    let percent = *random.one_of(&[0, 25, 50, 100]);
    let mut addresses: Vec<Value> = random
        .some_of(&all, percent)
        .into_iter()
        .map(|(kind, address)| json!({"type": kind, "address": address}))
        .collect();
    if random.chance(50) {
        addresses.reverse();
    }
    let conditions = [
        json!({"type": "Ready", "status": random.one_of(&["True", "False", "Unknown"])}),
        json!({"type": "DiskPressure", "status": "False"}),
        json!({"type": "example.com/Odd", "status": "True"}),
    ];
    json!({
        "addresses": addresses,
        "conditions": random.some_of(&conditions, 50),
        "daemonEndpoints": {"kubeletEndpoint": {"Port": random.one_of(&[10250, 10255])}},
    })
}
