//! Transformer plugin `known-exporters`: names the exporter behind a port, from a table in its configuration.

use std::collections::BTreeMap;

use periplus_sdk::prelude::*;

/// Ports that exporters usually listen on, by the Prometheus project's list of default port allocations.
const USUAL: &[(u16, &str)] = &[
    (2112, "go"),
    (2379, "etcd"),
    (3000, "grafana"),
    (3100, "loki"),
    (4194, "cadvisor"),
    (6443, "kube-apiserver"),
    (8428, "victoriametrics"),
    (8429, "vmagent"),
    (9090, "prometheus"),
    (9091, "pushgateway"),
    (9093, "alertmanager"),
    (9099, "periplus"),
    (9100, "node"),
    (9101, "haproxy"),
    (9102, "statsd"),
    (9103, "collectd"),
    (9104, "mysqld"),
    (9107, "consul"),
    (9108, "graphite"),
    (9113, "nginx"),
    (9114, "elasticsearch"),
    (9115, "blackbox"),
    (9116, "snmp"),
    (9117, "apache"),
    (9119, "bind"),
    (9121, "redis"),
    (9127, "pgbouncer"),
    (9150, "memcached"),
    (9153, "coredns"),
    (9182, "windows"),
    (9187, "postgres"),
    (9216, "mongodb"),
    (9219, "ssl"),
    (9256, "process"),
    (9290, "ipmi"),
    (9308, "kafka"),
    (9419, "rabbitmq"),
    (10250, "kubelet"),
    (10256, "kube-proxy"),
];

/// `config` of an entry of `transformers:`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Exporters by port; takes the place of the usual ports.
    #[serde(default = "usual")]
    exporters: BTreeMap<u16, String>,
    /// The label that is set to the exporter's name.
    #[serde(default = "label")]
    label: String,
    /// What becomes of targets whose port is not in the table.
    #[serde(default)]
    unknown: Unknown,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Unknown {
    /// They stay as they are.
    #[default]
    Keep,
    /// They are dropped.
    Drop,
}

struct KnownExporters {
    config: Config,
}

export_transformer!(KnownExporters, manifest!().transformer::<Config>());

impl Transformer for KnownExporters {
    type Config = Config;

    fn configure(config: Config) -> Result<(Self, Interest), Vec<Problem>> {
        let mut problems = Vec::new();
        if config.label.is_empty() || config.label.starts_with("__") {
            let message = "the label needs a name that does not begin with `__`";
            problems.push(Problem::new("/label", message));
        }
        for (port, _) in config.exporters.iter().filter(|(_, name)| name.is_empty()) {
            let message = "an exporter needs a name";
            problems.push(Problem::new(format!("/exporters/{port}"), message));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok((Self { config }, Interest::reads(["__address__"])))
    }

    fn edit(&self, row: Row<'_>, edits: &mut Edits) {
        let port = row.get("__address__").and_then(port);
        let exporter = port.and_then(|port| self.config.exporters.get(&port));
        match exporter {
            Some(exporter) => edits.set(&self.config.label, exporter),
            None if self.config.unknown == Unknown::Drop => edits.drop_target(),
            None => {}
        }
    }
}

fn usual() -> BTreeMap<u16, String> {
    USUAL
        .iter()
        .map(|&(port, name)| (port, name.to_owned()))
        .collect()
}

fn label() -> String {
    "exporter".into()
}

/// The port of `host:port`, whatever the host; none for a bare IPv6 address.
fn port(address: &str) -> Option<u16> {
    let (host, port) = address.rsplit_once(':')?;
    if host.contains(':') && !host.ends_with(']') {
        return None;
    }
    port.parse().ok()
}

#[cfg(test)]
mod tests {
    use periplus_sdk::serde_json::{Value, json};
    use periplus_sdk::testing::{self, Edited};

    use super::*;

    fn transformer(config: Value) -> KnownExporters {
        testing::configure_transformer(config).unwrap().0
    }

    fn named(edited: &Edited, label: &str) -> Option<String> {
        edited.labels.as_ref()?.get(label).cloned()
    }

    #[test]
    fn ports_of_the_table_are_named() {
        let cases = [
            ("127.0.0.1:9100", Some("node")),
            ("[::1]:9090", Some("prometheus")),
            ("db1.example.com:9187", Some("postgres")),
            ("127.0.0.1:4242", None),
            ("127.0.0.1", None),
            ("::9100", None),
            ("host:http", None),
            ("host:99100", None),
        ];
        let transformer = transformer(json!({}));
        for (address, expected) in cases {
            let edited = testing::edit(&transformer, &[("__address__", address), ("rack", "1")]);
            assert_eq!(named(&edited, "exporter").as_deref(), expected, "{address}");
            assert_eq!(named(&edited, "rack").as_deref(), Some("1"), "{address}");
        }
    }

    #[test]
    fn a_table_of_ones_own_takes_the_place_of_the_usual_ports() {
        let config = json!({"exporters": {"4242": "billing"}, "label": "app"});
        let transformer = transformer(config);
        let edit = |address| testing::edit(&transformer, &[("__address__", address)]);
        assert_eq!(named(&edit("a:4242"), "app").as_deref(), Some("billing"));
        assert_eq!(named(&edit("a:9100"), "app"), None);
    }

    #[test]
    fn unknown_targets_are_dropped_only_if_told_so() {
        let cases = [
            (json!({}), true),
            (json!({"unknown": "keep"}), true),
            (json!({"unknown": "drop"}), false),
        ];
        for (config, stays) in cases {
            let transformer = transformer(config.clone());
            for labels in [&[("__address__", "a:4242")][..], &[("rack", "1")]] {
                let edited = testing::edit(&transformer, labels);
                assert_eq!(edited.labels.is_some(), stays, "{config} {labels:?}");
            }
            let known = testing::edit(&transformer, &[("__address__", "a:9100")]);
            assert_eq!(named(&known, "exporter").as_deref(), Some("node"));
        }
    }

    #[test]
    fn only_the_address_is_asked_for() {
        let (_, interest) = testing::configure_transformer::<KnownExporters>(json!({})).unwrap();
        assert_eq!(interest.reads, ["__address__"]);
        assert!(
            interest.requires.is_empty(),
            "rows without an address may have to be dropped"
        );
    }

    #[test]
    fn problems_point_at_what_the_operator_wrote() {
        let cases = [
            (json!({"label": "__address__"}), "/label"),
            (json!({"exporters": {"9100": ""}}), "/exporters/9100"),
            (json!({"unknown": "ignore"}), "/unknown"),
            (json!({"exporters": {"9100": 1}}), "/exporters/9100"),
        ];
        for (config, path) in cases {
            let problems = testing::configure_transformer::<KnownExporters>(config.clone());
            let problems = problems.err().unwrap_or_default();
            let paths: Vec<&str> = problems
                .iter()
                .map(|problem| problem.path.as_str())
                .collect();
            assert_eq!(paths, [path], "{config}");
        }
    }

    #[test]
    fn the_usual_ports_are_the_default_of_the_schema() {
        let manifest = periplus_manifest().to_value();
        let properties = &manifest["transformer"]["config"]["properties"];
        assert_eq!(properties["exporters"]["default"]["9100"], "node");
        assert_eq!(properties["label"]["default"], "exporter");
        assert_eq!(properties["unknown"]["default"], "keep");
    }
}
