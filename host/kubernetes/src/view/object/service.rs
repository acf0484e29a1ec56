//! Role `service`: each port of each service, by its name in the cluster.

use super::{Attached, Made, begin, push_namespace};
use crate::labels::{self, ADDRESS, Labels, join_host_port};
use crate::record::Record;
use crate::resource::ObjectKey;
use crate::resource::service::ServiceFields;
use crate::view::ViewSpec;

pub(super) fn group(
    spec: &ViewSpec,
    key: &ObjectKey,
    record: &Record,
    attached: &Attached,
) -> Made {
    let service = ServiceFields::of(record);
    let mut labels = begin(spec, key.namespace());
    push_namespace(&mut labels, spec, attached.namespace.as_ref());
    labels.push_metadata(&labels::SERVICE, record, &spec.drop_annotations);
    labels.push(labels::SERVICE.name, key.name());

    let host = [key.name(), ".", key.namespace(), ".svc"].concat();
    let is_external = service.kind == "ExternalName";
    let targets = service.ports().map(|port| {
        let mut target = Labels::default();
        target.push(ADDRESS, join_host_port(&host, port.number));
        if is_external {
            let name = service.external_name;
            target.push("__meta_kubernetes_service_external_name", name);
        } else {
            target.push("__meta_kubernetes_service_cluster_ip", service.cluster_ip);
        }
        if service.kind == "LoadBalancer" {
            let addresses = service.load_balancer;
            target.push("__meta_kubernetes_service_loadbalancer_ip", addresses);
        }
        target.push("__meta_kubernetes_service_port_name", port.name);
        let number = itoa::Buffer::new().format(port.number).to_owned();
        target.push("__meta_kubernetes_service_port_number", number);
        target.push("__meta_kubernetes_service_port_protocol", port.protocol);
        target.push("__meta_kubernetes_service_type", service.kind);
        target.finish()
    });
    Some((labels.finish(), targets.collect()))
}
