//! The configurations whose permissions are tried, and objects that give each of their jobs a target.

use serde_json::{Value, json};

/// Where Periplus' service accounts live.
pub(super) const NAMESPACE: &str = "periplus";

/// One configuration.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) jobs: Vec<Value>,
}

pub(super) fn all() -> Vec<Case> {
    let everything =
        json!({"node": true, "namespace": true, "deployment": true, "job": true, "cronjob": true});
    let all_roles = [
        "node",
        "pod",
        "service",
        "endpoints",
        "endpointslice",
        "ingress",
    ]
    .map(|role| job(role, json!({"role": role, "attach_metadata": everything})));
    vec![
        Case {
            name: "all-roles",
            jobs: all_roles.to_vec(),
        },
        Case {
            name: "pods-in-one-namespace",
            jobs: vec![job(
                "pods",
                json!({"role": "pod", "namespaces": {"names": ["shop"]}}),
            )],
        },
        Case {
            name: "slices-with-nodes",
            jobs: vec![job(
                "slices",
                json!({"role": "endpointslice", "attach_metadata": {"node": true}}),
            )],
        },
        Case {
            name: "services-in-two-namespaces",
            jobs: vec![job(
                "services",
                json!({"role": "service", "namespaces": {"names": ["shop", "tools"]},
                       "attach_metadata": {"namespace": true}}),
            )],
        },
        Case {
            name: "owners-in-one-namespace",
            jobs: vec![job(
                "pods",
                json!({"role": "pod", "namespaces": {"names": ["shop"]},
                       "attach_metadata": {"deployment": true, "job": true}}),
            )],
        },
        Case {
            name: "routes-of-the-gateway-api",
            jobs: vec![
                json!({"job_name": "routes", "kubernetes_resource_sd_configs": [
                {"resource": "gateway.networking.k8s.io/v1/httproutes", "address": "/spec/hostnames/*"}]}),
            ],
        },
    ]
}

/// A kind that is not built in: enough of a definition for the server to store objects of it.
pub(super) fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {
            "name": "httproutes.gateway.networking.k8s.io",
            // The group is protected: who defines kinds in it must say that it is meant.
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
        },
        "spec": {
            "group": "gateway.networking.k8s.io", "scope": "Namespaced",
            "names": {"kind": "HTTPRoute", "listKind": "HTTPRouteList",
                      "plural": "httproutes", "singular": "httproute"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {
                "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
        },
    })
}

/// An object of that kind.
pub(super) fn route() -> Value {
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
           "metadata": {"name": "web", "namespace": "shop"},
           "spec": {"hostnames": ["web.example.com"]}})
}

fn job(name: &str, section: Value) -> Value {
    json!({"job_name": name, "kubernetes_sd_configs": [section]})
}

pub(super) fn objects() -> Vec<Value> {
    let mut objects = vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}),
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-a"},
               "status": {"addresses": [{"type": "InternalIP", "address": "192.168.1.1"}]}}),
    ];
    for namespace in ["shop", "tools"] {
        objects.extend(in_namespace(namespace));
    }
    objects
}

fn in_namespace(namespace: &str) -> [Value; 5] {
    let metadata = json!({"name": "web", "namespace": namespace});
    let target = json!({"kind": "Pod", "namespace": namespace, "name": "web"});
    [
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
               "spec": {"nodeName": "node-a", "containers": [
                   {"name": "c", "image": "i", "ports": [{"name": "http", "containerPort": 80}]}]},
               "status": {"phase": "Running", "podIP": "10.0.0.1"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata,
               "spec": {"ports": [{"name": "http", "port": 80}]}}),
        json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata,
               "subsets": [{"addresses": [{"ip": "10.0.0.1", "targetRef": target}],
                            "ports": [{"name": "http", "port": 80}]}]}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
               "metadata": {"name": "web", "namespace": namespace,
                            "labels": {"kubernetes.io/service-name": "web"}},
               "addressType": "IPv4", "ports": [{"name": "http", "port": 80}],
               "endpoints": [{"addresses": ["10.0.0.1"], "nodeName": "node-a", "targetRef": target}]}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata,
               "spec": {"rules": [{"host": "web.example.com"}]}}),
    ]
}
