//! Slices of endpoints.

use super::backends::{BackendPort, Packable, Subset, pack_subset, subsets};
use super::filter::AnnotationFilter;
use super::{Kind, ObjectNames, Resource};
use crate::record::{Record, Writer};
use crate::wire::{Metadata, ObjectReference, Pairs, Text, nullable};

pub(super) static KIND: Kind = Kind::builtin(
    "/apis/discovery.k8s.io/v1",
    "endpointslices",
    "endpointslice",
);

/// The kind `EndpointSlice`.
#[derive(Clone, Debug, Default)]
pub(crate) struct EndpointSlice {
    left_out: AnnotationFilter,
}

/// What a record holds of a slice, besides its metadata.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SliceFields<'a> {
    pub(crate) address_type: &'a str,
    pub(crate) subset: Option<Subset<'a>>,
}

/// A slice as read, without what discovery does not need.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct SliceWire<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    metadata: Metadata<'a>,
    #[serde(borrow)]
    address_type: Text<'a>,
    #[serde(borrow, deserialize_with = "nullable")]
    endpoints: Vec<Endpoint<'a>>,
    #[serde(borrow, deserialize_with = "nullable")]
    ports: Vec<Port<'a>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Endpoint<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    addresses: Vec<Text<'a>>,
    #[serde(deserialize_with = "nullable")]
    conditions: Conditions,
    #[serde(borrow)]
    hostname: Option<Text<'a>>,
    #[serde(borrow)]
    target_ref: Option<ObjectReference<'a>>,
    #[serde(borrow)]
    node_name: Option<Text<'a>>,
    #[serde(borrow)]
    zone: Option<Text<'a>>,
    #[serde(borrow)]
    deprecated_topology: Pairs<'a>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Conditions {
    ready: Option<bool>,
    serving: Option<bool>,
    terminating: Option<bool>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Port<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    protocol: Option<Text<'a>>,
    #[serde(rename = "port")]
    number: Option<i32>,
    #[serde(borrow)]
    app_protocol: Option<Text<'a>>,
}

// === impl EndpointSlice ===

impl EndpointSlice {
    /// The kind, with annotations left out.
    pub(crate) fn new(left_out: AnnotationFilter) -> Self {
        Self { left_out }
    }
}

impl Resource for EndpointSlice {
    type Wire<'a> = SliceWire<'a>;

    fn kind(&self) -> &Kind {
        &KIND
    }

    fn names<'w>(&self, wire: &'w SliceWire<'_>) -> ObjectNames<'w> {
        wire.metadata.names()
    }

    fn pack(&self, wire: &SliceWire<'_>, writer: &mut Writer) {
        wire.metadata.pack(writer, &self.left_out);
        writer.text(wire.address_type.as_str());
        let ports = wire.ports.iter().map(|port| BackendPort {
            number: port.number.map(|number| i64::from(number) as u64),
            name: port.name.as_ref().map(Text::as_str),
            protocol: port.protocol.as_ref().map(Text::as_str),
            app_protocol: port.app_protocol.as_ref().map(Text::as_str),
        });
        let backends = wire.endpoints.iter().map(|endpoint| Packable {
            addresses: &endpoint.addresses,
            target: endpoint.target_ref.as_ref(),
            node: endpoint.node_name.as_ref(),
            conditions: [
                endpoint.conditions.ready,
                endpoint.conditions.serving,
                endpoint.conditions.terminating,
            ],
            hostname: endpoint.hostname.as_ref(),
            zone: endpoint.zone.as_ref(),
            topology: Some(&endpoint.deprecated_topology),
        });
        pack_subset(writer, ports, backends);
    }
}

// === impl SliceFields ===

impl<'a> SliceFields<'a> {
    /// What a slice's record holds.
    pub(crate) fn of(record: &'a Record) -> Self {
        let mut reader = record.body();
        Self {
            address_type: reader.text(),
            subset: subsets(reader).next(),
        }
    }
}
