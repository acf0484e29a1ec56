//! Objects as clusters have them, in any number, and their coming and going.
//!
//! Everything follows from the seed: the same seed gives the same objects and the same sequence of changes.

mod baseline;
mod change;
mod cluster;
mod managed;
mod objects;
mod pod;

use std::time::Duration;

use serde_json::{Value, json};

use crate::KubeApi;
use crate::write::timestamp;

pub use change::{Change, Name};
pub use cluster::{Cluster, ENDPOINTS_PER_SLICE, PROBES, PodRef};
pub use pod::pod;

/// What to fill a server with.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Number of Pods; while they churn, their number stays within a fifth of this.
    pub pods: usize,
    /// Number of nodes.
    pub nodes: usize,
    /// Number of namespaces that the Pods are spread over.
    pub namespaces: usize,
    /// Decides everything else.
    pub seed: u64,
}

/// The state of a running load. Each step is one change to one Pod.
#[derive(Debug)]
pub struct Churn {
    load: Load,
    random: Random,
    /// Numbers of the Pods that exist.
    alive: Vec<usize>,
    next: usize,
}

/// What one step of a [`Churn`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A Pod of this number was created.
    Created(usize),
    /// A Pod of this number got another label, phase or readiness.
    Changed(usize),
    /// A Pod of this number was deleted.
    Deleted(usize),
}

/// SplitMix64: small, quick, and the same for ever.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

// === impl Load ===

impl Default for Load {
    fn default() -> Self {
        Self {
            pods: 300,
            nodes: 5,
            namespaces: 6,
            seed: 1,
        }
    }
}

impl Load {
    /// Writes nodes and Pods.
    pub fn fill(&self, api: &KubeApi) {
        for index in 0..self.nodes {
            api.apply(node(self, index));
        }
        for index in 0..self.pods {
            api.apply(pod(self, index));
        }
    }

    /// Where a Pod of a number is: its namespace and name.
    pub fn pod_name(&self, index: usize) -> (String, String) {
        let pod = pod(self, index);
        let text = |key: &str| pod["metadata"][key].as_str().unwrap_or_default().to_owned();
        (text("namespace"), text("name"))
    }
}

/// A heartbeat: the Pod's `managedFields` and condition times move on and nothing that discovery looks at
/// changes. `beat` must differ from call to call.
pub fn heartbeat(pod: &mut Value, beat: u64) {
    let time = timestamp(1_790_000_000 + beat);
    if let Some(last) = pod["metadata"]["managedFields"]
        .as_array_mut()
        .and_then(|f| f.last_mut())
    {
        last["time"] = time.clone().into();
    }
    if let Some(conditions) = pod["status"]["conditions"].as_array_mut() {
        for condition in conditions {
            condition["lastProbeTime"] = time.clone().into();
        }
    }
}

/// A node of a number.
pub fn node(load: &Load, index: usize) -> Value {
    let name = format!("node-{index:04}");
    let zone = format!("zone-{}", (b'a' + (index % 3) as u8) as char);
    let address = format!(
        "10.{}.{}.{}",
        200 + index / 65_536 % 50,
        index / 256 % 256,
        index % 256
    );
    let mut random = Random::for_object(load.seed, "node", index);
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name, "uid": random.uid(), "creationTimestamp": "2026-09-01T08:00:00Z",
            "labels": {
                "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux",
                "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone,
                "topology.kubernetes.io/region": "region-1",
                "node.kubernetes.io/instance-type": "m5.2xlarge",
            },
            "annotations": {"node.alpha.kubernetes.io/ttl": "0"},
        },
        "spec": {"podCIDR": format!("10.{}.{}.0/24", index / 256 % 256, index % 256),
                 "providerID": format!("stand-in:///{zone}/{name}")},
        "status": {
            "capacity": {"cpu": "8", "memory": "32Gi", "pods": "110"},
            "addresses": [
                {"type": "InternalIP", "address": address},
                {"type": "Hostname", "address": name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady",
                            "lastHeartbeatTime": "2026-11-01T08:00:00Z",
                            "lastTransitionTime": "2026-09-01T08:01:00Z"}],
            "nodeInfo": {"kubeletVersion": "v1.33.0", "osImage": "Linux", "architecture": "amd64",
                         "operatingSystem": "linux", "containerRuntimeVersion": "containerd://2.0.0"},
        },
    })
}

// === impl Churn ===

impl Churn {
    /// Goes on from what [`Load::fill`] wrote.
    pub fn new(load: Load) -> Self {
        let random = Random(load.seed ^ 0x5eed);
        Self {
            load,
            random,
            alive: (0..load.pods).collect(),
            next: load.pods,
        }
    }

    /// Makes one change.
    pub fn step(&mut self, api: &KubeApi) -> Step {
        let slack = (self.load.pods / 5).max(1);
        let few = self.alive.len() + slack <= self.load.pods || self.alive.is_empty();
        let many = self.alive.len() >= self.load.pods + slack;
        match self.random.below(4) {
            0 if !many => self.create(api),
            1 if !few => self.delete(api),
            _ if self.alive.is_empty() => self.create(api),
            _ => self.change(api),
        }
    }

    /// Makes so many changes per second until the future is dropped.
    pub async fn run(mut self, api: &KubeApi, per_second: f64) {
        if per_second <= 0.0 {
            std::future::pending::<()>().await;
        }
        let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / per_second));
        loop {
            ticks.tick().await;
            self.step(api);
        }
    }

    fn create(&mut self, api: &KubeApi) -> Step {
        let index = self.next;
        self.next += 1;
        self.alive.push(index);
        api.apply(pod(&self.load, index));
        Step::Created(index)
    }

    fn delete(&mut self, api: &KubeApi) -> Step {
        let at = self.random.below(self.alive.len());
        let index = self.alive.swap_remove(at);
        let (namespace, name) = self.load.pod_name(index);
        api.delete("v1/pods", &namespace, &name);
        Step::Deleted(index)
    }

    fn change(&mut self, api: &KubeApi) -> Step {
        let index = self.alive[self.random.below(self.alive.len())];
        let (namespace, name) = self.load.pod_name(index);
        let patch = match self.random.below(3) {
            0 => {
                json!({"metadata": {"labels": {"release": format!("r{}", self.random.below(100))}}})
            }
            1 => json!({"metadata": {"annotations":
                {"example.com/owner": format!("team-{}", self.random.below(20))}}}),
            _ => {
                let phase = ["Running", "Running", "Failed", "Succeeded"][self.random.below(4)];
                json!({"status": {"phase": phase}})
            }
        };
        api.patch("v1/pods", &namespace, &name, &patch);
        Step::Changed(index)
    }
}

// === impl Random ===

impl Random {
    pub(crate) fn for_object(seed: u64, kind: &str, index: usize) -> Self {
        let kind = kind
            .bytes()
            .fold(0_u64, |hash, byte| hash.wrapping_mul(31) + u64::from(byte));
        let mut random = Self(seed ^ (kind << 32) ^ index as u64);
        random.next();
        random
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which is not 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub(crate) fn uid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            b >> 52,
            b & 0xffff_ffff_ffff
        )
    }

    /// 64 hexadecimal digits.
    pub(crate) fn digest(&mut self) -> String {
        let [a, b, c, d] = [self.next(), self.next(), self.next(), self.next()];
        format!("{a:016x}{b:016x}{c:016x}{d:016x}")
    }

    /// Letters and digits as they end generated names.
    pub(crate) fn suffix(&mut self, length: usize) -> String {
        const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        (0..length)
            .map(|_| ALPHABET[self.below(ALPHABET.len())] as char)
            .collect()
    }
}
