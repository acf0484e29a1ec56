//! Custom kinds: each address with each port that the pointers of a section find.

use super::{Made, begin};
use crate::labels::{self, ADDRESS, Labels, join_host_port};
use crate::record::Record;
use crate::resource::ObjectKey;
use crate::resource::custom::{CustomFields, Spec};
use crate::view::ViewSpec;

/// The most targets of one object. Addresses and ports are multiplied, so a large object could
/// otherwise become millions.
const MAX_TARGETS: usize = 100_000;

pub(super) fn group(spec: &ViewSpec, custom: &Spec, key: &ObjectKey, record: &Record) -> Made {
    let fields = CustomFields::of(record);
    let mut values = fields.values();
    let addresses = values.next()?;
    let ports = values.next()?;

    let mut labels = begin(spec, key.namespace());
    // First what the section names, so that it cannot hide what every group has.
    for (suffix, values) in custom.suffixes().zip(values) {
        if !values.is_empty() {
            labels.push_made("__meta_kubernetes_resource_", suffix, values.join(","));
        }
    }
    let resource: &str = &custom.kind().key_prefix;
    labels.push("__meta_kubernetes_resource", resource.to_owned());
    labels.push_metadata(&labels::RESOURCE, record, &spec.drop_annotations);
    labels.push(labels::RESOURCE.name, key.name());

    let mut targets = Vec::new();
    for address in addresses {
        if ports.is_empty() {
            let mut target = Labels::default();
            target.push(ADDRESS, address);
            targets.push(target.finish());
        }
        for port in &ports {
            let mut target = Labels::default();
            target.push(ADDRESS, address_with_port(address, port));
            target.push("__meta_kubernetes_resource_port", *port);
            targets.push(target.finish());
        }
        if targets.len() >= MAX_TARGETS {
            targets.truncate(MAX_TARGETS);
            break;
        }
    }
    Some((labels.finish(), targets))
}

/// Ports are numbers, or names that the object gives them.
fn address_with_port(address: &str, port: &str) -> String {
    match port.parse::<u64>() {
        Ok(number) => join_host_port(address, number),
        Err(_) => [address, ":", port].concat(),
    }
}
