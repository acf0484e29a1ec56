//! The behaviour of Prometheus' role `node`, and what its own tests leave out.

use serde_json::{Value, json};

use super::*;
use crate::labels::ADDRESS;

/// The Node of upstream's tests.
pub(super) fn node() -> Value {
    json!({
        "metadata": {
            "name": "test", "resourceVersion": "1",
            "labels": {"test-label": "testvalue"},
            "annotations": {"test-annotation": "testannotationvalue"},
        },
        "spec": {"providerID": "aws:///nl-ams1-b/i-03149834983492827"},
        "status": {
            "addresses": [{"type": "InternalIP", "address": "1.2.3.4"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        },
    })
}

#[test]
fn a_node_is_one_target_at_its_kubelet() {
    let group = group_of(Role::Node, &node());
    assert_eq!(&*group.source, "node/test");
    assert_eq!(
        labels(&group.labels),
        json!({
            "__meta_kubernetes_node_name": "test",
            "__meta_kubernetes_node_provider_id": "aws:///nl-ams1-b/i-03149834983492827",
            "__meta_kubernetes_node_label_test_label": "testvalue",
            "__meta_kubernetes_node_labelpresent_test_label": "true",
            "__meta_kubernetes_node_annotation_test_annotation": "testannotationvalue",
            "__meta_kubernetes_node_annotationpresent_test_annotation": "true",
        })
    );
    assert_eq!(
        group.targets.iter().map(labels).collect::<Vec<_>>(),
        [json!({
            "__address__": "1.2.3.4:10250",
            "instance": "test",
            "__meta_kubernetes_node_address_InternalIP": "1.2.3.4",
        })]
    );
}

#[test]
fn conditions_are_lower_case() {
    for (conditions, expected) in [
        (
            json!([{"type": "Ready", "status": "True"}]),
            json!({"ready": "true"}),
        ),
        (
            json!([{"type": "Ready", "status": "False"}]),
            json!({"ready": "false"}),
        ),
        (
            json!([{"type": "Ready", "status": "Unknown"}]),
            json!({"ready": "unknown"}),
        ),
        (json!([]), json!({})),
        (
            json!([
                {"type": "MemoryPressure", "status": "False"},
                {"type": "Ready", "status": "True"},
                {"type": "disk-Pressure", "status": "Unknown"},
            ]),
            json!({"memorypressure": "false", "ready": "true", "disk_pressure": "unknown"}),
        ),
    ] {
        let mut node = node();
        node["status"]["conditions"] = conditions;
        let group = group_of(Role::Node, &node);
        let found: serde_json::Map<_, _> = group
            .labels
            .iter()
            .filter_map(|(name, value)| {
                let name = name.strip_prefix("__meta_kubernetes_node_condition_")?;
                Some((name.to_owned(), json!(value)))
            })
            .collect();
        assert_eq!(Value::Object(found), expected);
    }
}

#[test]
fn the_best_address_is_scraped_and_the_first_of_each_type_is_a_label() {
    let all = [
        ("Hostname", "host"),
        ("LegacyHostIP", "9.9.9.9"),
        ("ExternalDNS", "ext.example.com"),
        ("ExternalIP", "5.6.7.8"),
        ("InternalDNS", "int.example.com"),
        ("InternalIP", "10.0.0.1"),
    ];
    for known in 1..=all.len() {
        let mut node = node();
        let addresses: Vec<Value> = all[..known]
            .iter()
            .map(|(kind, address)| json!({"type": kind, "address": address}))
            .collect();
        node["status"]["addresses"] = json!(addresses);
        let group = group_of(Role::Node, &node);
        let (_, best) = all[known - 1];
        assert_eq!(
            group.targets[0].get(ADDRESS),
            Some(&*format!("{best}:10250"))
        );
        for (kind, address) in &all[..known] {
            let name = format!("__meta_kubernetes_node_address_{kind}");
            assert_eq!(group.targets[0].get(&name), Some(*address));
        }
    }
    let mut node = node();
    node["status"]["addresses"] = json!([
        {"type": "InternalIP", "address": "fd00::1"},
        {"type": "InternalIP", "address": "10.0.0.1"},
        {"type": "My-Own", "address": "x"},
    ]);
    let target = &group_of(Role::Node, &node).targets[0];
    assert_eq!(target.get(ADDRESS), Some("[fd00::1]:10250"));
    assert_eq!(
        target.get("__meta_kubernetes_node_address_InternalIP"),
        Some("fd00::1")
    );
    assert_eq!(
        target.get("__meta_kubernetes_node_address_My_Own"),
        Some("x")
    );
}

#[test]
fn a_node_without_an_address_has_no_target() {
    for addresses in [
        json!([]),
        Value::Null,
        json!([{"type": "Odd", "address": "1.1.1.1"}]),
    ] {
        let mut node = node();
        node["status"]["addresses"] = addresses;
        let group = group_of(Role::Node, &node);
        assert_eq!(&*group.source, "node/test");
        assert!(group.labels.is_empty() && group.targets.is_empty());
    }
}

#[test]
fn a_kubelet_without_a_port_is_at_port_zero() {
    let mut node = node();
    node["status"]["daemonEndpoints"] = Value::Null;
    node["spec"] = json!({});
    let group = group_of(Role::Node, &node);
    assert_eq!(group.targets[0].get(ADDRESS), Some("1.2.3.4:0"));
    assert_eq!(
        group.labels.get("__meta_kubernetes_node_provider_id"),
        Some("")
    );
}

#[test]
fn a_heartbeat_makes_no_difference_to_the_record() {
    let mut node = node();
    node["status"]["conditions"] =
        json!([{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}]);
    let mut beat = node.clone();
    beat["status"]["conditions"][0]["lastHeartbeatTime"] = json!("2026-01-01T00:05:00Z");
    beat["status"]["images"] = json!([{"names": ["a"], "sizeBytes": 1}]);
    assert_eq!(
        record_of(ObjectKind::Node, &node).unwrap(),
        record_of(ObjectKind::Node, &beat).unwrap()
    );
    beat["status"]["conditions"][0]["status"] = json!("Unknown");
    assert_ne!(
        record_of(ObjectKind::Node, &node).unwrap(),
        record_of(ObjectKind::Node, &beat).unwrap()
    );
}
