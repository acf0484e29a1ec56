//! The objects under chaos: nodes, Pods, services and their slices, and how they come, change and go.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::ChaosOptions;
use super::journal::{Journal, Life};
use crate::KubeApi;
use crate::load::Random;

/// Resource, namespace and name.
type Id = (String, String, String);

/// What there is, and the lives that it belongs to.
pub(super) struct World {
    random: Random,
    pods: usize,
    nodes: usize,
    namespaces: usize,
    /// Numbers of objects are never used twice, and addresses follow from them.
    next: usize,
    alive: BTreeMap<Id, (usize, Value)>,
    spoiled: Vec<Id>,
}

// === impl World ===

impl World {
    pub(super) fn new(options: &ChaosOptions, seed: u64) -> Self {
        Self {
            random: Random::for_object(seed, "world", 0),
            pods: options.pods.max(1),
            nodes: options.nodes.max(1),
            namespaces: options.namespaces.max(1),
            next: 0,
            alive: BTreeMap::new(),
            spoiled: Vec::new(),
        }
    }

    pub(super) fn fill(&mut self, api: &KubeApi, journal: &mut Journal) {
        for number in 0..self.nodes {
            self.write(api, journal, node(number, 0));
        }
        for number in 0..self.pods {
            let pod = self.pod(&format!("pod-{number}"), number % self.namespaces);
            self.write(api, journal, pod);
        }
        for number in 0..self.namespaces {
            self.next += 1;
            self.write(api, journal, service(number));
            self.write(api, journal, slice(number, self.next));
        }
    }

    /// Takes over what the server holds: what is new there begins to live. What is gone has been told to
    /// [`World::forget_all_but`] before.
    pub(super) fn adopt(&mut self, objects: &[Value], journal: &mut Journal) {
        let now = Instant::now();
        self.next = self.next.max(objects.len() * 2);
        for object in objects {
            let id = id(object);
            let known = self.alive.get(&id);
            if known.is_some_and(|(_, known)| uid(known) == uid(object)) {
                let life = known.map(|(life, _)| *life).unwrap_or_default();
                self.alive.insert(id, (life, object.clone()));
                continue;
            }
            let mut begun = life(object, now);
            begun.malformed = self.spoiled.contains(&id);
            let begun = journal.begins(begun);
            self.alive.insert(id, (begun, object.clone()));
        }
    }

    /// Ends the lives of what a restore will not bring back as it is, before it happens.
    pub(super) fn forget_all_but(&mut self, objects: &[Value], journal: &mut Journal) {
        let now = Instant::now();
        let kept: BTreeMap<Id, Option<String>> = objects.iter().map(|o| (id(o), uid(o))).collect();
        self.alive.retain(|id, (life, object)| {
            let stays = kept.get(id).is_some_and(|kept| *kept == uid(object));
            if !stays {
                journal.ends(*life, now);
            }
            stays
        });
    }

    /// One change.
    pub(super) fn step(&mut self, api: &KubeApi, journal: &mut Journal) {
        journal.changes += 1;
        let pods: Vec<Id> = self.of("v1/pods");
        let slack = (self.pods / 5).max(1);
        match self.random.below(10) {
            0 | 1 if pods.len() < self.pods + slack => {
                self.next += 1;
                let namespace = self.random.below(self.namespaces);
                let pod = self.pod(&format!("pod-{}", self.next), namespace);
                self.write(api, journal, pod);
            }
            2 | 3 if pods.len() + slack > self.pods => {
                let victim = pods[self.random.below(pods.len())].clone();
                self.remove(api, journal, &victim);
            }
            4 if !pods.is_empty() => {
                let (resource, namespace, name) = pods[self.random.below(pods.len())].clone();
                let number = namespace.trim_start_matches("chaos-").parse().unwrap_or(0);
                self.remove(api, journal, &(resource, namespace, name.clone()));
                let pod = self.pod(&name, number);
                self.write(api, journal, pod);
            }
            5 => self.change_other(api),
            _ if !pods.is_empty() => {
                let pod = pods[self.random.below(pods.len())].clone();
                self.change_pod(api, &pod);
            }
            _ => {}
        }
    }

    /// A Pod that a client is to see malformed, and that does not count as there from then on.
    pub(super) fn spoil(&mut self, journal: &mut Journal) -> Option<(String, String)> {
        let pods = self.of("v1/pods");
        if pods.is_empty() {
            return None;
        }
        let id = pods[self.random.below(pods.len())].clone();
        // Every life under this name until it is healed; the later ones are marked as they begin.
        if let Some((life, _)) = self.alive.get(&id) {
            journal.lives[*life].malformed = true;
        }
        let (_, namespace, name) = id.clone();
        self.spoiled.push(id);
        Some((namespace, name))
    }

    /// Writes what was malformed once more.
    pub(super) fn touch_spoiled(&mut self, api: &KubeApi) {
        for (resource, namespace, name) in std::mem::take(&mut self.spoiled) {
            let healed = format!("h{}", self.random.below(1_000_000));
            let patch = json!({"metadata": {"annotations": {"example.com/healed": healed}}});
            api.patch(&resource, &namespace, &name, &patch);
        }
    }

    fn of(&self, resource: &str) -> Vec<Id> {
        let ids = self.alive.keys().filter(|(r, ..)| r == resource);
        ids.cloned().collect()
    }

    fn pod(&mut self, name: &str, namespace: usize) -> Value {
        self.next += 1;
        let number = self.next;
        let node = self.random.below(self.nodes);
        let address = format!(
            "10.{}.{}.{}",
            number / 65_536 % 256,
            number / 256 % 256,
            number % 256
        );
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"namespace": format!("chaos-{namespace}"), "name": name,
                         "labels": {"app": format!("app-{}", number % 4), "release": "r0"}},
            "spec": {"nodeName": format!("node-{node}"),
                     "containers": [{"name": "main", "image": "example.com/main:1",
                                     "ports": [{"name": "metrics", "containerPort": 8080, "protocol": "TCP"}]}]},
            "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
                       "hostIP": format!("10.255.0.{node}"),
                       "conditions": [{"type": "Ready", "status": "True"}]},
        })
    }

    fn write(&mut self, api: &KubeApi, journal: &mut Journal, object: Value) {
        let key = id(&object);
        api.apply(object);
        let Some(stored) = api.get(&key.0, &key.1, &key.2) else {
            return;
        };
        let mut begun = life(&stored, Instant::now());
        begun.malformed = self.spoiled.contains(&key);
        let begun = journal.begins(begun);
        self.alive.insert(key, (begun, stored));
    }

    fn remove(&mut self, api: &KubeApi, journal: &mut Journal, key: &Id) {
        if let Some((life, _)) = self.alive.remove(key) {
            journal.ends(life, Instant::now());
        }
        api.delete(&key.0, &key.1, &key.2);
    }

    fn change_pod(&mut self, api: &KubeApi, (resource, namespace, name): &Id) {
        let number = self.random.below(1_000);
        let patch = match self.random.below(4) {
            0 => json!({"metadata": {"labels": {"release": format!("r{number}")}}}),
            1 => json!({"metadata": {"annotations": {"example.com/note": format!("n{number}")}}}),
            2 => {
                let node = self.random.below(self.nodes);
                json!({"spec": {"nodeName": format!("node-{node}")},
                       "status": {"hostIP": format!("10.255.0.{node}")}})
            }
            _ => {
                let ready = ["True", "False"][self.random.below(2)];
                json!({"status": {"conditions": [{"type": "Ready", "status": ready}]}})
            }
        };
        api.patch(resource, namespace, name, &patch);
    }

    /// A change to a node, a service or a slice.
    fn change_other(&mut self, api: &KubeApi) {
        let others: Vec<Id> = [
            "v1/nodes",
            "v1/services",
            "discovery.k8s.io/v1/endpointslices",
        ]
        .iter()
        .flat_map(|resource| self.of(resource))
        .collect();
        if others.is_empty() {
            return;
        }
        let (resource, namespace, name) = &others[self.random.below(others.len())];
        let number = self.random.below(1_000);
        let patch = json!({"metadata": {"labels": {"tier": format!("t{number}")}}});
        api.patch(resource, namespace, name, &patch);
    }
}

fn life(object: &Value, from: Instant) -> Life {
    let (resource, namespace, name) = id(object);
    Life {
        resource,
        namespace,
        name,
        object: object.clone(),
        from,
        until: None,
        malformed: false,
    }
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn uid(object: &Value) -> Option<String> {
    let uid = object.pointer("/metadata/uid")?.as_str()?;
    Some(uid.to_owned())
}

fn id(object: &Value) -> Id {
    let plural = match text(object, "/kind") {
        "Pod" => "pods",
        "Node" => "nodes",
        "Service" => "services",
        "EndpointSlice" => "endpointslices",
        "Namespace" => "namespaces",
        other => other,
    };
    (
        format!("{}/{plural}", text(object, "/apiVersion")),
        text(object, "/metadata/namespace").to_owned(),
        text(object, "/metadata/name").to_owned(),
    )
}

fn node(number: usize, tier: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": format!("node-{number}"), "labels": {"tier": format!("t{tier}")}},
        "spec": {},
        "status": {"addresses": [{"type": "InternalIP", "address": format!("10.255.0.{number}")}],
                   "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}},
    })
}

fn service(namespace: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": format!("chaos-{namespace}"), "name": "web"},
        "spec": {"clusterIP": format!("10.254.0.{namespace}"), "type": "ClusterIP",
                 "ports": [{"name": "metrics", "port": 8080, "protocol": "TCP"}]},
    })
}

fn slice(namespace: usize, number: usize) -> Value {
    let endpoint = |last: usize| {
        json!({"addresses": [format!("10.253.{}.{last}", number % 256)],
               "conditions": {"ready": true}})
    };
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"namespace": format!("chaos-{namespace}"), "name": "web-1",
                     "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "ports": [{"name": "metrics", "port": 8080, "protocol": "TCP"}],
        "endpoints": [endpoint(1), endpoint(2)],
    })
}
