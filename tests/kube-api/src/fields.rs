//! The fields that field selectors may name, per kind, as the real server registers them
//! (`pkg/apis/core/v1/conversion.go` and the strategies' selectable fields, Kubernetes 1.36).

use serde_json::Value;

use crate::resource::Resource;

const POD: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "spec.nodeName",
    "spec.host",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.podIPs",
    "status.nominatedNodeName",
];
const SERVICE: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "spec.clusterIP",
    "spec.type",
];
const NODE: &[&str] = &["metadata.name", "spec.unschedulable"];
const NAMESPACE: &[&str] = &["metadata.name", "status.phase"];
const SECRET: &[&str] = &["metadata.name", "metadata.namespace", "type"];
const JOB: &[&str] = &["metadata.name", "metadata.namespace", "status.successful"];
const OTHER: &[&str] = &["metadata.name", "metadata.namespace"];
const CLUSTER_CUSTOM: &[&str] = &["metadata.name"];

/// Groups whose kinds are part of the server; those of others are custom resources.
const OWN_GROUPS: &[&str] = &["", "apps", "batch", "autoscaling", "policy"];

/// Refuses a field that the real server does not know for this resource, in its words. The answer is the
/// name that it is filed under.
pub(crate) fn check<'a>(resource: &Resource, field: &'a str) -> Result<&'a str, String> {
    let (known, plain) = match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "pods") => (POD, false),
        ("", "services") => (SERVICE, false),
        ("", "nodes") => (NODE, false),
        ("", "namespaces") => (NAMESPACE, false),
        ("", "secrets") => (SECRET, false),
        ("batch", "jobs") => (JOB, false),
        (group, _) if is_own(group) => (OTHER, true),
        _ if resource.namespaced => (OTHER, false),
        _ => (CLUSTER_CUSTOM, false),
    };
    if known.contains(&field) {
        return Ok(if field == "spec.host" {
            "spec.nodeName"
        } else {
            field
        });
    }
    Err(if plain {
        format!(
            "\"{field}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
        )
    } else {
        format!("field label not supported: {field}")
    })
}

/// `networking.k8s.io` is part of the server; `gateway.networking.k8s.io`, though under the same domain,
/// comes as custom resources.
fn is_own(group: &str) -> bool {
    let builtin = group
        .strip_suffix(".k8s.io")
        .is_some_and(|name| !name.contains('.') || name.ends_with(".authorization"));
    OWN_GROUPS.contains(&group) || builtin
}

/// The values of an object's fields, whatever its kind; those that have their default, and the metadata, are
/// left out.
pub(crate) fn of(object: &Value) -> Vec<(&'static str, Box<str>)> {
    const TEXTS: &[(&str, &str)] = &[
        ("spec.nodeName", "/spec/nodeName"),
        ("spec.restartPolicy", "/spec/restartPolicy"),
        ("spec.schedulerName", "/spec/schedulerName"),
        ("spec.serviceAccountName", "/spec/serviceAccountName"),
        ("spec.clusterIP", "/spec/clusterIP"),
        ("spec.type", "/spec/type"),
        ("status.phase", "/status/phase"),
        ("status.nominatedNodeName", "/status/nominatedNodeName"),
        ("type", "/type"),
    ];
    const FLAGS: &[(&str, &str)] = &[
        ("spec.hostNetwork", "/spec/hostNetwork"),
        ("spec.unschedulable", "/spec/unschedulable"),
    ];
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let texts = TEXTS
        .iter()
        .filter_map(|(field, pointer)| Some((*field, Box::from(text(pointer)?))));
    let flags = FLAGS.iter().filter_map(|(field, pointer)| {
        let set = object.pointer(pointer).and_then(Value::as_bool)?;
        Some((*field, Box::from(set.to_string())))
    });
    let address = text("/status/podIPs/0/ip").or_else(|| text("/status/podIP"));
    let successful = object.pointer("/status/succeeded").and_then(Value::as_u64);
    let counted: [Option<(&str, Box<str>)>; 2] = [
        address.map(|a| ("status.podIP", Box::from(a))),
        successful.map(|n| ("status.successful", Box::from(n.to_string()))),
    ];
    let mut all: Vec<(&'static str, Box<str>)> = texts
        .chain(flags)
        .chain(counted.into_iter().flatten())
        .filter(|(field, value)| !value.is_empty() && **value != *default(field))
        .collect();
    all.shrink_to_fit();
    all
}

/// What the real server writes into the object where it says nothing. `status.podIPs` may be named, and the
/// real server compares it with nothing.
pub(crate) fn default(field: &str) -> &'static str {
    match field {
        "spec.restartPolicy" => "Always",
        "spec.schedulerName" => "default-scheduler",
        "spec.serviceAccountName" => "default",
        "spec.type" => "ClusterIP",
        "spec.hostNetwork" | "spec.unschedulable" => "false",
        "status.successful" => "0",
        _ => "",
    }
}
