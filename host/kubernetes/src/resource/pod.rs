//! Pods, and the role `pod`: one group per Pod, one target per container port.

use std::borrow::Cow;

use periplus_core::TargetGroup;

use super::{GroupSource, Kind, ObjectKey, ObjectNames, Resource};
use crate::labels::{ADDRESS, Labels, add_pairs, join_host_port, to_lower};
use crate::record::{Reader, Record, Writer};
use crate::wire::{Condition, Metadata, Text, nullable};

static KIND: Kind = Kind::builtin("/api/v1", "pods", "pod");

/// The kind `Pod`.
pub(crate) struct Pod;

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

impl Resource for Pod {
    type Wire<'a> = PodWire<'a>;

    fn kind(&self) -> &Kind {
        &KIND
    }

    fn names<'w>(&self, wire: &'w PodWire<'_>) -> ObjectNames<'w> {
        ObjectNames {
            namespace: wire.metadata.namespace.as_str(),
            name: wire.metadata.name.as_str(),
            resource_version: wire.metadata.resource_version.as_str(),
        }
    }

    fn pack(&self, wire: &PodWire<'_>, writer: &mut Writer) {
        let PodWire {
            metadata,
            spec,
            status,
        } = wire;
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
        let controller = metadata
            .owner_references
            .iter()
            .find(|owner| owner.controller == Some(true));
        writer.text(controller.map_or("", |owner| owner.kind.as_str()));
        writer.text(controller.map_or("", |owner| owner.name.as_str()));
        metadata.labels.pack(writer);
        metadata.annotations.pack(writer);
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
        writer.number(container.ports.len() as u64);
        for port in &container.ports {
            // As upstream prints it: a negative port would turn into a huge one.
            writer.number(i64::from(port.number) as u64);
            writer.text(port.name.as_str());
            writer.text(port.protocol.as_str());
        }
    }
}

impl GroupSource for Pod {
    fn new() -> Self {
        Self
    }

    fn group(key: &ObjectKey, record: &Record) -> Option<TargetGroup> {
        let mut reader = record.reader();
        let pod_ip = reader.text();
        // A Pod that has no address yet, or no longer, has nothing to scrape.
        if pod_ip.is_empty() {
            return Some(TargetGroup {
                source: key.source(),
                ..TargetGroup::default()
            });
        }
        let labels = group_labels(key, pod_ip, &mut reader);
        let mut targets = Vec::new();
        for is_init in [false, true] {
            for _ in 0..reader.number() {
                add_container(&mut targets, pod_ip, is_init, &mut reader);
            }
        }
        Some(TargetGroup {
            source: key.source(),
            labels: labels.into_iter().collect(),
            targets: targets
                .into_iter()
                .map(|target| target.into_iter().collect())
                .collect(),
        })
    }
}

fn group_labels<'a>(key: &'a ObjectKey, pod_ip: &'a str, reader: &mut Reader<'a>) -> Labels<'a> {
    let mut labels: Labels<'a> = vec![
        ("__meta_kubernetes_namespace".into(), key.namespace().into()),
        ("__meta_kubernetes_pod_name".into(), key.name().into()),
        ("__meta_kubernetes_pod_ip".into(), pod_ip.into()),
        ("__meta_kubernetes_pod_host_ip".into(), reader.text().into()),
        ("__meta_kubernetes_pod_uid".into(), reader.text().into()),
        (
            "__meta_kubernetes_pod_node_name".into(),
            reader.text().into(),
        ),
        ("__meta_kubernetes_pod_phase".into(), reader.text().into()),
        (
            "__meta_kubernetes_pod_ready".into(),
            to_lower(reader.text()),
        ),
    ];
    for name in [
        "__meta_kubernetes_pod_controller_kind",
        "__meta_kubernetes_pod_controller_name",
    ] {
        let value = reader.text();
        if !value.is_empty() {
            labels.push((name.into(), value.into()));
        }
    }
    add_pairs(&mut labels, "pod", "label", reader);
    add_pairs(&mut labels, "pod", "annotation", reader);
    labels
}

/// One target per port; one with the bare address if the container names no port.
fn add_container<'a>(
    targets: &mut Vec<Labels<'a>>,
    pod_ip: &'a str,
    is_init: bool,
    reader: &mut Reader<'a>,
) {
    let [name, image, id] = [reader.text(), reader.text(), reader.text()];
    let container = |address: Cow<'a, str>| -> Labels<'a> {
        vec![
            (ADDRESS.into(), address),
            ("__meta_kubernetes_pod_container_name".into(), name.into()),
            ("__meta_kubernetes_pod_container_id".into(), id.into()),
            ("__meta_kubernetes_pod_container_image".into(), image.into()),
            (
                "__meta_kubernetes_pod_container_init".into(),
                if is_init { "true" } else { "false" }.into(),
            ),
        ]
    };
    let ports = reader.number();
    if ports == 0 {
        // The address as it is: upstream puts no brackets around IPv6 here.
        targets.push(container(pod_ip.into()));
    }
    for _ in 0..ports {
        let number = reader.number();
        let mut labels = container(join_host_port(pod_ip, number).into());
        labels.extend([
            (
                "__meta_kubernetes_pod_container_port_number".into(),
                number.to_string().into(),
            ),
            (
                "__meta_kubernetes_pod_container_port_name".into(),
                reader.text().into(),
            ),
            (
                "__meta_kubernetes_pod_container_port_protocol".into(),
                reader.text().into(),
            ),
        ]);
        targets.push(labels);
    }
}

#[cfg(test)]
mod tests;
