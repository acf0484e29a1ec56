//! Nodes, and the role `node`: one group per Node, with the kubelet as its target.

use periplus_core::TargetGroup;
use periplus_core::name::sanitize_label_name;

use super::{GroupSource, Kind, ObjectKey, ObjectNames, Resource};
use crate::labels::{ADDRESS, Labels, PREFIX, add_pairs, join_host_port, to_lower};
use crate::record::{Record, Writer};
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

static KIND: Kind = Kind::builtin("/api/v1", "nodes", "node").cluster_scoped();

/// The kind `Node`.
pub(crate) struct Node;

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

impl Resource for Node {
    type Wire<'a> = NodeWire<'a>;

    fn kind(&self) -> &Kind {
        &KIND
    }

    fn names<'w>(&self, wire: &'w NodeWire<'_>) -> ObjectNames<'w> {
        ObjectNames {
            namespace: "",
            name: wire.metadata.name.as_str(),
            resource_version: wire.metadata.resource_version.as_str(),
        }
    }

    fn pack(&self, wire: &NodeWire<'_>, writer: &mut Writer) {
        let NodeWire {
            metadata,
            spec,
            status,
        } = wire;
        writer.text(spec.provider_id.as_str());
        metadata.labels.pack(writer);
        metadata.annotations.pack(writer);
        writer.number(status.conditions.len() as u64);
        for condition in &status.conditions {
            writer.text(condition.kind.as_str());
            writer.text(condition.status.as_str());
        }
        // The first address of each type; nothing else of them is ever used.
        let first: Vec<_> = (0..status.addresses.len())
            .filter(|&at| {
                let kind = &status.addresses[at].kind;
                status.addresses[..at]
                    .iter()
                    .all(|earlier| earlier.kind != *kind)
            })
            .map(|at| &status.addresses[at])
            .collect();
        let best = ADDRESS_ORDER
            .iter()
            .find_map(|kind| first.iter().find(|address| address.kind.as_str() == *kind));
        writer.flag(best.is_some());
        if let Some(best) = best {
            let port = status.daemon_endpoints.kubelet_endpoint.port;
            writer.text(&join_host_port(best.address.as_str(), port));
        }
        writer.number(first.len() as u64);
        for address in first {
            writer.text(address.kind.as_str());
            writer.text(address.address.as_str());
        }
    }
}

impl GroupSource for Node {
    fn new() -> Self {
        Self
    }

    fn group(key: &ObjectKey, record: &Record) -> Option<TargetGroup> {
        let mut reader = record.reader();
        let mut labels: Labels<'_> = vec![
            ("__meta_kubernetes_node_name".into(), key.name().into()),
            (
                "__meta_kubernetes_node_provider_id".into(),
                reader.text().into(),
            ),
        ];
        add_pairs(&mut labels, "node", "label", &mut reader);
        add_pairs(&mut labels, "node", "annotation", &mut reader);
        for _ in 0..reader.number() {
            let condition = sanitize_label_name(&to_lower(reader.text()));
            let status = to_lower(reader.text());
            labels.push((format!("{PREFIX}node_condition_{condition}").into(), status));
        }
        if !reader.flag() {
            // As upstream: a node without an address keeps the group that it had.
            tracing::warn!(node = key.name(), "No node address found");
            return None;
        }
        let mut target: Labels<'_> = vec![
            (ADDRESS.into(), reader.text().into()),
            ("instance".into(), key.name().into()),
        ];
        for _ in 0..reader.number() {
            let kind = sanitize_label_name(reader.text());
            target.push((
                format!("{PREFIX}node_address_{kind}").into(),
                reader.text().into(),
            ));
        }
        Some(TargetGroup {
            source: key.source(),
            labels: labels.into_iter().collect(),
            targets: vec![target.into_iter().collect()],
        })
    }
}

#[cfg(test)]
mod tests;
