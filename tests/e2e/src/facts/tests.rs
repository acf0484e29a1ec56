use serde_json::json;

use super::*;

fn pod() -> Value {
    json!({
        "kind": "Pod",
        "metadata": {"name": "p", "uid": "u", "labels": {"a.b": "1", "a-b": "2"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "no"},
                                {"kind": "Job", "name": "yes", "controller": true}]},
        "spec": {"containers": [{"name": "c", "image": "i", "ports": [
                     {"containerPort": 80, "protocol": "TCP"}, {"containerPort": 81, "protocol": "UDP"}]}],
                 "initContainers": [{"name": "s", "image": "j", "ports": [
                     {"containerPort": 80, "name": "x", "protocol": "SCTP"}]}]},
        "status": {"podIP": "fd00::1", "phase": "Running"},
    })
}

fn get<'a>(labels: &'a Labels, name: &str) -> &'a str {
    labels[&format!("{PREFIX}{name}")].as_str()
}

#[test]
fn names_that_sanitise_alike_compete_and_the_last_in_byte_order_is_ours() {
    let found = of_pod(Some(&pod()));
    // `-` comes before `.`.
    assert_eq!(found[&format!("{PREFIX}pod_label_a_b")], ["2", "1"]);
    assert_eq!(found[&format!("{PREFIX}pod_job_name")], ["yes"]);
    assert_eq!(found[&format!("{PREFIX}pod_ready")], ["unknown"]);
    assert!(of_pod(None).is_empty());
}

#[test]
fn the_last_container_with_the_port_gives_its_labels() {
    let labels = of_port(Some(&pod()), "80", None);
    assert_eq!(get(&labels, "pod_container_name"), "s");
    assert_eq!(get(&labels, "pod_container_init"), "true");
    let labels = of_port(Some(&pod()), "80", Some("TCP"));
    assert_eq!(get(&labels, "pod_container_port_protocol"), "TCP");
    assert!(of_port(Some(&pod()), "9", Some("TCP")).is_empty());
}

#[test]
fn ports_that_a_slice_does_not_name_are_hidden() {
    let slice = json!({"kind": "EndpointSlice", "ports": [{"port": 80}],
                       "endpoints": [{"targetRef": {"kind": "Pod", "name": "p"}}]});
    let shown = shown_ports(Some(&slice), "p").unwrap();
    let hidden = hidden_ports(Some(&pod()), &shown);
    assert_eq!(hidden.len(), 1);
    assert_eq!(hidden[0]["__address__"], "[fd00::1]:81");
    assert_eq!(shown_ports(Some(&slice), "q"), None);
    assert_eq!(shown_ports(None, "p"), None);
}

#[test]
fn a_target_is_of_the_most_particular_role_that_it_names() {
    let labels: Labels = [
        "pod_name",
        "endpointslice_name",
        "service_name",
        "node_name",
    ]
    .map(|name| (format!("{PREFIX}{name}"), "x".to_owned()))
    .into();
    assert_eq!(role_of(&labels), Some("endpointslice"));
    assert_eq!(related(&labels).len(), 5, "with the namespace");
}
