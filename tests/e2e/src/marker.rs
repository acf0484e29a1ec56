//! Markers: objects that the harness writes so that agreement means something.
//!
//! Two sides also agree when neither has noticed anything yet. So before a comparison each section of each job
//! gets an object of its own; who shows it has seen everything that happened to that kind before.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::kube::Cluster;
use crate::prometheus::{Active, Labels, Targets};
use crate::script::ObjectName;
use crate::sides::{job_name, sections};

/// A marker of one section of one job.
#[derive(Clone, Debug)]
pub struct Marker {
    /// The job that must show it.
    pub job: String,
    /// What it is; `None` if nothing can be made that the section lets through.
    pub object: Option<ObjectName>,
    role: String,
}

/// Where one marker stands with one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Not there.
    Unseen,
    /// Discovered, and dropped by the job's rules.
    Dropped,
    /// Scraped.
    Active,
}

static COUNTER: AtomicU32 = AtomicU32::new(1);

// === impl Marker ===

impl Marker {
    /// Writes a marker for every section of every job. `shown` is what the direct side shows now: a copy
    /// of an object that it scrapes will most likely pass the job's selectors and rules.
    pub async fn write_all(
        cluster: &Cluster,
        jobs: &[Value],
        shown: &Targets,
    ) -> anyhow::Result<Vec<Self>> {
        let mut markers = Vec::new();
        for job in jobs {
            for section in sections(job) {
                markers.push(Self::write(cluster, job_name(job), &section, shown).await?);
            }
        }
        Ok(markers)
    }

    async fn write(
        cluster: &Cluster,
        job: &str,
        section: &Value,
        shown: &Targets,
    ) -> anyhow::Result<Self> {
        let role = section["role"].as_str().unwrap_or_default().to_owned();
        let mut marker = Self {
            job: job.to_owned(),
            object: None,
            role,
        };
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let template = match marker.template(section, shown) {
            Some(name) => cluster.get(&name).await?,
            None => None,
        };
        let object = match (marker.role.as_str(), template) {
            ("pod", Some(template)) => copy_of_pod(template, number),
            ("pod", None) => new_pod(section, number),
            ("node", Some(template)) => copy_of_node(template, number),
            ("node", None) => new_node(section, number),
            _ => return Ok(marker),
        };
        let name = ObjectName::of(&object)?;
        // A copy may be refused, and a namespace be missing: then there is no marker.
        if cluster.apply(&object).await.is_ok() {
            if cluster.selects(section, &name).await? {
                marker.object = Some(name);
            } else {
                cluster.delete(&name).await?;
            }
        }
        Ok(marker)
    }

    /// An object of the section's kind that the job shows, rather one that it scrapes.
    fn template(&self, section: &Value, shown: &Targets) -> Option<ObjectName> {
        let names = namespaces(section);
        let active = shown
            .active_targets
            .iter()
            .map(|t| (&t.scrape_pool, &t.discovered_labels));
        let dropped = shown
            .dropped_targets
            .iter()
            .map(|t| (&t.scrape_pool, &t.discovered_labels));
        active
            .chain(dropped)
            .filter(|(job, _)| **job == self.job)
            .filter_map(|(_, labels)| self.object_of(labels))
            .find(|name| {
                name.namespace.is_empty() || names.is_empty() || names.contains(&name.namespace)
            })
    }

    fn object_of(&self, labels: &Labels) -> Option<ObjectName> {
        let name = labels
            .get(&format!("__meta_kubernetes_{}_name", self.role))?
            .clone();
        let (kind, namespace) = match self.role.as_str() {
            "pod" => ("Pod", labels.get("__meta_kubernetes_namespace")?.clone()),
            "node" => ("Node", String::new()),
            _ => return None,
        };
        Some(ObjectName {
            kind: kind.to_owned(),
            namespace,
            name,
        })
    }

    fn is_in(&self, labels: &Labels) -> bool {
        self.object.is_some() && self.object_of(labels) == self.object
    }

    /// Where it stands with a side that shows discovered labels.
    pub fn sight(&self, targets: &Targets) -> Sight {
        let mine = |t: &Active| t.scrape_pool == self.job && self.is_in(&t.discovered_labels);
        if targets.active_targets.iter().any(mine) {
            return Sight::Active;
        }
        let dropped = targets
            .dropped_targets
            .iter()
            .any(|t| t.scrape_pool == self.job && self.is_in(&t.discovered_labels));
        if dropped {
            Sight::Dropped
        } else {
            Sight::Unseen
        }
    }

    /// Whether a side that shows no discovered labels has it, by the outcome that the direct side shows.
    pub fn is_in_outcome(&self, direct: &Targets, other: &Targets) -> bool {
        let mine = |t: &&Active| t.scrape_pool == self.job && self.is_in(&t.discovered_labels);
        let Some(active) = direct.active_targets.iter().find(mine) else {
            return false;
        };
        other
            .active_targets
            .iter()
            .any(|t| is_same_outcome(t, active))
    }

    /// Whether these discovered labels are those of any marker.
    pub fn is_marker(labels: &Labels) -> bool {
        let named = |role: &str| labels.get(&format!("__meta_kubernetes_{role}_name"));
        ["pod", "node"]
            .iter()
            .any(|role| named(role).is_some_and(|n| n.starts_with(PREFIX)))
    }
}

const PREFIX: &str = "periplus-marker-";

fn is_same_outcome(a: &Active, b: &Active) -> bool {
    (&a.scrape_pool, &a.labels, &a.scrape_url) == (&b.scrape_pool, &b.labels, &b.scrape_url)
}

/// The namespaces that a section names.
pub fn namespaces(section: &Value) -> Vec<String> {
    let names = section["namespaces"]["names"].as_array();
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    names.map(str::to_owned).collect()
}

/// The selectors of a section for its own role: `(labels, fields)`.
pub fn selectors(section: &Value) -> (String, String) {
    let own = section["selectors"].as_array().into_iter().flatten();
    let own = own.filter(|selector| selector["role"] == section["role"]);
    let mut found = (String::new(), String::new());
    for selector in own {
        let text = |key: &str| selector[key].as_str().unwrap_or_default().to_owned();
        found = (text("label"), text("field"));
    }
    found
}

fn name(number: u32) -> String {
    format!("{PREFIX}{number}")
}

/// An address that no script uses and no other marker has.
fn address(number: u32) -> String {
    format!("10.254.{}.{}", number / 250 % 250, number % 250 + 1)
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

fn copy_of_pod(mut pod: Value, number: u32) -> Value {
    strip(&mut pod);
    pod["metadata"]["name"] = name(number).into();
    pod["status"]["podIP"] = address(number).into();
    pod["status"]["podIPs"] = json!([{ "ip": address(number) }]);
    pod
}

fn copy_of_node(mut node: Value, number: u32) -> Value {
    strip(&mut node);
    node["metadata"]["name"] = name(number).into();
    if let Some(spec) = node["spec"].as_object_mut() {
        spec.shift_remove("podCIDR");
        spec.shift_remove("podCIDRs");
    }
    let addresses = node["status"]["addresses"].as_array_mut();
    for entry in addresses.into_iter().flatten() {
        let is_ip = entry["address"]
            .as_str()
            .is_some_and(|a| a.parse::<std::net::IpAddr>().is_ok());
        entry["address"] = if is_ip { address(number) } else { name(number) }.into();
    }
    node
}

fn new_pod(section: &Value, number: u32) -> Value {
    let (labels, fields) = selectors(section);
    let field = |key: &str| {
        equalities(&fields)
            .into_iter()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v)
    };
    let namespace = namespaces(section).into_iter().next();
    let namespace = namespace.or_else(|| field("metadata.namespace"));
    let labels: serde_json::Map<String, Value> = equalities(&labels)
        .into_iter()
        .map(|(k, v)| (k, v.into()))
        .collect();
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name(number), "namespace": namespace.unwrap_or("default".into()),
                     "labels": labels},
        "spec": {"containers": [{"name": "marker", "image": "registry.example.com/marker:1",
                                 "ports": [{"name": "http", "containerPort": 80}]}]},
        "status": {"phase": field("status.phase").unwrap_or("Running".into()),
                   "podIP": address(number), "podIPs": [{"ip": address(number)}]},
    });
    if let Some(node) = field("spec.nodeName") {
        pod["spec"]["nodeName"] = node.into();
    }
    pod
}

fn new_node(section: &Value, number: u32) -> Value {
    let labels: serde_json::Map<String, Value> = equalities(&selectors(section).0)
        .into_iter()
        .map(|(k, v)| (k, v.into()))
        .collect();
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name(number), "labels": labels},
        "status": {"addresses": [{"type": "InternalIP", "address": address(number)}],
                   "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}},
    })
}

/// The requirements of a selector that ask for one value. What else there is, the server decides.
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
        let pod = new_pod(&section, 7);
        assert_eq!(pod["metadata"]["labels"], json!({"app": "web"}));
        assert_eq!(pod["metadata"]["namespace"], "n");
        assert_eq!(pod["spec"]["nodeName"], "a");
    }

    #[test]
    fn addresses_of_markers_are_valid_and_differ() {
        let all: std::collections::BTreeSet<String> = (1..2_000).map(address).collect();
        assert_eq!(all.len(), 1_999);
        assert!(all.iter().all(|a| a.parse::<std::net::Ipv4Addr>().is_ok()));
    }
}
