//! Pods, and what owns them.

use serde_json::{Value, json};

use super::super::names;
use super::super::random::Random;
use crate::script::ObjectName;

/// All that a Pod may be.
pub(in super::super) const PHASES: [&str; 5] =
    ["Pending", "Running", "Succeeded", "Failed", "Running"];

/// Names and numbers of ports, the same for Pods and for the services before them.
pub(super) const PORTS: [(&str, u16); 4] = [
    ("http", 8080),
    ("metrics", 9090),
    ("admin", 9125),
    ("debug", 7070),
];

pub(super) fn pod(random: &mut Random, name: &ObjectName) -> Value {
    let main = 1 + random.below(2);
    let containers: Vec<Value> = (0..main)
        .map(|n| container(random, &format!("c{n}")))
        .collect();
    let mut spec = json!({"containers": containers});
    if random.chance(40) {
        let mut sidecar = container(random, "sidecar");
        sidecar["restartPolicy"] = "Always".into();
        spec["initContainers"] = json!([container(random, "init"), sidecar]);
    }
    if random.chance(80) {
        spec["nodeName"] = (*random.one_of(names("Node"))).into();
    }
    let status = pod_status(random, name);
    let mut pod = json!({"apiVersion": "v1", "spec": spec, "status": status});
    if let Some(owner) = owner(random) {
        pod["metadata"] = json!({"ownerReferences": [owner]});
    }
    pod
}

fn container(random: &mut Random, name: &str) -> Value {
    let ports: Vec<Value> = random
        .some_of(&PORTS, 35)
        .into_iter()
        .map(|(port, number)| {
            let mut object = json!({"containerPort": number});
            if random.chance(80) {
                object["name"] = (*port).into();
            }
            if random.chance(15) {
                object["protocol"] = "UDP".into();
            }
            object
        })
        .collect();
    let version = random.below(3);
    json!({"name": name, "image": format!("registry.example.com/{name}:{version}"), "ports": ports})
}

fn owner(random: &mut Random) -> Option<Value> {
    let (version, kind) = *random.one_of(&[
        ("apps/v1", "ReplicaSet"),
        ("batch/v1", "Job"),
        ("apps/v1", "ReplicaSet"),
        ("apps/v1", "DaemonSet"),
    ]);
    let name = match kind {
        "DaemonSet" => "agent",
        _ => random.one_of(names(kind)),
    };
    let controls = random.chance(90);
    random
        .chance(75)
        .then(|| reference(version, kind, name, controls))
}

fn reference(version: &str, kind: &str, name: &str, controls: bool) -> Value {
    json!({"apiVersion": version, "kind": kind, "name": name, "controller": controls,
           "uid": "11111111-2222-3333-4444-555555555555"})
}

/// The whole status of a Pod: its phase, whether it is ready, and its address, which changes and goes.
pub(in super::super) fn pod_status(random: &mut Random, name: &ObjectName) -> Value {
    let mut status = json!({
        "phase": random.one_of(&PHASES),
        "conditions": [{"type": "Ready", "status": random.one_of(&["True", "False", "Unknown"])}],
        "hostIP": "192.168.0.1",
    });
    if random.chance(15) {
        status["podIP"] = Value::Null;
        status["podIPs"] = Value::Null;
        return status;
    }
    let address = pod_address(name, 1 + random.below(3));
    let ips = if random.chance(30) {
        json!([{"ip": address}, {"ip": six(&address)}])
    } else {
        json!([{ "ip": address }])
    };
    status["podIPs"] = ips;
    status["podIP"] = address.into();
    status
}

/// One of the addresses that a Pod of this name may have.
pub(super) fn pod_address(name: &ObjectName, variant: u64) -> String {
    let sum = |text: &str| text.bytes().map(u64::from).sum::<u64>() % 200;
    format!(
        "10.{}.{}.{variant}",
        1 + sum(&name.namespace),
        sum(&name.name)
    )
}

/// The address of the other family that goes with it.
pub(super) fn six(address: &str) -> String {
    let parts: Vec<&str> = address.split('.').skip(1).collect();
    format!("fd00::{}", parts.join(":"))
}

pub(super) fn replica_set(random: &mut Random) -> Value {
    let mut object = json!({
        "apiVersion": "apps/v1",
        "spec": {"replicas": 1, "selector": {"matchLabels": {"of": "set"}},
                 "template": {"metadata": {"labels": {"of": "set"}},
                              "spec": {"containers": [{"name": "c", "image": "i"}]}}},
    });
    above(random, &mut object, "apps/v1", "Deployment");
    object
}

pub(super) fn job(random: &mut Random) -> Value {
    let mut object = json!({
        "apiVersion": "batch/v1",
        "spec": {"template": {"spec": {"restartPolicy": "Never",
                                       "containers": [{"name": "c", "image": "i"}]}}},
    });
    above(random, &mut object, "batch/v1", "CronJob");
    object
}

fn above(random: &mut Random, object: &mut Value, version: &str, kind: &str) {
    if random.chance(75) {
        let name = *random.one_of(&["first", "second"]);
        object["metadata"] = json!({"ownerReferences": [reference(version, kind, name, true)]});
    }
}
