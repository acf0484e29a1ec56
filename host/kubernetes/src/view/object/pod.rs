//! Role `pod`: one target per container port, and one for each container without ports.

use periplus_core::LabelSet;

use super::{Attached, Made, begin, push_namespace, push_node};
use crate::labels::{self, ADDRESS, Labels, bool_text, join_host_port, to_lower};
use crate::record::Record;
use crate::resource::ObjectKey;
use crate::resource::metadata::Owned;
use crate::resource::pod::{ContainerFields, PodFields};
use crate::view::ViewSpec;
use crate::view::joined::Owners;

/// The container and port of a Pod that a target is.
#[derive(Clone, Copy)]
pub(in crate::view) struct Matched<'a> {
    pub(in crate::view) container: ContainerFields<'a>,
    pub(in crate::view) port: u64,
    pub(in crate::view) port_name: &'a str,
    pub(in crate::view) protocol: &'a str,
}

pub(super) fn group(
    spec: &ViewSpec,
    key: &ObjectKey,
    record: &Record,
    attached: &Attached,
) -> Made {
    let pod = PodFields::of(record);
    // A Pod that has no address yet, or no longer, has nothing to scrape. A node that is not
    // known is one that the selector of nodes does not select.
    if pod.ip.is_empty() || (spec.attach.node && attached.node.is_none()) {
        return None;
    }
    let mut labels = begin(spec, key.namespace());
    push_namespace(&mut labels, spec, attached.namespace.as_ref());
    push_node(&mut labels, spec, pod.node, attached.node.as_ref());
    push_pod(
        &mut labels,
        spec,
        (key, record, &pod),
        &attached.owners,
        None,
    );
    let mut targets = Vec::new();
    for container in pod.containers() {
        push_targets(&mut targets, pod.ip, container);
    }
    Some((labels.finish(), targets))
}

fn push_targets(targets: &mut Vec<LabelSet>, ip: &str, container: ContainerFields<'_>) {
    let begin = |address: String| {
        let mut labels = Labels::default();
        labels.push(ADDRESS, address);
        labels.push("__meta_kubernetes_pod_container_id", container.id);
        labels.push("__meta_kubernetes_pod_container_image", container.image);
        let is_init = bool_text(container.is_init);
        labels.push("__meta_kubernetes_pod_container_init", is_init);
        labels.push("__meta_kubernetes_pod_container_name", container.name);
        labels
    };
    let before = targets.len();
    for port in container.ports() {
        let mut labels = begin(join_host_port(ip, port.number));
        labels.push("__meta_kubernetes_pod_container_port_name", port.name);
        let number = itoa::Buffer::new().format(port.number).to_owned();
        labels.push("__meta_kubernetes_pod_container_port_number", number);
        labels.push(
            "__meta_kubernetes_pod_container_port_protocol",
            port.protocol,
        );
        targets.push(labels.finish());
    }
    if targets.len() == before {
        // The address as it is: upstream puts no brackets around IPv6 here.
        targets.push(begin(ip.to_owned()).finish());
    }
}

/// Adds what is shown of a Pod, in role `pod` and where it stands behind a service.
pub(in crate::view) fn push_pod<'a>(
    labels: &mut Labels<'a>,
    spec: &ViewSpec,
    (key, record, pod): (&'a ObjectKey, &'a Record, &PodFields<'a>),
    owners: &'a Owners,
    matched: Option<Matched<'a>>,
) {
    labels.push_annotations(&labels::POD, record, &spec.drop_annotations);
    if let Some(matched) = matched {
        push_matched(labels, matched);
    }
    let controller = pod.controller;
    let filled = |text: &'a str| Some(text).filter(|text| !text.is_empty());
    labels.push_some(
        "__meta_kubernetes_pod_controller_kind",
        filled(controller.kind),
    );
    labels.push_some(
        "__meta_kubernetes_pod_controller_name",
        filled(controller.name),
    );
    labels.push_some(
        "__meta_kubernetes_pod_cronjob_name",
        owner_name(owners.job.as_ref(), "CronJob"),
    );
    labels.push_some(
        "__meta_kubernetes_pod_deployment_name",
        owner_name(owners.replica_set.as_ref(), "Deployment"),
    );
    labels.push("__meta_kubernetes_pod_host_ip", pod.host_ip);
    labels.push("__meta_kubernetes_pod_ip", pod.ip);
    if spec.attach.job && controller.kind == "Job" {
        labels.push("__meta_kubernetes_pod_job_name", controller.name);
    }
    labels.push_labels(&labels::POD, record);
    labels.push(labels::POD.name, key.name());
    labels.push("__meta_kubernetes_pod_node_name", pod.node);
    labels.push("__meta_kubernetes_pod_phase", pod.phase);
    labels.push("__meta_kubernetes_pod_ready", to_lower(pod.ready));
    labels.push("__meta_kubernetes_pod_uid", pod.uid);
}

fn push_matched<'a>(labels: &mut Labels<'a>, matched: Matched<'a>) {
    let Matched {
        container,
        port,
        port_name,
        protocol,
    } = matched;
    labels.push("__meta_kubernetes_pod_container_image", container.image);
    let is_init = bool_text(container.is_init);
    labels.push("__meta_kubernetes_pod_container_init", is_init);
    labels.push("__meta_kubernetes_pod_container_name", container.name);
    labels.push("__meta_kubernetes_pod_container_port_name", port_name);
    let number = itoa::Buffer::new().format(port).to_owned();
    labels.push("__meta_kubernetes_pod_container_port_number", number);
    labels.push("__meta_kubernetes_pod_container_port_protocol", protocol);
}

/// The name of what made a ReplicaSet or a Job, if it is of the kind that does.
fn owner_name<'a>(owned: Option<&'a Record>, kind: &str) -> Option<&'a str> {
    let controller = owned.map(Owned::controller)?;
    (controller.kind == kind).then_some(controller.name)
}
