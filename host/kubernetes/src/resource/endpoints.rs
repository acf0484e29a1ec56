//! Endpoints of `core/v1`.

use super::backends::{BackendPort, Packable, Subset, pack_subset, subsets};
use super::filter::AnnotationFilter;
use super::{Kind, ObjectNames, Resource};
use crate::record::{Record, Writer};
use crate::wire::{Metadata, ObjectReference, Text, nullable};

pub(super) static KIND: Kind = Kind::builtin("/api/v1", "endpoints", "endpoints");

/// The kind `Endpoints`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Endpoints {
    left_out: AnnotationFilter,
}

/// Endpoints as read, without what discovery does not need.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct EndpointsWire<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    metadata: Metadata<'a>,
    #[serde(borrow, deserialize_with = "nullable")]
    subsets: Vec<SubsetWire<'a>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SubsetWire<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    addresses: Vec<Address<'a>>,
    #[serde(borrow, deserialize_with = "nullable")]
    not_ready_addresses: Vec<Address<'a>>,
    #[serde(borrow, deserialize_with = "nullable")]
    ports: Vec<Port<'a>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Address<'a> {
    #[serde(borrow)]
    ip: Text<'a>,
    #[serde(borrow)]
    hostname: Text<'a>,
    #[serde(borrow)]
    node_name: Option<Text<'a>>,
    #[serde(borrow)]
    target_ref: Option<ObjectReference<'a>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Port<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    protocol: Text<'a>,
    #[serde(rename = "port", deserialize_with = "nullable")]
    number: i32,
}

// === impl Endpoints ===

impl Endpoints {
    /// The kind, with annotations left out.
    pub(crate) fn new(left_out: AnnotationFilter) -> Self {
        Self { left_out }
    }

    /// The subsets that a record of Endpoints holds.
    pub(crate) fn subsets(record: &Record) -> impl Iterator<Item = Subset<'_>> {
        subsets(record.body())
    }
}

impl Resource for Endpoints {
    type Wire<'a> = EndpointsWire<'a>;

    fn kind(&self) -> &Kind {
        &KIND
    }

    fn names<'w>(&self, wire: &'w EndpointsWire<'_>) -> ObjectNames<'w> {
        wire.metadata.names()
    }

    fn pack(&self, wire: &EndpointsWire<'_>, writer: &mut Writer) {
        wire.metadata.pack(writer, &self.left_out);
        for subset in &wire.subsets {
            let ports = subset.ports.iter().map(|port| BackendPort {
                number: Some(i64::from(port.number) as u64),
                name: Some(port.name.as_str()),
                protocol: Some(port.protocol.as_str()),
                app_protocol: None,
            });
            let ready = subset.addresses.iter().map(|it| (it, true));
            let not_ready = subset.not_ready_addresses.iter().map(|it| (it, false));
            let backends = ready.chain(not_ready).map(|(address, ready)| Packable {
                addresses: std::slice::from_ref(&address.ip),
                target: address.target_ref.as_ref(),
                node: address.node_name.as_ref(),
                conditions: [Some(ready), None, None],
                hostname: Some(&address.hostname).filter(|name| !name.as_str().is_empty()),
                ..Packable::default()
            });
            pack_subset(writer, ports, backends);
        }
    }
}
