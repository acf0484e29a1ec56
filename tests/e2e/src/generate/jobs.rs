//! The jobs of generated scripts: each role with and without metadata, selectors and namespaces.

use serde_json::{Value, json};

use crate::facts::PREFIX;

/// All that can be attached.
fn everything() -> Value {
    json!({"node": true, "namespace": true, "deployment": true, "job": true, "cronjob": true})
}

/// The jobs for a role.
pub(super) fn of(role: &str) -> Vec<Value> {
    let mut jobs = vec![job("plain", json!([{ "role": role }]))];
    match role {
        "node" => {
            jobs.push(job(
                "selected",
                json!([{"role": "node", "selectors": [{"role": "node", "label": "tier=front"}]}]),
            ));
            // Neither has a meaning for nodes, and neither is refused.
            jobs.push(job(
                "ignored settings",
                json!([{"role": "node", "namespaces": {"names": ["alpha"]}, "attach_metadata": everything()}]),
            ));
        }
        "pod" => {
            jobs.push(job(
                "everything",
                json!([{"role": "pod", "attach_metadata": everything()}]),
            ));
            jobs.push(job(
                "on chosen nodes",
                json!([{"role": "pod", "attach_metadata": {"node": true},
                        "selectors": [{"role": "node", "label": "tier=front"}, {"role": "pod", "label": "app!=db"}]}]),
            ));
            jobs.push(job(
                "owners in one namespace",
                json!([{"role": "pod", "attach_metadata": {"deployment": true, "cronjob": true},
                        "namespaces": {"names": ["alpha"]}}]),
            ));
        }
        "service" | "ingress" => {
            jobs.push(job(
                "namespaces attached",
                json!([{"role": role, "attach_metadata": {"namespace": true}}]),
            ));
            jobs.push(job(
                "selected",
                json!([{"role": role, "namespaces": {"names": ["beta"]},
                        "selectors": [{"role": role, "label": "app in (web, api)"}]}]),
            ));
        }
        _ => {
            jobs.push(job(
                "everything",
                json!([{"role": role, "attach_metadata": everything()}]),
            ));
            jobs.push(job(
                "one namespace with nodes",
                json!([{"role": role, "attach_metadata": {"node": true}, "namespaces": {"names": ["alpha"]}}]),
            ));
            jobs.push(job(
                "selected",
                json!([{"role": role, "attach_metadata": {"namespace": true, "job": true},
                        "namespaces": {"names": ["beta", "alpha"]},
                        "selectors": [{"role": "pod", "label": "app=web"},
                                      {"role": "service", "label": "app!=db"},
                                      {"role": role, "label": "tier"}]}]),
            ));
        }
    }
    jobs.push(relabelled(role));
    for job in &mut jobs {
        identify(job);
    }
    jobs
}

/// Of targets that end up equal a Prometheus shows one, at random. A label of its own for each shows them all.
fn identify(job: &mut Value) {
    let names = [
        "namespace",
        "node_name",
        "service_name",
        "endpoints_name",
        "endpointslice_name",
        "ingress_name",
        "ingress_path",
        "pod_name",
        "pod_container_name",
        "pod_container_port_name",
        "pod_container_port_protocol",
        "endpoint_ready",
        "endpoint_port_name",
        "endpoint_port_protocol",
        "endpointslice_port_name",
        "endpointslice_port_protocol",
        "endpointslice_address_target_name",
    ];
    let sources: Vec<String> = names.iter().map(|name| format!("{PREFIX}{name}")).collect();
    let rule = json!({"source_labels": sources, "separator": "/", "target_label": "identity"});
    match job["relabel_configs"].as_array_mut() {
        Some(rules) => rules.push(rule),
        None => job["relabel_configs"] = json!([rule]),
    }
}

fn job(name: &str, sections: Value) -> Value {
    json!({"job_name": name, "kubernetes_sd_configs": sections})
}

/// What people do with the labels: copy some, keep by others.
fn relabelled(role: &str) -> Value {
    let mut job = job(
        "relabelled",
        json!([{"role": role, "attach_metadata": {"node": true, "namespace": true}}]),
    );
    job["relabel_configs"] = json!([
        {"action": "labelmap", "regex": "__meta_kubernetes_pod_label_(app|tier)"},
        {"action": "labelmap", "regex": "__meta_kubernetes_(service|node)_label_app"},
        {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
        {"source_labels": ["__meta_kubernetes_namespace_label_app"], "target_label": "namespace_app"},
        {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
        {"source_labels": ["__meta_kubernetes_pod_container_port_number"], "target_label": "port"},
        {"source_labels": ["__meta_kubernetes_pod_phase"], "regex": "Failed|Succeeded", "action": "drop"},
    ]);
    job
}
