//! Which fields of objects the records hold, so that field selectors can be evaluated on them.

use std::borrow::Cow;

use super::pod::PodFields;
use super::service::ServiceFields;
use super::ObjectKey;
use crate::record::Record;
use crate::view::ObjectKind;

/// A field of an object, as the API server shows it to field selectors; `None` if the record does
/// not hold it.
pub(crate) fn field<'a>(
    kind: ObjectKind,
    key: &'a ObjectKey,
    record: &'a Record,
    field: &str,
) -> Option<Cow<'a, str>> {
    if !has_field(kind, field) {
        return None;
    }
    let value = match (kind, field) {
        (_, "metadata.name") => key.name(),
        (_, "metadata.namespace") => key.namespace(),
        (ObjectKind::Pod, _) => {
            let pod = PodFields::of(record);
            match field {
                "spec.nodeName" => pod.node,
                "status.phase" => pod.phase,
                _ => pod.ip,
            }
        }
        _ => {
            let service = ServiceFields::of(record);
            match field {
                "spec.type" => service.kind,
                _ => service.cluster_ip,
            }
        }
    };
    Some(Cow::Borrowed(value))
}

/// Whether the records of a kind hold a field.
pub(crate) fn has_field(kind: ObjectKind, field: &str) -> bool {
    match field {
        "metadata.name" | "metadata.namespace" => true,
        "spec.nodeName" | "status.phase" | "status.podIP" => kind == ObjectKind::Pod,
        "spec.type" | "spec.clusterIP" => kind == ObjectKind::Service,
        _ => false,
    }
}
