//! Markers made from nothing but a section's selectors, where there is nothing yet to copy.

use serde_json::{Map, Value, json};

use super::{address, address_like, name};
use crate::sides::{namespaces, selectors};

/// An object of the kind that a section watches as `role`. The fields that a marker's selectors ask for by
/// equality are as they ask; what else there is to a selector, the server decides.
pub(super) fn object(section: &Value, role: &str, number: u32) -> Option<Value> {
    let (labels, fields) = selectors(section, role);
    let labels: Map<String, Value> = equalities(&labels)
        .into_iter()
        .map(|(key, value)| (key, value.into()))
        .collect();
    let field = |key: &str| {
        let fields = equalities(&fields);
        fields.into_iter().find(|(k, _)| k == key).map(|(_, v)| v)
    };
    let namespace = namespaces(section).into_iter().next();
    let namespace = namespace.or_else(|| field("metadata.namespace"));
    let mut object = bare(role, number)?;
    object["metadata"] = json!({"name": name(number), "labels": labels});
    if role != "node" {
        object["metadata"]["namespace"] = namespace.unwrap_or("default".to_owned()).into();
    }
    if let (true, Some(phase)) = (role == "pod", field("status.phase")) {
        object["status"]["phase"] = phase.into();
    }
    if let (true, Some(node)) = (role == "pod", field("spec.nodeName")) {
        object["spec"]["nodeName"] = node.into();
    }
    Some(object)
}

/// Puts in place what a copied object lacks to become a target: it may have lost it since a side showed it.
pub(super) fn fill(object: &mut Value, role: &str, number: u32) {
    let Some(bare) = bare(role, number) else {
        return;
    };
    let needed: &[&str] = match role {
        "node" => &["/status/addresses"],
        "service" => &["/spec/ports"],
        "endpoints" => &["/subsets"],
        "endpointslice" => &["/ports", "/endpoints"],
        "ingress" => &["/spec/rules"],
        _ => &[],
    };
    for pointer in needed {
        let is_there = |value: &Value| value.as_array().is_some_and(|items| !items.is_empty());
        let lacks_parts = object.pointer(pointer).is_some_and(lacks_parts);
        if object.pointer(pointer).is_some_and(is_there) && !lacks_parts {
            continue;
        }
        let mut value = bare.pointer(pointer).cloned().unwrap_or_default();
        let like = match object["addressType"].as_str() {
            Some("IPv6") => "::",
            Some("FQDN") => "name",
            _ => "0.0.0.0",
        };
        if *pointer == "/endpoints" {
            value[0]["addresses"] = json!([address_like(like, number)]);
        }
        put(object, pointer, value);
    }
}

/// Whether it is a subset of endpoints without ports or without addresses.
fn lacks_parts(subsets: &Value) -> bool {
    let Some(Value::Object(subset)) = subsets.get(0) else {
        return false;
    };
    let has = |key: &str| subset.get(key).is_some_and(|items| items != &json!([]));
    let is_subset = ["addresses", "notReadyAddresses"]
        .iter()
        .any(|key| subset.contains_key(*key));
    is_subset && !(has("ports") && (has("addresses") || has("notReadyAddresses")))
}

fn put(object: &mut Value, pointer: &str, value: Value) {
    let mut place = object;
    for key in pointer.split('/').skip(1) {
        place = &mut place[key];
    }
    *place = value;
}

fn bare(role: &str, number: u32) -> Option<Value> {
    let (address, name) = (address(number), name(number));
    let target = json!({"kind": "Pod", "name": name});
    Some(match role {
        "pod" => json!({
            "apiVersion": "v1", "kind": "Pod",
            "spec": {"containers": [{"name": "marker", "image": "registry.example.com/marker:1",
                                     "ports": [{"name": "http", "containerPort": 80}]}]},
            "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]},
        }),
        "node" => json!({
            "apiVersion": "v1", "kind": "Node",
            "status": {"addresses": [{"type": "InternalIP", "address": address}],
                       "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}},
        }),
        "service" => json!({
            "apiVersion": "v1", "kind": "Service",
            "spec": {"clusterIP": "None", "ipFamilyPolicy": "SingleStack", "ports": [{"name": "http", "port": 80}]},
        }),
        "endpoints" => json!({
            "apiVersion": "v1", "kind": "Endpoints",
            "subsets": [{"addresses": [{"ip": address, "targetRef": target}],
                         "ports": [{"name": "http", "port": 80}]}],
        }),
        "endpointslice" => json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "targetRef": target}],
            "ports": [{"name": "http", "port": 80}],
        }),
        "ingress" => json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "spec": {"rules": [{"host": format!("{name}.example.com")}]},
        }),
        _ => return None,
    })
}

/// The requirements of a selector that ask for one value.
fn equalities(selector: &str) -> Vec<(String, String)> {
    let parts = selector.split(',').filter(|part| !part.contains("!="));
    parts
        .filter_map(|part| part.split_once("==").or_else(|| part.split_once('=')))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_from_nothing_satisfies_simple_selectors() {
        let section = json!({"role": "pod", "namespaces": {"names": ["n"]},
            "selectors": [{"role": "pod", "label": "app=web,tier!=x", "field": "spec.nodeName=a"}]});
        let pod = object(&section, "pod", 7).unwrap();
        assert_eq!(pod["metadata"]["labels"], json!({"app": "web"}));
        assert_eq!(pod["metadata"]["namespace"], "n");
        assert_eq!(pod["spec"]["nodeName"], "a");
        let node = object(&section, "node", 7).unwrap();
        assert_eq!(
            node["metadata"],
            json!({"name": "periplus-marker-7", "labels": {}})
        );
    }
    #[test]
    fn a_copy_without_what_makes_a_target_gets_it() {
        let mut node = json!({"status": {"addresses": []}});
        fill(&mut node, "node", 7);
        assert_eq!(node["status"]["addresses"][0]["address"], address(7));
        let mut slice = json!({"addressType": "IPv6", "ports": [{"port": 1}]});
        fill(&mut slice, "endpointslice", 7);
        assert_eq!(slice["endpoints"][0]["addresses"], json!(["fd00:254::7"]));
        assert_eq!(slice["ports"], json!([{"port": 1}]));
        let mut endpoints = json!({"subsets": [{"addresses": [{"ip": "10.0.0.1"}]}]});
        fill(&mut endpoints, "endpoints", 7);
        assert_eq!(endpoints["subsets"][0]["ports"][0]["port"], 80);
    }
}
