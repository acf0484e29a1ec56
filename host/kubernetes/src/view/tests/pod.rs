//! The behaviour of Prometheus' role `pod`, and what its own tests leave out.

use serde_json::{Value, json};

use super::*;
use crate::labels::ADDRESS;

/// The Pod of upstream's tests: one container with one port.
pub(super) fn single_port() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "testpod", "namespace": "default", "uid": "abc123", "resourceVersion": "1"},
        "spec": {
            "nodeName": "testnode",
            "containers": [{
                "name": "testcontainer", "image": "testcontainer:latest",
                "ports": [{"name": "testport", "protocol": "TCP", "containerPort": 9000}],
            }],
        },
        "status": {
            "podIP": "1.2.3.4", "hostIP": "2.3.4.5", "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "testcontainer", "containerID": "docker://a1b2c3d4e5f6"}],
        },
    })
}

/// Two ports in one container, none in the other, labels, annotations and a controller.
pub(super) fn multi_port() -> Value {
    let mut pod = single_port();
    pod["metadata"]["labels"] = json!({"test/label": "testvalue"});
    pod["metadata"]["annotations"] = json!({"test/annotation": "testannotationvalue"});
    pod["metadata"]["ownerReferences"] = json!([
        {"kind": "other", "name": "other", "controller": false},
        {"kind": "unmarked", "name": "unmarked"},
        {"kind": "testcontrollerkind", "name": "testcontrollername", "controller": true},
    ]);
    pod["spec"]["containers"] = json!([
        {
            "name": "testcontainer0", "image": "testcontainer0:latest",
            "ports": [
                {"name": "testport0", "protocol": "TCP", "containerPort": 9000},
                {"name": "testport1", "protocol": "UDP", "containerPort": 9001},
            ],
        },
        {"name": "testcontainer1", "image": "testcontainer1:latest"},
    ]);
    pod["status"]["containerStatuses"] = json!([
        {"name": "testcontainer0", "containerID": "docker://a1b2c3d4e5f6"},
        {"name": "testcontainer1", "containerID": "containerd://6f5e4d3c2b1a"},
    ]);
    pod
}

fn with_init_container() -> Value {
    let mut pod = single_port();
    pod["status"]["phase"] = json!("Pending");
    pod["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
    pod["spec"]["initContainers"] =
        json!([{"name": "initcontainer", "image": "initcontainer:latest"}]);
    pod["status"]["initContainerStatuses"] =
        json!([{"name": "initcontainer", "containerID": "containerd://6f5e4d3c2b1a"}]);
    pod
}

fn group(pod: &Value) -> TargetGroup {
    group_of(Role::Pod, pod)
}

fn addresses(pod: &Value) -> Vec<String> {
    group(pod)
        .targets
        .iter()
        .map(|target| target.get(ADDRESS).unwrap().to_owned())
        .collect()
}

#[test]
fn a_pod_with_several_ports_has_a_target_for_each_and_one_for_a_container_without() {
    let group = group(&multi_port());
    assert_eq!(&*group.source, "pod/default/testpod");
    assert_eq!(
        labels(&group.labels),
        json!({
            "__meta_kubernetes_namespace": "default",
            "__meta_kubernetes_pod_name": "testpod",
            "__meta_kubernetes_pod_ip": "1.2.3.4",
            "__meta_kubernetes_pod_ready": "true",
            "__meta_kubernetes_pod_phase": "Running",
            "__meta_kubernetes_pod_node_name": "testnode",
            "__meta_kubernetes_pod_host_ip": "2.3.4.5",
            "__meta_kubernetes_pod_uid": "abc123",
            "__meta_kubernetes_pod_controller_kind": "testcontrollerkind",
            "__meta_kubernetes_pod_controller_name": "testcontrollername",
            "__meta_kubernetes_pod_label_test_label": "testvalue",
            "__meta_kubernetes_pod_labelpresent_test_label": "true",
            "__meta_kubernetes_pod_annotation_test_annotation": "testannotationvalue",
            "__meta_kubernetes_pod_annotationpresent_test_annotation": "true",
        })
    );
    let targets: Vec<Value> = group.targets.iter().map(labels).collect();
    assert_eq!(
        targets,
        [
            json!({
                "__address__": "1.2.3.4:9000",
                "__meta_kubernetes_pod_container_name": "testcontainer0",
                "__meta_kubernetes_pod_container_image": "testcontainer0:latest",
                "__meta_kubernetes_pod_container_id": "docker://a1b2c3d4e5f6",
                "__meta_kubernetes_pod_container_init": "false",
                "__meta_kubernetes_pod_container_port_name": "testport0",
                "__meta_kubernetes_pod_container_port_number": "9000",
                "__meta_kubernetes_pod_container_port_protocol": "TCP",
            }),
            json!({
                "__address__": "1.2.3.4:9001",
                "__meta_kubernetes_pod_container_name": "testcontainer0",
                "__meta_kubernetes_pod_container_image": "testcontainer0:latest",
                "__meta_kubernetes_pod_container_id": "docker://a1b2c3d4e5f6",
                "__meta_kubernetes_pod_container_init": "false",
                "__meta_kubernetes_pod_container_port_name": "testport1",
                "__meta_kubernetes_pod_container_port_number": "9001",
                "__meta_kubernetes_pod_container_port_protocol": "UDP",
            }),
            json!({
                "__address__": "1.2.3.4",
                "__meta_kubernetes_pod_container_name": "testcontainer1",
                "__meta_kubernetes_pod_container_image": "testcontainer1:latest",
                "__meta_kubernetes_pod_container_id": "containerd://6f5e4d3c2b1a",
                "__meta_kubernetes_pod_container_init": "false",
            }),
        ]
    );
}

#[test]
fn an_init_container_is_a_target_too() {
    let group = group(&with_init_container());
    assert_eq!(
        group.labels.get("__meta_kubernetes_pod_phase"),
        Some("Pending")
    );
    assert_eq!(
        group.labels.get("__meta_kubernetes_pod_ready"),
        Some("false")
    );
    assert_eq!(group.targets.len(), 2);
    assert_eq!(
        labels(&group.targets[1]),
        json!({
            "__address__": "1.2.3.4",
            "__meta_kubernetes_pod_container_name": "initcontainer",
            "__meta_kubernetes_pod_container_image": "initcontainer:latest",
            "__meta_kubernetes_pod_container_id": "containerd://6f5e4d3c2b1a",
            "__meta_kubernetes_pod_container_init": "true",
        })
    );
}

#[test]
fn a_sidecar_among_init_containers_gets_its_ports() {
    let mut pod = with_init_container();
    pod["spec"]["initContainers"] = json!([{
        "name": "sidecar", "image": "mesh", "restartPolicy": "Always",
        "ports": [{"name": "http", "containerPort": 15090, "protocol": "TCP"}],
    }]);
    let group = group(&pod);
    assert_eq!(addresses(&pod), ["1.2.3.4:9000", "1.2.3.4:15090"]);
    assert_eq!(
        group.targets[1].get("__meta_kubernetes_pod_container_init"),
        Some("true")
    );
}

#[test]
fn a_pod_without_an_address_has_no_targets() {
    for ip in [json!(""), Value::Null] {
        let mut pod = multi_port();
        pod["status"]["podIP"] = ip;
        let group = group(&pod);
        assert_eq!(&*group.source, "pod/default/testpod");
        assert!(group.labels.is_empty() && group.targets.is_empty());
    }
}

#[test]
fn a_finished_pod_stays_as_long_as_it_has_an_address() {
    for phase in ["Succeeded", "Failed"] {
        let mut pod = single_port();
        pod["status"]["phase"] = json!(phase);
        assert_eq!(
            group(&pod).labels.get("__meta_kubernetes_pod_phase"),
            Some(phase)
        );
        assert_eq!(addresses(&pod), ["1.2.3.4:9000"]);
    }
}

#[test]
fn readiness_is_the_condition_in_lower_case_and_unknown_without_one() {
    for (conditions, ready) in [
        (
            json!([{"type": "PodScheduled", "status": "False"}, {"type": "Ready", "status": "True"}]),
            "true",
        ),
        (
            json!([{"type": "Ready", "status": "False"}, {"type": "Ready", "status": "True"}]),
            "false",
        ),
        (json!([{"type": "Ready", "status": "Unknown"}]), "unknown"),
        (json!([{"type": "Ready"}]), ""),
        (
            json!([{"type": "Initialized", "status": "True"}]),
            "unknown",
        ),
        (json!([]), "unknown"),
        (Value::Null, "unknown"),
    ] {
        let mut pod = single_port();
        pod["status"]["conditions"] = conditions;
        assert_eq!(
            group(&pod).labels.get("__meta_kubernetes_pod_ready"),
            Some(ready)
        );
    }
}

#[test]
fn ipv6_has_brackets_before_a_port_and_none_alone() {
    let mut pod = multi_port();
    pod["status"]["podIP"] = json!("fd00::1");
    pod["status"]["podIPs"] = json!([{"ip": "fd00::1"}, {"ip": "10.0.0.9"}]);
    assert_eq!(
        addresses(&pod),
        ["[fd00::1]:9000", "[fd00::1]:9001", "fd00::1"]
    );
}

#[test]
fn the_controller_is_named_as_far_as_it_names_itself() {
    let kind = "__meta_kubernetes_pod_controller_kind";
    let name = "__meta_kubernetes_pod_controller_name";
    for (owner, expected) in [
        (
            json!([{"kind": "Job", "name": "", "controller": true}]),
            (Some("Job"), None),
        ),
        (
            json!([{"name": "x", "controller": true}]),
            (None, Some("x")),
        ),
        (json!([{"kind": "Job", "name": "x"}]), (None, None)),
        (json!([]), (None, None)),
    ] {
        let mut pod = single_port();
        pod["metadata"]["ownerReferences"] = owner;
        let labels = group(&pod).labels;
        assert_eq!((labels.get(kind), labels.get(name)), expected);
    }
}

#[test]
fn a_container_without_a_status_has_an_empty_id() {
    let mut pod = single_port();
    pod["status"]["containerStatuses"] = json!([{"name": "other", "containerID": "docker://1"}]);
    let id = "__meta_kubernetes_pod_container_id";
    assert_eq!(group(&pod).targets[0].get(id), Some(""));
}

#[test]
fn names_that_become_the_same_label_are_resolved_alike_whatever_their_order() {
    let mut first = single_port();
    first["metadata"]["labels"] =
        json!({"a.b": "dot", "a/b": "slash", "a_b": "underscore", "a-b": "dash"});
    let mut second = single_port();
    second["metadata"]["labels"] =
        json!({"a_b": "underscore", "a/b": "slash", "a-b": "dash", "a.b": "dot"});
    assert_eq!(group(&first), group(&second));
    assert_eq!(
        group(&first).labels.get("__meta_kubernetes_pod_label_a_b"),
        Some("underscore")
    );
    assert_eq!(
        group(&first)
            .labels
            .get("__meta_kubernetes_pod_labelpresent_a_b"),
        Some("true")
    );
}

#[test]
fn an_empty_label_is_there() {
    let mut pod = single_port();
    pod["metadata"]["labels"] = json!({"empty": ""});
    let labels = group(&pod).labels;
    assert_eq!(labels.get("__meta_kubernetes_pod_label_empty"), Some(""));
    assert_eq!(
        labels.get("__meta_kubernetes_pod_labelpresent_empty"),
        Some("true")
    );
}

#[test]
fn what_makes_no_difference_to_targets_makes_none_to_the_record() {
    let pod = multi_port();
    let mut beat = pod.clone();
    beat["metadata"]["resourceVersion"] = json!("2");
    beat["metadata"]["generation"] = json!(7);
    beat["metadata"]["managedFields"] =
        json!([{"manager": "kubelet", "fieldsV1": {"f:status": {}}}]);
    beat["spec"]["containers"][0]["env"] = json!([{"name": "A", "value": "B"}]);
    beat["status"]["conditions"][0]["lastProbeTime"] = json!("2026-01-01T00:00:00Z");
    beat["status"]["containerStatuses"][0]["restartCount"] = json!(3);
    assert_eq!(
        record_of(ObjectKind::Pod, &pod).unwrap(),
        record_of(ObjectKind::Pod, &beat).unwrap()
    );
    beat["metadata"]["uid"] = json!("another pod of the same name");
    assert_ne!(
        record_of(ObjectKind::Pod, &pod).unwrap(),
        record_of(ObjectKind::Pod, &beat).unwrap()
    );
}

#[test]
fn objects_of_the_wrong_shape_are_refused() {
    for (pointer, value) in [
        ("/metadata/labels", json!({"a": 7})),
        ("/metadata/name", json!(["x"])),
        ("/spec", json!("x")),
        ("/spec/containers", json!({})),
        ("/spec/containers/0/ports/0/containerPort", json!("http")),
        ("/status/podIP", json!(1234)),
        ("/metadata/name", json!("")),
        ("/metadata/namespace", json!("")),
        ("/metadata/name", json!("a/b")),
    ] {
        let mut pod = multi_port();
        *pod.pointer_mut(pointer).unwrap() = value.clone();
        assert!(
            record_of(ObjectKind::Pod, &pod).is_err(),
            "{pointer} = {value}"
        );
    }
}

#[test]
fn missing_parts_are_empty() {
    let pod = json!({"metadata": {"name": "x", "namespace": "y"}});
    assert!(group(&pod).targets.is_empty());
    let pod = json!({"metadata": {"name": "x", "namespace": "y"}, "status": {"podIP": "1.1.1.1"}});
    assert!(group(&pod).targets.is_empty());
    let pod = json!({
        "metadata": {"name": "x", "namespace": "y"},
        "spec": {"containers": [{"ports": [{}]}], "initContainers": null},
        "status": {"podIP": "1.1.1.1", "containerStatuses": null},
    });
    assert_eq!(addresses(&pod), ["1.1.1.1:0"]);
}

#[test]
fn a_typical_pod_packs_into_less_than_a_kilobyte() {
    let mut pod = multi_port();
    pod["metadata"]["name"] = json!("checkout-service-7d9c5b8f6d-x2k4q");
    pod["metadata"]["uid"] = json!("1f3d8a8e-7a52-4b44-9d2b-6b0f8a4c1f9e");
    pod["metadata"]["labels"] = json!({
        "app": "checkout", "app.kubernetes.io/name": "checkout", "app.kubernetes.io/part-of": "shop",
        "pod-template-hash": "7d9c5b8f6d", "team": "payments", "version": "v1.42.0",
    });
    pod["metadata"]["annotations"] = json!({
        "prometheus.io/scrape": "true", "prometheus.io/port": "9090", "prometheus.io/path": "/metrics",
    });
    let id = format!("containerd://{}", "4f".repeat(32));
    for container in pod["status"]["containerStatuses"].as_array_mut().unwrap() {
        container["containerID"] = json!(id);
    }
    let record = record_of(ObjectKind::Pod, &pod).unwrap();
    assert!(record.len() < 700, "{} bytes", record.len());
}
