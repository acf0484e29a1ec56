//! The labels of roles `endpoints` and `endpointslice`.

use periplus_core::LabelSet;

use super::Flavor;
use super::rows::Row;
use crate::labels::{self, ADDRESS, Labels, bool_text, join_host_port};
use crate::record::Record;
use crate::resource::ObjectKey;
use crate::resource::backends::BackendPort;
use crate::resource::pod::PodFields;
use crate::resource::service::ServiceFields;
use crate::resource::slice::SliceFields;
use crate::view::ViewSpec;
use crate::view::joined::Owners;
use crate::view::object::{Matched, begin, push_namespace, push_node, push_pod};

/// What is known of the Pod that a target is.
#[derive(Clone, Copy)]
pub(super) struct PodOf<'a> {
    pub(super) key: &'a ObjectKey,
    pub(super) record: &'a Record,
    pub(super) pod: PodFields<'a>,
    pub(super) owners: &'a Owners,
}

/// Whether a slice holds the addresses of the second family of its service, which has two: they
/// lead to the same Pods as those of the first.
pub(super) fn is_left_out(record: &Record, service: Option<(&ObjectKey, &Record)>) -> bool {
    let family = service.map_or("", |(_, record)| ServiceFields::of(record).primary_family);
    !family.is_empty() && family != SliceFields::of(record).address_type
}

/// The labels that all targets of an object have.
pub(super) fn group_labels(
    spec: &ViewSpec,
    flavor: Flavor,
    (key, record): (&ObjectKey, &Record),
    service: Option<(&ObjectKey, &Record)>,
    namespace: Option<&Record>,
) -> LabelSet {
    let mut labels = begin(spec, key.namespace());
    let names = match flavor {
        Flavor::Endpoints => &labels::ENDPOINTS,
        Flavor::Slices => {
            let address_type = SliceFields::of(record).address_type;
            labels.push("__meta_kubernetes_endpointslice_address_type", address_type);
            &labels::ENDPOINT_SLICE
        }
    };
    labels.push_metadata(names, record, &spec.drop_annotations);
    labels.push(names.name, key.name());
    push_namespace(&mut labels, spec, namespace);
    if let Some((key, service)) = service {
        labels.push_metadata(&labels::SERVICE, service, &spec.drop_annotations);
        labels.push(labels::SERVICE.name, key.name());
    }
    labels.finish()
}

/// The labels of a backend at one of its addresses with one of its ports.
pub(super) fn target_labels(
    spec: &ViewSpec,
    flavor: Flavor,
    row: &Row<'_, '_>,
    (address, port): (&str, &BackendPort<'_>),
    node: Option<&Record>,
    pod: Option<PodOf<'_>>,
) -> LabelSet {
    let mut labels = Labels::default();
    match port.number {
        Some(number) => labels.push(ADDRESS, join_host_port(address, number)),
        None => labels.push(ADDRESS, address),
    }
    match flavor {
        Flavor::Endpoints => push_address(&mut labels, row, port),
        Flavor::Slices => push_endpoint(&mut labels, row, port),
    }
    push_node(&mut labels, spec, row.node(flavor).unwrap_or_default(), node);
    if let Some(pod) = pod {
        let matched = matched(flavor, pod.pod, port);
        let of = (pod.key, pod.record, &pod.pod);
        push_pod(&mut labels, spec, of, pod.owners, matched);
    }
    labels.finish()
}

/// The labels of a container's port that no service leads to.
pub(super) fn hidden_labels(spec: &ViewSpec, pod: PodOf<'_>, matched: Matched<'_>) -> LabelSet {
    let mut labels = Labels::default();
    labels.push(ADDRESS, join_host_port(pod.pod.ip, matched.port));
    let of = (pod.key, pod.record, &pod.pod);
    push_pod(&mut labels, spec, of, pod.owners, Some(matched));
    labels.finish()
}

/// An address of Endpoints.
fn push_address<'a>(labels: &mut Labels<'a>, row: &Row<'_, 'a>, port: &BackendPort<'a>) {
    let details = row.backend.details();
    if let Some(target) = row.backend.target {
        labels.push("__meta_kubernetes_endpoint_address_target_kind", target.kind);
        labels.push("__meta_kubernetes_endpoint_address_target_name", target.name);
    }
    labels.push_some("__meta_kubernetes_endpoint_hostname", details.hostname);
    labels.push_some("__meta_kubernetes_endpoint_node_name", row.backend.node);
    labels.push_some("__meta_kubernetes_endpoint_port_name", port.name);
    labels.push_some("__meta_kubernetes_endpoint_port_protocol", port.protocol);
    labels.push_flag("__meta_kubernetes_endpoint_ready", details.ready);
}

/// An endpoint of a slice.
fn push_endpoint<'a>(labels: &mut Labels<'a>, row: &Row<'_, 'a>, port: &BackendPort<'a>) {
    let details = row.backend.details();
    if let Some(target) = row.backend.target {
        labels.push(
            "__meta_kubernetes_endpointslice_address_target_kind",
            target.kind,
        );
        labels.push(
            "__meta_kubernetes_endpointslice_address_target_name",
            target.name,
        );
    }
    labels.push_flag(
        "__meta_kubernetes_endpointslice_endpoint_conditions_ready",
        details.ready,
    );
    labels.push_flag(
        "__meta_kubernetes_endpointslice_endpoint_conditions_serving",
        details.serving,
    );
    labels.push_flag(
        "__meta_kubernetes_endpointslice_endpoint_conditions_terminating",
        details.terminating,
    );
    labels.push_some(
        "__meta_kubernetes_endpointslice_endpoint_hostname",
        details.hostname,
    );
    labels.push_some(
        "__meta_kubernetes_endpointslice_endpoint_node_name",
        row.backend.node,
    );
    labels.push_map(labels::TOPOLOGY, details.topology);
    labels.push_some(
        "__meta_kubernetes_endpointslice_endpoint_zone",
        details.zone,
    );
    let number = port.number.map(|number| itoa::Buffer::new().format(number).to_owned());
    if let Some(number) = number {
        labels.push("__meta_kubernetes_endpointslice_port", number);
    }
    labels.push_some(
        "__meta_kubernetes_endpointslice_port_app_protocol",
        port.app_protocol,
    );
    labels.push_some("__meta_kubernetes_endpointslice_port_name", port.name);
    labels.push_some(
        "__meta_kubernetes_endpointslice_port_protocol",
        port.protocol,
    );
}

/// The container that listens on the port: the last one that names it, as upstream.
fn matched<'a>(flavor: Flavor, pod: PodFields<'a>, port: &BackendPort<'a>) -> Option<Matched<'a>> {
    let number = port.number?;
    let named = pod.containers().filter_map(|container| {
        let port = container.ports().find(|port| port.number == number)?;
        Some((container, port))
    });
    let (container, of_container) = named.last()?;
    let protocol = match flavor {
        Flavor::Endpoints => port.protocol.unwrap_or_default(),
        Flavor::Slices => of_container.protocol,
    };
    Some(Matched {
        container,
        port: number,
        port_name: of_container.name,
        protocol,
    })
}
