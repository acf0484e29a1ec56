//! Pods.

use super::filter::AnnotationFilter;
use super::{Controller, Kind, ObjectNames, Resource};
use crate::record::{Reader, Record, Writer};
use crate::wire::{Condition, Metadata, Text, nullable};

pub(super) static KIND: Kind = Kind::builtin("/api/v1", "pods", "pod");

/// The kind `Pod`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pod {
    left_out: AnnotationFilter,
}

/// What a record holds of a Pod, besides its metadata.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PodFields<'a> {
    pub(crate) ip: &'a str,
    pub(crate) host_ip: &'a str,
    pub(crate) uid: &'a str,
    pub(crate) node: &'a str,
    pub(crate) phase: &'a str,
    pub(crate) ready: &'a str,
    pub(crate) controller: Controller<'a>,
    rest: Reader<'a>,
}

/// A container, as a record holds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ContainerFields<'a> {
    pub(crate) name: &'a str,
    pub(crate) image: &'a str,
    pub(crate) id: &'a str,
    pub(crate) is_init: bool,
    ports: Reader<'a>,
}

/// A port of a container, as a record holds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PortFields<'a> {
    /// As upstream prints it: a negative port turns into a huge one.
    pub(crate) number: u64,
    pub(crate) name: &'a str,
    pub(crate) protocol: &'a str,
}

/// A Pod as read, without what discovery does not need.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct PodWire<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    metadata: Metadata<'a>,
    #[serde(borrow, deserialize_with = "nullable")]
    spec: PodSpec<'a>,
    #[serde(borrow, deserialize_with = "nullable")]
    status: PodStatus<'a>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodSpec<'a> {
    #[serde(borrow)]
    node_name: Text<'a>,
    #[serde(borrow, deserialize_with = "nullable")]
    containers: Vec<Container<'a>>,
    #[serde(borrow, deserialize_with = "nullable")]
    init_containers: Vec<Container<'a>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Container<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    image: Text<'a>,
    #[serde(borrow, deserialize_with = "nullable")]
    ports: Vec<ContainerPort<'a>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct ContainerPort<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(rename = "containerPort", deserialize_with = "nullable")]
    number: i32,
    #[serde(borrow)]
    protocol: Text<'a>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodStatus<'a> {
    #[serde(borrow)]
    phase: Text<'a>,
    #[serde(borrow, rename = "podIP")]
    pod_ip: Text<'a>,
    #[serde(borrow, rename = "hostIP")]
    host_ip: Text<'a>,
    #[serde(borrow, deserialize_with = "nullable")]
    conditions: Vec<Condition<'a>>,
    #[serde(borrow, deserialize_with = "nullable")]
    container_statuses: Vec<ContainerStatus<'a>>,
    #[serde(borrow, deserialize_with = "nullable")]
    init_container_statuses: Vec<ContainerStatus<'a>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct ContainerStatus<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow, rename = "containerID")]
    container_id: Text<'a>,
}

// === impl Pod ===

impl Pod {
    /// The kind, with annotations left out.
    pub(crate) fn new(left_out: AnnotationFilter) -> Self {
        Self { left_out }
    }
}

impl Resource for Pod {
    type Wire<'a> = PodWire<'a>;

    fn kind(&self) -> &Kind {
        &KIND
    }

    fn names<'w>(&self, wire: &'w PodWire<'_>) -> ObjectNames<'w> {
        wire.metadata.names()
    }

    fn pack(&self, wire: &PodWire<'_>, writer: &mut Writer) {
        let PodWire {
            metadata,
            spec,
            status,
        } = wire;
        metadata.pack(writer, &self.left_out);
        writer.text(status.pod_ip.as_str());
        writer.text(status.host_ip.as_str());
        writer.text(metadata.uid.as_str());
        writer.text(spec.node_name.as_str());
        writer.text(status.phase.as_str());
        let ready = status
            .conditions
            .iter()
            .find(|condition| condition.kind.as_str() == "Ready");
        writer.text(ready.map_or("Unknown", |condition| condition.status.as_str()));
        Controller::pack(metadata.controller(), writer);
        pack_containers(writer, &spec.containers, &status.container_statuses);
        pack_containers(
            writer,
            &spec.init_containers,
            &status.init_container_statuses,
        );
    }
}

fn pack_containers(
    writer: &mut Writer,
    containers: &[Container<'_>],
    statuses: &[ContainerStatus<'_>],
) {
    writer.number(containers.len() as u64);
    for container in containers {
        writer.text(container.name.as_str());
        writer.text(container.image.as_str());
        let status = statuses.iter().find(|status| status.name == container.name);
        writer.text(status.map_or("", |status| status.container_id.as_str()));
        writer.block(|writer| {
            for port in &container.ports {
                writer.number(i64::from(port.number) as u64);
                writer.text(port.name.as_str());
                writer.text(port.protocol.as_str());
            }
        });
    }
}

// === impl PodFields ===

impl<'a> PodFields<'a> {
    /// What a Pod's record holds.
    pub(crate) fn of(record: &'a Record) -> Self {
        let mut reader = record.body();
        Self {
            ip: reader.text(),
            host_ip: reader.text(),
            uid: reader.text(),
            node: reader.text(),
            phase: reader.text(),
            ready: reader.text(),
            controller: Controller::read(&mut reader),
            rest: reader,
        }
    }

    /// Its containers, then its init containers.
    pub(crate) fn containers(&self) -> impl Iterator<Item = ContainerFields<'a>> + use<'a> {
        let mut reader = self.rest;
        let mut left = reader.number();
        let mut is_init = false;
        std::iter::from_fn(move || {
            if left == 0 && !is_init {
                is_init = true;
                left = reader.number();
            }
            left = left.checked_sub(1)?;
            Some(ContainerFields {
                name: reader.text(),
                image: reader.text(),
                id: reader.text(),
                is_init,
                ports: reader.block(),
            })
        })
    }
}

// === impl ContainerFields ===

impl<'a> ContainerFields<'a> {
    /// Its ports.
    pub(crate) fn ports(&self) -> impl Iterator<Item = PortFields<'a>> + use<'a> {
        let mut reader = self.ports;
        std::iter::from_fn(move || {
            (!reader.is_empty()).then(|| PortFields {
                number: reader.number(),
                name: reader.text(),
                protocol: reader.text(),
            })
        })
    }
}
