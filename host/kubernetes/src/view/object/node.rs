//! Role `node`: the kubelet of each node.

use super::{Made, begin};
use crate::labels::{self, ADDRESS, Labels, to_lower};
use crate::record::Record;
use crate::resource::ObjectKey;
use crate::resource::node::NodeFields;
use crate::view::ViewSpec;

/// Nothing for a node without an address: upstream leaves the group that stood.
pub(super) fn group(spec: &ViewSpec, key: &ObjectKey, record: &Record) -> Made {
    let node = NodeFields::of(record);
    let kubelet = node.kubelet?;
    let mut labels = begin(spec, "");
    labels.push_annotations(&labels::NODE, record, &spec.drop_annotations);
    for (condition, status) in node.conditions {
        let condition = to_lower(condition);
        labels.push_made(
            "__meta_kubernetes_node_condition_",
            &condition,
            to_lower(status),
        );
    }
    labels.push_labels(&labels::NODE, record);
    labels.push(labels::NODE.name, key.name());
    labels.push("__meta_kubernetes_node_provider_id", node.provider_id);

    let mut target = Labels::default();
    target.push(ADDRESS, kubelet);
    for (kind, address) in node.addresses {
        target.push_made("__meta_kubernetes_node_address_", kind, address);
    }
    target.push("instance", key.name());
    Some((labels.finish(), vec![target.finish()]))
}
