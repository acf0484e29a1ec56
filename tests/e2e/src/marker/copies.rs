//! Copies of objects as markers: what a job's selectors and rules let through, they let through again.

use serde_json::{Value, json};

use super::{Companion, KEY, address_like, fresh, kind_of, name};
use crate::kube::Cluster;
use crate::script::ObjectName;
use crate::sides::{attaches, selectors};

const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Makes the marker of one section.
pub(super) struct Copier<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) section: &'a Value,
    pub(super) role: &'a str,
    pub(super) number: u32,
}

// === impl Copier ===

impl Copier<'_> {
    /// The marker, a copy of `template` if there is one, and what must be written before it; `None` for a role
    /// that the harness does not know.
    pub(super) async fn make(
        &self,
        template: Option<Value>,
    ) -> anyhow::Result<Option<(Value, Vec<Companion>)>> {
        let object = match template {
            Some(template) => Some(self.copy(template, self.role)),
            None => fresh::object(self.section, self.role, self.number).map(|o| self.marked(o)),
        };
        let Some(mut object) = object else {
            return Ok(None);
        };
        let mut companions = Vec::new();
        match self.role {
            "pod" => companions.extend(self.node_of_pod(&mut object).await?),
            "endpoints" | "endpointslice" => {
                companions.push(self.service(&mut object).await?);
                companions.extend(self.pod_and_node(&mut object).await?);
            }
            _ => {}
        }
        Ok(Some((object, companions)))
    }

    /// A node of the marker's own, unless its selectors ask for another.
    async fn node_of_pod(&self, pod: &mut Value) -> anyhow::Result<Option<Companion>> {
        let (_, fields) = selectors(self.section, "pod");
        if !attaches(self.section, "node") || fields.contains("spec.nodeName") {
            return Ok(None);
        }
        let node = self
            .companion("node", "", pod["spec"]["nodeName"].as_str())
            .await?;
        pod["spec"]["nodeName"] = name(self.number).into();
        // A Pod whose node is not there has no targets, and gets them when it comes.
        Ok(node.map(|object| Companion {
            role: "node",
            object,
            on_direct: true,
            needed: true,
        }))
    }

    /// The service that the endpoints belong to.
    async fn service(&self, object: &mut Value) -> anyhow::Result<Companion> {
        let metadata = &mut object["metadata"];
        let namespace = metadata["namespace"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let service = if self.role == "endpointslice" {
            metadata["labels"][SERVICE_NAME].as_str().map(str::to_owned)
        } else {
            metadata["annotations"][KEY].as_str().map(str::to_owned)
        };
        if self.role == "endpointslice" {
            metadata["labels"][SERVICE_NAME] = name(self.number).into();
        }
        let service = self
            .companion("service", &namespace, service.as_deref())
            .await?;
        Ok(Companion {
            role: "service",
            object: service.unwrap_or_default(),
            on_direct: true,
            needed: false,
        })
    }

    /// The Pod behind the marker's only endpoint, and the node below it.
    async fn pod_and_node(&self, object: &mut Value) -> anyhow::Result<Vec<Companion>> {
        let namespace = object["metadata"]["namespace"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let Some((endpoint, ready)) = only_endpoint(object) else {
            return Ok(Vec::new());
        };
        let mut companions = Vec::new();
        let refers = endpoint["targetRef"]["kind"] == "Pod";
        if refers {
            let pod = endpoint["targetRef"]["name"].as_str().map(str::to_owned);
            endpoint["targetRef"]["name"] = name(self.number).into();
            endpoint["targetRef"]["namespace"] = namespace.clone().into();
            let pod = self.companion("pod", &namespace, pod.as_deref()).await?;
            companions.extend(pod.map(|object| Companion {
                role: "pod",
                object,
                on_direct: false,
                needed: false,
            }));
        }
        if attaches(self.section, "node") {
            let node = endpoint["nodeName"].as_str().map(str::to_owned);
            endpoint["nodeName"] = name(self.number).into();
            let node = self.companion("node", "", node.as_deref()).await?;
            companions.extend(node.map(|object| Companion {
                role: "node",
                object,
                on_direct: refers && ready,
                needed: false,
            }));
        }
        Ok(companions)
    }

    /// A copy of the object of this name, or a fresh one if there is none.
    async fn companion(
        &self,
        role: &str,
        namespace: &str,
        of: Option<&str>,
    ) -> anyhow::Result<Option<Value>> {
        let kind = kind_of(role).unwrap_or_default();
        let template = match of {
            Some(name) => {
                self.cluster
                    .get(&ObjectName::named(kind, namespace, name))
                    .await?
            }
            None => None,
        };
        let object = match template {
            Some(template) => Some(self.copy(template, role)),
            None => fresh::object(self.section, role, self.number).map(|o| self.marked(o)),
        };
        Ok(object.map(|mut object| {
            if role != "node" {
                object["metadata"]["namespace"] = namespace.into();
            }
            object
        }))
    }

    fn marked(&self, mut object: Value) -> Value {
        object["metadata"]["labels"][KEY] = self.number.to_string().into();
        object
    }

    fn copy(&self, mut object: Value, role: &str) -> Value {
        let original = object["metadata"]["name"].clone();
        strip(&mut object);
        object["metadata"]["name"] = name(self.number).into();
        match role {
            "pod" => self.move_pod(&mut object),
            "node" => self.move_node(&mut object),
            "service" => free_service(&mut object),
            "endpoints" => {
                // By this the service of the original is found, whose name it has.
                object["metadata"]["annotations"][KEY] = original;
                self.keep_one_address(&mut object);
            }
            "endpointslice" => self.keep_one_endpoint(&mut object),
            "ingress" => self.move_ingress(&mut object),
            _ => {}
        }
        fresh::fill(&mut object, role, self.number);
        self.marked(object)
    }

    fn move_pod(&self, pod: &mut Value) {
        let like = pod["status"]["podIP"].as_str().unwrap_or("0.0.0.0");
        let address = address_like(like, self.number);
        pod["status"]["podIPs"] = json!([{ "ip": address }]);
        pod["status"]["podIP"] = address.into();
    }

    fn move_node(&self, node: &mut Value) {
        if let Some(spec) = node["spec"].as_object_mut() {
            spec.shift_remove("podCIDR");
            spec.shift_remove("podCIDRs");
        }
        let addresses = node["status"]["addresses"].as_array_mut();
        for entry in addresses.into_iter().flatten() {
            let is_ip = entry["address"]
                .as_str()
                .filter(|a| a.parse::<std::net::IpAddr>().is_ok());
            entry["address"] = match is_ip {
                Some(like) => address_like(like, self.number),
                None => name(self.number),
            }
            .into();
        }
    }

    /// One address is as good as a thousand; a ready one proves more.
    fn keep_one_address(&self, endpoints: &mut Value) {
        let subsets = endpoints["subsets"].as_array_mut();
        let Some(subset) = subsets.and_then(|subsets| {
            subsets.truncate(1);
            subsets.first_mut()
        }) else {
            return;
        };
        let kept = if subset["addresses"]
            .as_array()
            .is_some_and(|a| !a.is_empty())
        {
            "addresses"
        } else {
            "notReadyAddresses"
        };
        if let Some(subset) = subset.as_object_mut() {
            subset.retain(|key, _| key == kept || key == "ports");
        }
        if let Some(addresses) = subset[kept].as_array_mut() {
            addresses.truncate(1);
            for entry in addresses {
                let like = entry["ip"].as_str().unwrap_or_default();
                entry["ip"] = address_like(like, self.number).into();
            }
        }
    }

    fn keep_one_endpoint(&self, slice: &mut Value) {
        let Some(endpoints) = slice["endpoints"].as_array_mut() else {
            return;
        };
        endpoints.truncate(1);
        for endpoint in endpoints {
            let like = endpoint["addresses"][0].as_str().unwrap_or_default();
            endpoint["addresses"] = json!([address_like(like, self.number)]);
        }
    }

    /// Hosts of its own, in TLS entries too unless they stand for many.
    fn move_ingress(&self, ingress: &mut Value) {
        let moved = |host: &Value| -> Option<Value> {
            let rest = host.as_str()?.split_once('.')?.1;
            Some(format!("{}.{rest}", name(self.number)).into())
        };
        for rule in ingress["spec"]["rules"]
            .as_array_mut()
            .into_iter()
            .flatten()
        {
            if let Some(host) = moved(&rule["host"]) {
                rule["host"] = host;
            }
        }
        for tls in ingress["spec"]["tls"].as_array_mut().into_iter().flatten() {
            for host in tls["hosts"].as_array_mut().into_iter().flatten() {
                let many = host.as_str().is_some_and(|host| host.starts_with('*'));
                if let (false, Some(moved)) = (many, moved(host)) {
                    *host = moved;
                }
            }
        }
    }
}

/// The first endpoint of an object, and whether it is among the ready ones.
fn only_endpoint(object: &mut Value) -> Option<(&mut Value, bool)> {
    if object["kind"] == "EndpointSlice" {
        return Some((object["endpoints"].as_array_mut()?.first_mut()?, true));
    }
    let subset = object["subsets"]
        .as_array_mut()?
        .first_mut()?
        .as_object_mut()?;
    let ready = subset.contains_key("addresses");
    let key = if ready {
        "addresses"
    } else {
        "notReadyAddresses"
    };
    Some((subset.get_mut(key)?.as_array_mut()?.first_mut()?, ready))
}

/// What the server hands out, and each service has for itself.
fn free_service(service: &mut Value) {
    let Some(spec) = service["spec"].as_object_mut() else {
        return;
    };
    let headless = spec.get("clusterIP").is_some_and(|ip| ip == "None");
    spec.shift_remove("clusterIPs");
    spec.shift_remove("healthCheckNodePort");
    // Of a service for both families the slices of the second have no targets. Without a word it is one if it
    // has neither address nor selector.
    spec.shift_remove("ipFamilies");
    if spec.get("type").is_none_or(|kind| kind != "ExternalName") {
        spec.insert("ipFamilyPolicy".to_owned(), "SingleStack".into());
    }
    if !headless {
        spec.shift_remove("clusterIP");
    }
    let ports = spec.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten() {
        if let Some(port) = port.as_object_mut() {
            port.shift_remove("nodePort");
        }
    }
}

/// What only the server writes.
fn strip(object: &mut Value) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        // Owners decide labels, so a copy keeps them.
        for key in [
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "generation",
            "managedFields",
            "finalizers",
            "generateName",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        ] {
            metadata.shift_remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_endpoint_of_either_kind_is_found() {
        let mut slice = json!({"kind": "EndpointSlice", "endpoints": [{"nodeName": "a"}]});
        assert_eq!(only_endpoint(&mut slice).unwrap().0["nodeName"], "a");
        let mut endpoints =
            json!({"kind": "Endpoints", "subsets": [{"notReadyAddresses": [{"ip": "1"}]}]});
        let (endpoint, ready) = only_endpoint(&mut endpoints).unwrap();
        assert_eq!((&endpoint["ip"], ready), (&json!("1"), false));
        assert!(only_endpoint(&mut json!({"kind": "Endpoints"})).is_none());
    }

    #[test]
    fn a_copied_service_gets_an_address_of_its_own_unless_it_has_none() {
        let mut service = json!({"spec": {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"],
                                          "ports": [{"port": 1, "nodePort": 30000}]}});
        free_service(&mut service);
        let freed = json!({"spec": {"ports": [{"port": 1}], "ipFamilyPolicy": "SingleStack"}});
        assert_eq!(service, freed);
        let mut service = json!({"spec": {"clusterIP": "None", "clusterIPs": ["None"]}});
        free_service(&mut service);
        assert_eq!(service["spec"]["clusterIP"], "None");
    }
}
