//! Nodes.

use super::filter::AnnotationFilter;
use super::{Kind, ObjectNames, Resource};
use crate::labels::join_host_port;
use crate::record::{PairIter, Record, Writer};
use crate::wire::{Condition, Metadata, Text, nullable};

/// Kinds of addresses, the best first.
const ADDRESS_ORDER: [&str; 6] = [
    "InternalIP",
    "InternalDNS",
    "ExternalIP",
    "ExternalDNS",
    "LegacyHostIP",
    "Hostname",
];

pub(super) static KIND: Kind = Kind::builtin("/api/v1", "nodes", "node").cluster_scoped();

/// The kind `Node`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    left_out: AnnotationFilter,
}

/// What a record holds of a Node, besides its metadata.
#[derive(Clone, Debug)]
pub(crate) struct NodeFields<'a> {
    pub(crate) provider_id: &'a str,
    /// Types and states.
    pub(crate) conditions: PairIter<'a>,
    /// Where its kubelet listens.
    pub(crate) kubelet: Option<&'a str>,
    /// The first address of each type, behind its type.
    pub(crate) addresses: PairIter<'a>,
}

/// A Node as read, without what discovery does not need.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct NodeWire<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    metadata: Metadata<'a>,
    #[serde(borrow, deserialize_with = "nullable")]
    spec: NodeSpec<'a>,
    #[serde(borrow, deserialize_with = "nullable")]
    status: NodeStatus<'a>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct NodeSpec<'a> {
    #[serde(borrow, rename = "providerID")]
    provider_id: Text<'a>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct NodeStatus<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    addresses: Vec<NodeAddress<'a>>,
    #[serde(borrow, deserialize_with = "nullable")]
    conditions: Vec<Condition<'a>>,
    #[serde(deserialize_with = "nullable")]
    daemon_endpoints: DaemonEndpoints,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct NodeAddress<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    address: Text<'a>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct DaemonEndpoints {
    #[serde(deserialize_with = "nullable")]
    kubelet_endpoint: DaemonEndpoint,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct DaemonEndpoint {
    // Upper case on the wire.
    #[serde(rename = "Port", deserialize_with = "nullable")]
    port: i32,
}

// === impl Node ===

impl Node {
    /// The kind, with annotations left out.
    pub(crate) fn new(left_out: AnnotationFilter) -> Self {
        Self { left_out }
    }
}

impl Resource for Node {
    type Wire<'a> = NodeWire<'a>;

    fn kind(&self) -> &Kind {
        &KIND
    }

    fn names<'w>(&self, wire: &'w NodeWire<'_>) -> ObjectNames<'w> {
        wire.metadata.names()
    }

    fn pack(&self, wire: &NodeWire<'_>, writer: &mut Writer) {
        let NodeWire {
            metadata,
            spec,
            status,
        } = wire;
        metadata.pack(writer, &self.left_out);
        writer.text(spec.provider_id.as_str());
        let conditions = status.conditions.iter();
        writer.pairs(conditions.map(|condition| (condition.kind.as_str(), condition.status.as_str())));
        // The first address of each type; nothing else of them is ever used.
        let first: Vec<(&str, &str)> = (0..status.addresses.len())
            .filter(|&at| {
                let kind = &status.addresses[at].kind;
                let mut earlier = status.addresses[..at].iter();
                earlier.all(|earlier| earlier.kind != *kind)
            })
            .map(|at| &status.addresses[at])
            .map(|address| (address.kind.as_str(), address.address.as_str()))
            .collect();
        let best = ADDRESS_ORDER
            .iter()
            .find_map(|best| first.iter().find(|(kind, _)| kind == best));
        let port = status.daemon_endpoints.kubelet_endpoint.port;
        let kubelet = best.map(|(_, address)| join_host_port(address, port));
        writer.optional_text(kubelet.as_deref());
        writer.pairs(first.into_iter());
    }
}

// === impl NodeFields ===

impl<'a> NodeFields<'a> {
    /// What a Node's record holds.
    pub(crate) fn of(record: &'a Record) -> Self {
        let mut reader = record.body();
        let provider_id = reader.text();
        let conditions = reader.pairs();
        reader.skip_pairs();
        Self {
            provider_id,
            conditions,
            kubelet: reader.optional_text(),
            addresses: reader.pairs(),
        }
    }
}
