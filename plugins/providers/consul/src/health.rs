//! From the health endpoint's answer for one service to its group.

use std::collections::BTreeMap;

use periplus_sdk::prelude::*;

/// One instance of a service on a node. Lists and maps that Consul leaves empty are `null`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Instance {
    node: Node,
    service: Service,
    checks: Option<Vec<Check>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Node {
    #[serde(rename = "Node")]
    name: String,
    address: String,
    meta: Option<BTreeMap<String, String>>,
    tagged_addresses: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Service {
    #[serde(rename = "ID")]
    id: String,
    address: String,
    port: i64,
    namespace: String,
    partition: String,
    tags: Option<Vec<String>>,
    meta: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Check {
    #[serde(rename = "CheckID")]
    id: String,
    status: String,
}

/// The group of a service.
pub(crate) fn group(
    service: &str,
    datacenter: &str,
    separator: &str,
    instances: &[Instance],
) -> Group {
    Group::new(service)
        .label("__meta_consul_service", service)
        .label("__meta_consul_dc", datacenter)
        .targets(instances.iter().map(|it| it.target(separator)))
}

// === impl Instance ===

impl Instance {
    fn target(&self, separator: &str) -> Target {
        let Self { node, service, .. } = self;
        // A service may be registered through another node than the one that it runs on.
        let host = if service.address.is_empty() {
            &node.address
        } else {
            &service.address
        };
        // Separators around the list, so that rules need not care where a tag stands.
        let tags = service.tags.as_deref().unwrap_or_default().join(separator);
        let mut target = Target::new(join(host, service.port))
            .label("__meta_consul_address", &node.address)
            .label("__meta_consul_node", &node.name)
            .label("__meta_consul_namespace", &service.namespace)
            .label("__meta_consul_partition", &service.partition)
            .label(
                "__meta_consul_tags",
                format!("{separator}{tags}{separator}"),
            )
            .label("__meta_consul_service_address", &service.address)
            .label("__meta_consul_service_port", service.port.to_string())
            .label("__meta_consul_service_id", &service.id)
            .label("__meta_consul_health", self.health());
        let maps = [
            ("__meta_consul_metadata_", &node.meta),
            ("__meta_consul_service_metadata_", &service.meta),
            ("__meta_consul_tagged_address_", &node.tagged_addresses),
        ];
        for (prefix, map) in maps {
            for (key, value) in map.iter().flatten() {
                target = target.label(format!("{prefix}{}", sanitized(key)), value);
            }
        }
        target
    }

    /// The worst of the checks; maintenance, of the node or of the service, before all.
    fn health(&self) -> &'static str {
        let checks = self.checks.as_deref().unwrap_or_default();
        let in_maintenance = |check: &Check| {
            check.id == "_node_maintenance" || check.id.starts_with("_service_maintenance:")
        };
        let mut worst = 0;
        for check in checks {
            if in_maintenance(check) {
                return "maintenance";
            }
            worst = worst.max(match check.status.as_str() {
                "passing" => 0,
                "warning" => 1,
                "critical" => 2,
                "maintenance" => return "maintenance",
                // What upstream makes of a status that it does not know.
                _ => return "",
            });
        }
        ["passing", "warning", "critical"][worst]
    }
}

fn join(host: &str, port: i64) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

fn sanitized(key: &str) -> String {
    key.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}
