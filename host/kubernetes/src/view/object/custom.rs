//! Custom kinds: a target for each row that the pointers of a section find.

use std::rc::Rc;

use periplus_core::LabelSet;

use super::{Made, begin};
use crate::labels::{self, ADDRESS, Labels, join_host_port};
use crate::record::Record;
use crate::resource::ObjectKey;
use crate::resource::custom::{CustomFields, CustomRow, Spec};
use crate::view::ViewSpec;

pub(super) fn group(
    spec: &ViewSpec,
    custom: &Spec,
    key: &ObjectKey,
    record: &Record,
) -> Option<Made> {
    let fields = CustomFields::of(record, custom);
    let rows: Vec<CustomRow<'_>> = fields.rows().collect();
    let first = rows.first()?;
    let names = custom.suffixes().enumerate();
    let names = names.map(|(at, end)| (at, format!("__meta_kubernetes_resource_{end}").into()));
    // What all targets have belongs to the group.
    let (of_group, mut of_targets): (Vec<(usize, Rc<str>)>, Vec<_>) =
        names.partition(|(at, _)| rows.iter().all(|row| row.labels[*at] == first.labels[*at]));

    let mut labels = begin(spec, key.namespace());
    // First what the section names, so that it cannot hide what every group has.
    for (at, name) in &of_group {
        if let Some(value) = first.labels[*at] {
            labels.push_named(name, value);
        }
    }
    let resource: &str = &custom.kind().key_prefix;
    labels.push("__meta_kubernetes_resource", resource);
    labels.push_metadata(&labels::RESOURCE, record, &spec.drop_annotations);
    labels.push(labels::RESOURCE.name, key.name());
    let labels = labels.finish();

    of_targets.retain(|(_, name)| labels.get(name).is_none());
    let targets = rows.iter().map(|row| target(row, &of_targets)).collect();
    Some((labels, targets))
}

fn target(row: &CustomRow<'_>, names: &[(usize, Rc<str>)]) -> LabelSet {
    let mut target = Labels::default();
    for (at, name) in names {
        if let Some(value) = row.labels[*at] {
            target.push_named(name, value);
        }
    }
    match row.port {
        Some(port) => {
            // Ports are numbers, or names that the object gives them.
            target.push(ADDRESS, join_host_port(row.address, port));
            target.push("__meta_kubernetes_resource_port", port);
        }
        None => target.push(ADDRESS, row.address),
    }
    target.finish()
}
