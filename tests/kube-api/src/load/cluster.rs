//! The cluster of the benchmarks: as many Pods as asked for, with all that discovery joins to them.
//!
//! Everything is computed from a number: which service a Pod belongs to, its node, name and address. So a
//! cluster of any size needs no memory here, and whoever changes an object knows how it looked before.
//!
//! ```text
//!   place of a Pod -> service -> namespace, ReplicaSet, slices
//!                  -> node
//!   place, generation -> name, address
//! ```

use serde_json::Value;

use super::{baseline, objects};
use crate::KubeApi;

/// The most endpoints in one slice, as the controller writes them.
pub const ENDPOINTS_PER_SLICE: usize = 100;
/// Pods that carry the label `lab-probe=true`, if there are so many.
pub const PROBES: usize = 200;

/// 27 letters and digits, five of them: so many Pods can be told apart by the end of their names.
const NAMES: usize = 27 * 27 * 27 * 27 * 27;
/// Shares no factor with [`NAMES`], so that neighbours get names far apart.
const STRIDE: usize = 7_654_321;
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// What is in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Number of Pods, each of 8.6 KB and with two ports.
    pub pods: usize,
    /// Number of nodes, each of 12.7 KB.
    pub nodes: usize,
    /// Number of services; a tenth of them hold half of the Pods.
    pub services: usize,
    /// Number of namespaces.
    pub namespaces: usize,
    /// Decides names of templates, identifiers and digests.
    pub seed: u64,
}

/// One Pod: the place it fills, and how often that place has been filled anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodRef {
    /// Below [`Cluster::pods`]; decides service and node.
    pub place: usize,
    /// 0 for the first Pod of a place.
    pub generation: usize,
}

// === impl Cluster ===

impl Cluster {
    /// The proportions of the baseline: 50 Pods on a node, 25 in a service on average, 50 namespaces.
    pub fn of_pods(pods: usize) -> Self {
        Self {
            pods,
            nodes: pods.div_ceil(50).max(1),
            services: pods.div_ceil(25).max(1),
            namespaces: 50,
            seed: 1,
        }
    }

    /// All objects in an order in which an API server takes them: what others refer to comes first.
    pub fn objects(&self) -> impl Iterator<Item = Value> {
        let cluster = *self;
        let namespaces = (0..cluster.namespaces()).map(objects::namespace);
        let nodes = (0..cluster.nodes).map(move |node| cluster.node(node));
        let owners = (0..cluster.services).map(move |service| cluster.replica_set(service));
        let services = (0..cluster.services).map(move |service| cluster.service(service));
        let pods = (0..cluster.pods).map(move |place| cluster.pod(place.into()));
        let slices = (0..cluster.services).flat_map(move |service| {
            (0..cluster.slices_of(service)).map(move |part| cluster.slice(service, part, |_| 0))
        });
        let first = namespaces.chain(nodes).chain(owners).chain(services);
        first.chain(pods).chain(slices)
    }

    /// Writes all objects into a stand-in.
    pub fn fill(&self, api: &KubeApi) {
        for object in self.objects() {
            api.apply(object);
        }
    }

    /// A node of a number.
    pub fn node(&self, node: usize) -> Value {
        objects::node(self, node)
    }

    /// A service of a number.
    pub fn service(&self, service: usize) -> Value {
        objects::service(self, service)
    }

    /// The owner of a service's Pods.
    pub fn replica_set(&self, service: usize) -> Value {
        objects::replica_set(self, service)
    }

    /// A Pod.
    pub fn pod(&self, pod: PodRef) -> Value {
        baseline::pod(self, pod)
    }

    /// A part of a service's endpoints; `generation` says which Pod fills a place.
    pub fn slice(&self, service: usize, part: usize, generation: impl Fn(usize) -> usize) -> Value {
        let places = self.places_of(service).skip(part * ENDPOINTS_PER_SLICE);
        let pods = places
            .take(ENDPOINTS_PER_SLICE)
            .map(|place| PodRef {
                place,
                generation: generation(place),
            })
            .collect::<Vec<_>>();
        objects::slice(self, service, part, &pods)
    }

    /// How many slices a service has. One without Pods has an empty one.
    pub fn slices_of(&self, service: usize) -> usize {
        let pods = self.places_of(service).count();
        pods.div_ceil(ENDPOINTS_PER_SLICE).max(1)
    }

    /// The slice that a place stands in: its service, and the part.
    pub fn slice_of(&self, place: usize) -> (usize, usize) {
        let service = self.service_of(place);
        let (_, step) = self.pattern(service);
        (service, place / step / ENDPOINTS_PER_SLICE)
    }

    /// Whether the Pods of a place carry `lab-probe=true`.
    pub fn is_probe(&self, place: usize) -> bool {
        let every = (self.pods / PROBES).max(1);
        place.is_multiple_of(every) && place / every < PROBES
    }

    /// The places whose Pods carry `lab-probe=true`.
    pub fn probes(&self) -> Vec<usize> {
        (0..self.pods)
            .filter(|place| self.is_probe(*place))
            .collect()
    }

    /// A Pod's namespace and name.
    pub fn pod_name(&self, pod: PodRef) -> (String, String) {
        let service = self.service_of(pod.place);
        let name = format!(
            "{}-{}",
            self.template_name(service),
            suffix(self.number(pod))
        );
        (self.namespace_of(service), name)
    }

    /// The service that a place belongs to.
    pub(super) fn service_of(&self, place: usize) -> usize {
        let (large, small) = self.sizes();
        match (small, place % 2) {
            (0, _) => place % large,
            (_, 0) => place / 2 % large,
            _ => large + place / 2 % small,
        }
    }

    pub(super) fn node_of(&self, place: usize) -> usize {
        place % self.nodes.max(1)
    }

    pub(super) fn namespace_of(&self, service: usize) -> String {
        objects::namespace_name(service % self.namespaces())
    }

    /// The name of a service's ReplicaSet.
    pub(super) fn template_name(&self, service: usize) -> String {
        let hash = super::Random::for_object(self.seed, "template", service).suffix(10);
        format!("{}-{hash}", objects::service_name(service))
    }

    /// A Pod's address: no two Pods that ever live share one.
    pub(super) fn address(&self, pod: PodRef) -> String {
        let number = self.number(pod);
        let (second, third, fourth) = (number / 65_536 % 190, number / 256 % 256, number % 256);
        format!("10.{}.{third}.{fourth}", 1 + second)
    }

    /// The number of a Pod among all that ever live.
    pub(super) fn number(&self, pod: PodRef) -> usize {
        pod.place + pod.generation * self.pods
    }

    fn namespaces(&self) -> usize {
        self.namespaces.max(1)
    }

    /// How many services are large, and how many are not.
    fn sizes(&self) -> (usize, usize) {
        let large = (self.services / 10).max(1);
        (large, self.services.saturating_sub(large))
    }

    /// A service's places: the first, and how far apart they are.
    fn pattern(&self, service: usize) -> (usize, usize) {
        let (large, small) = self.sizes();
        if small == 0 {
            (service, large)
        } else if service < large {
            (2 * service, 2 * large)
        } else {
            (2 * (service - large) + 1, 2 * small)
        }
    }

    fn places_of(&self, service: usize) -> impl Iterator<Item = usize> {
        let (first, step) = self.pattern(service);
        (first..self.pods).step_by(step)
    }
}

// === impl PodRef ===

impl From<usize> for PodRef {
    /// The first Pod of a place.
    fn from(place: usize) -> Self {
        Self {
            place,
            generation: 0,
        }
    }
}

/// Five letters and digits as they end generated names, different for each number.
fn suffix(number: usize) -> String {
    let mut rest = number % NAMES * STRIDE % NAMES;
    let digits = (0..5).map(|_| {
        let digit = rest % ALPHABET.len();
        rest /= ALPHABET.len();
        char::from(ALPHABET[digit])
    });
    digits.collect()
}

#[cfg(test)]
mod tests;
