//! Role `ingress`: each path of each rule.

use super::{Attached, Made, begin, push_namespace};
use crate::labels::{self, ADDRESS, Labels};
use crate::record::Record;
use crate::resource::ObjectKey;
use crate::resource::ingress::IngressFields;
use crate::view::ViewSpec;

pub(super) fn group(
    spec: &ViewSpec,
    key: &ObjectKey,
    record: &Record,
    attached: &Attached,
) -> Made {
    let ingress = IngressFields::of(record);
    let mut labels = begin(spec, key.namespace());
    labels.push_some("__meta_kubernetes_ingress_class_name", ingress.class);
    labels.push_metadata(&labels::INGRESS, record, &spec.drop_annotations);
    labels.push(labels::INGRESS.name, key.name());
    push_namespace(&mut labels, spec, attached.namespace.as_ref());

    let targets = ingress.routes().map(|route| {
        let mut target = Labels::default();
        target.push(ADDRESS, route.host);
        target.push("__meta_kubernetes_ingress_host", route.host);
        target.push("__meta_kubernetes_ingress_path", route.path);
        let scheme = if route.is_tls { "https" } else { "http" };
        target.push("__meta_kubernetes_ingress_scheme", scheme);
        target.finish()
    });
    Some((labels.finish(), targets.collect()))
}
