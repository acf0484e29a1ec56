//! Endpoints objects and slices, which no controller writes here.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::names;
use super::super::random::Random;
use super::World;
use super::pods::{PORTS, pod_address, six};
use crate::script::ObjectName;

/// What an endpoint refers to, and where it runs.
struct Backend {
    address: String,
    target: Option<Value>,
    node: Option<String>,
}

pub(super) fn endpoints(random: &mut Random, name: &ObjectName, world: &World) -> Value {
    let mut subsets = Vec::new();
    let mut seen = BTreeSet::new();
    for number in 0..random.below(3) {
        let count = 1 + random.below(3);
        let mut addresses = json!({"addresses": [], "notReadyAddresses": []});
        for index in 0..count {
            let backend = backend(random, name, world, 10 * number + index);
            let key = *random.one_of(&["addresses", "addresses", "notReadyAddresses"]);
            if let Some(list) = addresses[key].as_array_mut() {
                let entry = address(random, backend);
                // Twice the same address would be twice the same target.
                if seen.insert(entry["ip"].to_string()) {
                    list.push(entry);
                }
            }
        }
        if addresses["addresses"] == json!([]) && addresses["notReadyAddresses"] == json!([]) {
            continue;
        }
        addresses["ports"] = ports(random, false).into();
        subsets.push(addresses);
    }
    let mut object = json!({"apiVersion": "v1", "subsets": subsets});
    if random.chance(20) {
        let capacity = *random.one_of(&["warning", "truncated"]);
        object["metadata"] =
            json!({"annotations": {"endpoints.kubernetes.io/over-capacity": capacity}});
    }
    object
}

fn address(random: &mut Random, backend: Backend) -> Value {
    let mut entry = json!({"ip": backend.address});
    if let Some(target) = backend.target {
        entry["targetRef"] = target;
    }
    if let Some(node) = backend.node {
        entry["nodeName"] = node.into();
    }
    if random.chance(30) {
        entry["hostname"] = "host-1".into();
    }
    entry
}

pub(super) fn slice(random: &mut Random, name: &ObjectName, world: &World) -> Value {
    let (service, kind) = name.name.split_once('-').unwrap_or((&name.name, "v4"));
    let kind = match kind {
        "v6" => "IPv6",
        "name" => "FQDN",
        _ => "IPv4",
    };
    let count = random.below(4);
    let mut endpoints: Vec<Value> = (0..count)
        .map(|index| {
            let mut backend = backend(random, name, world, index);
            match kind {
                "IPv6" => backend.address = six(&backend.address),
                "FQDN" => backend.address = format!("host-{index}.example.com"),
                _ => {}
            }
            endpoint(random, backend)
        })
        .collect();
    // Twice the same address would be twice the same target.
    let mut seen = BTreeSet::new();
    endpoints.retain(|endpoint| seen.insert(endpoint["addresses"].to_string()));
    let mut object = json!({
        "apiVersion": "discovery.k8s.io/v1", "addressType": kind,
        "endpoints": endpoints, "ports": ports(random, true),
    });
    if random.chance(90) {
        object["metadata"] = json!({"labels": {"kubernetes.io/service-name": service}});
    }
    object
}

fn endpoint(random: &mut Random, backend: Backend) -> Value {
    let mut endpoint = json!({"addresses": [backend.address]});
    if let Some(target) = backend.target {
        endpoint["targetRef"] = target;
    }
    if let Some(node) = backend.node {
        endpoint["nodeName"] = node.into();
    }
    for condition in ["ready", "serving", "terminating"] {
        if random.chance(60) {
            endpoint["conditions"][condition] = random.chance(50).into();
        }
    }
    if random.chance(30) {
        endpoint["hostname"] = "host-1".into();
    }
    if random.chance(50) {
        endpoint["zone"] = (*random.one_of(&["zone-a", "zone-b"])).into();
    }
    endpoint
}

/// Ports with names that differ; a slice may leave numbers and applications out.
fn ports(random: &mut Random, of_slice: bool) -> Vec<Value> {
    let mut ports = Vec::new();
    for (name, number) in random.some_of(&PORTS, 45) {
        let mut port = json!({"name": name, "port": number});
        if of_slice && random.chance(40) {
            port["appProtocol"] = (*random.one_of(&["http", "kubernetes.io/h2c"])).into();
        }
        if of_slice && random.chance(8) {
            port = json!({"name": name});
        }
        if random.chance(10) {
            port["protocol"] = "UDP".into();
        }
        ports.push(port);
    }
    // One alone needs no name.
    let nameless = random.chance(30);
    if let ([Value::Object(port)], true) = (&mut ports[..], nameless) {
        port.shift_remove("name");
    }
    ports
}

/// A Pod that is there, a node, a Pod that is not there, or nothing that anybody knows.
fn backend(random: &mut Random, owner: &ObjectName, world: &World, index: u64) -> Backend {
    let pods: Vec<&ObjectName> = world
        .keys()
        .filter(|name| name.kind == "Pod" && name.namespace == owner.namespace)
        .collect();
    let stray = format!("172.16.{}.{}", owner.name.len(), 10 + index);
    let node = random.one_of(names("Node")).to_owned().to_owned();
    match random.below(100) {
        0..65 if !pods.is_empty() => {
            let name = *random.one_of(&pods);
            let pod = &world[name];
            let node = pod["spec"]["nodeName"].as_str().map(str::to_owned);
            let address = pod["status"]["podIP"].as_str().map(str::to_owned);
            Backend {
                address: address.unwrap_or_else(|| pod_address(name, 1)),
                target: Some(
                    json!({"kind": "Pod", "namespace": name.namespace, "name": name.name}),
                ),
                node,
            }
        }
        0..80 => Backend {
            address: stray,
            target: Some(json!({"kind": "Node", "name": node})),
            node: random.chance(50).then_some(node),
        },
        80..85 => Backend {
            address: stray,
            target: Some(json!({"kind": "Pod", "namespace": owner.namespace, "name": "nobody"})),
            node: None,
        },
        _ => Backend {
            address: stray,
            target: None,
            node: random.chance(70).then_some(node),
        },
    }
}
