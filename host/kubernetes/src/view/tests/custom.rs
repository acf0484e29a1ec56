//! Custom kinds by pointers.

use std::collections::BTreeMap;

use periplus_config::{
    ClusterAccess, KubernetesResourceSection, Namespaces, Pointer, ResourceName,
};

use super::*;

fn view_of(port: Option<&str>, cluster_scoped: bool) -> ViewSpec {
    let pointer = |text: &str| Pointer::parse(text).unwrap();
    let section = KubernetesResourceSection {
        resource: ResourceName {
            group: "gateway.networking.k8s.io".to_owned(),
            version: "v1".to_owned(),
            plural: "gateways".to_owned(),
        },
        cluster_scoped,
        access: ClusterAccess::Local,
        clusters: None,
        namespaces: Namespaces::default(),
        label_selector: None,
        field_selector: None,
        address: pointer("/status/addresses/*/value"),
        port: port.map(pointer),
        labels: BTreeMap::from([
            ("class".to_owned(), pointer("/spec/gatewayClassName")),
            ("names".to_owned(), pointer("/spec/listeners/*/name")),
            ("nothing".to_owned(), pointer("/spec/nothing")),
            ("programmed".to_owned(), pointer("/status/programmed")),
        ]),
        drop_annotations: NamePatterns::default(),
    };
    ViewSpec {
        role: ViewRole::Custom(Arc::new(crate::resource::custom::Spec::of(&section))),
        ..spec(Role::Pod, "node namespace")
    }
}

fn gateway() -> Value {
    json!({
        "metadata": {
            "name": "gw", "namespace": "infra", "labels": {"a/b": "1"}, "annotations": {"c": "2"},
        },
        "spec": {
            "gatewayClassName": "nginx",
            "listeners": [{"name": "http", "port": 80}, {"name": "tls", "port": 443}],
        },
        "status": {"programmed": true, "addresses": [{"value": "10.0.0.1"}, {"value": "fd00::1"}]},
    })
}

#[test]
fn each_address_with_each_port_is_a_target() {
    let mut bench = Bench::new(view_of(Some("/spec/listeners/*/port"), false));
    assert_eq!(bench.spec.kinds(), [ObjectKind::Custom]);
    bench.put(ObjectKind::Custom, &gateway());
    let source = "gateways.gateway.networking.k8s.io/infra/gw";
    assert_eq!(bench.take(), [source]);
    let group = bench.group(source);
    assert_eq!(
        labels(&group.labels),
        json!({
            "__meta_kubernetes_namespace": "infra",
            "__meta_kubernetes_resource": "gateways.gateway.networking.k8s.io",
            "__meta_kubernetes_resource_name": "gw",
            "__meta_kubernetes_resource_label_a_b": "1",
            "__meta_kubernetes_resource_labelpresent_a_b": "true",
            "__meta_kubernetes_resource_annotation_c": "2",
            "__meta_kubernetes_resource_annotationpresent_c": "true",
            "__meta_kubernetes_resource_class": "nginx",
            "__meta_kubernetes_resource_names": "http,tls",
            "__meta_kubernetes_resource_programmed": "true",
        })
    );
    let targets: Vec<_> = group.targets.iter().map(labels).collect();
    let target = |address: &str, port: &str| json!({"__address__": address, "__meta_kubernetes_resource_port": port});
    assert_eq!(
        targets,
        [
            target("10.0.0.1:80", "80"),
            target("10.0.0.1:443", "443"),
            target("[fd00::1]:80", "80"),
            target("[fd00::1]:443", "443"),
        ]
    );
    assert_eq!(bench.derived(), 1);
}

#[test]
fn without_ports_addresses_are_taken_as_they_are() {
    for port in [None, Some("/spec/nothing")] {
        let mut bench = Bench::new(view_of(port, true));
        let key = bench.put(ObjectKind::Custom, &gateway());
        assert_eq!(key.as_str(), "gateways.gateway.networking.k8s.io/gw");
        bench.take();
        let group = bench.group(key.as_str());
        assert_eq!(addresses(group), ["10.0.0.1", "fd00::1"]);
        assert_eq!(group.labels.get("__meta_kubernetes_namespace"), None);
    }
}

#[test]
fn without_addresses_there_is_no_target() {
    let mut bench = Bench::new(view_of(None, false));
    let mut gateway = gateway();
    bench.put(ObjectKind::Custom, &gateway);
    bench.take();
    gateway["status"] = Value::Null;
    bench.put(ObjectKind::Custom, &gateway);
    assert_eq!(bench.take().len(), 1);
    assert!(bench.groups.is_empty());
}
