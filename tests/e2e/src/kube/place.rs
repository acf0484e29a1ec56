//! Where objects of a kind live in the API.

use anyhow::Context;

use crate::script::ObjectName;

/// The path before the namespace, the name in URLs, and whether the kind has namespaces.
type Place = (&'static str, &'static str, bool);

const CORE: &str = "/api/v1";
const APPS: &str = "/apis/apps/v1";
const BATCH: &str = "/apis/batch/v1";
const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const GATEWAY: &str = "/apis/gateway.networking.k8s.io/v1";

fn place(kind: &str) -> Option<Place> {
    Some(match kind {
        "Pod" => (CORE, "pods", true),
        "Node" => (CORE, "nodes", false),
        "Namespace" => (CORE, "namespaces", false),
        "Service" => (CORE, "services", true),
        "Endpoints" => (CORE, "endpoints", true),
        "ConfigMap" => (CORE, "configmaps", true),
        "Secret" => (CORE, "secrets", true),
        "ServiceAccount" => (CORE, "serviceaccounts", true),
        "ReplicationController" => (CORE, "replicationcontrollers", true),
        "EndpointSlice" => ("/apis/discovery.k8s.io/v1", "endpointslices", true),
        "Ingress" => ("/apis/networking.k8s.io/v1", "ingresses", true),
        "Deployment" => (APPS, "deployments", true),
        "ReplicaSet" => (APPS, "replicasets", true),
        "StatefulSet" => (APPS, "statefulsets", true),
        "DaemonSet" => (APPS, "daemonsets", true),
        "Job" => (BATCH, "jobs", true),
        "CronJob" => (BATCH, "cronjobs", true),
        "Role" => (RBAC, "roles", true),
        "RoleBinding" => (RBAC, "rolebindings", true),
        "ClusterRole" => (RBAC, "clusterroles", false),
        "ClusterRoleBinding" => (RBAC, "clusterrolebindings", false),
        "CustomResourceDefinition" => (
            "/apis/apiextensions.k8s.io/v1",
            "customresourcedefinitions",
            false,
        ),
        "Gateway" => (GATEWAY, "gateways", true),
        "HTTPRoute" => (GATEWAY, "httproutes", true),
        _ => return None,
    })
}

/// The name with the namespace that it is meant to have.
pub(super) fn defaulted(name: &ObjectName) -> ObjectName {
    let mut name = name.clone();
    match place(&name.kind) {
        Some((_, _, true)) if name.namespace.is_empty() => {
            "default".clone_into(&mut name.namespace);
        }
        Some((_, _, false)) => name.namespace.clear(),
        _ => {}
    }
    name
}

/// The path of an object or, without `named`, of the collection it belongs to.
pub(super) fn path(name: &ObjectName, named: bool, subresource: &str) -> anyhow::Result<String> {
    let kind = &name.kind;
    let (base, plural, namespaced) = place(kind)
        .with_context(|| format!("objects of kind `{kind}` are unknown to the harness"))?;
    let ObjectName {
        namespace, name, ..
    } = name;
    let namespace = if namespaced {
        format!("/namespaces/{namespace}")
    } else {
        String::new()
    };
    let name = if named {
        format!("/{name}{subresource}")
    } else {
        String::new()
    };
    Ok(format!("{base}{namespace}/{plural}{name}"))
}
