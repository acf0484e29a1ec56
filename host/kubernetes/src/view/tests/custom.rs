//! Custom kinds by pointers.

use periplus_config::{
    ClusterAccess, KubernetesResourceSection, Namespaces, Pointer, ResourceName,
};

use super::*;

const SOURCE: &str = "gateways.gateway.networking.k8s.io/infra/gw";
const LABELS: &[(&str, &str)] = &[
    ("class", "/spec/gatewayClassName"),
    ("names", "/spec/listeners/*/name"),
    ("nothing", "/spec/nothing"),
    ("programmed", "/status/programmed"),
];

fn section(
    address: &str,
    port: Option<&str>,
    labels: &[(&str, &str)],
) -> KubernetesResourceSection {
    let pointer = |text: &str| Pointer::parse(text).unwrap();
    let labels = labels.iter();
    KubernetesResourceSection {
        resource: ResourceName {
            group: "gateway.networking.k8s.io".to_owned(),
            version: "v1".to_owned(),
            plural: "gateways".to_owned(),
        },
        cluster_scoped: false,
        access: ClusterAccess::Local,
        clusters: None,
        namespaces: Namespaces::default(),
        label_selector: None,
        field_selector: None,
        address: pointer(address),
        port: port.map(pointer),
        labels: labels
            .map(|(name, text)| ((*name).to_owned(), pointer(text)))
            .collect(),
        drop_annotations: NamePatterns::default(),
    }
}

fn view_of(section: &KubernetesResourceSection) -> ViewSpec {
    ViewSpec {
        role: ViewRole::Custom(Arc::new(crate::resource::custom::Spec::of(section))),
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

fn shown(group: &TargetGroup) -> Vec<Value> {
    group.targets.iter().map(labels).collect()
}

#[test]
fn each_address_has_a_target_for_each_port() {
    let section = section(
        "/status/addresses/*/value",
        Some("/spec/listeners/*/port"),
        &[LABELS, &[("listener", "/spec/listeners/*/name")]].concat(),
    );
    let mut bench = Bench::new(view_of(&section));
    assert_eq!(bench.spec.kinds(), [ObjectKind::Custom]);
    bench.put(ObjectKind::Custom, &gateway());
    assert_eq!(bench.take(), [SOURCE]);
    let group = bench.group(SOURCE);
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
            "__meta_kubernetes_resource_programmed": "true",
        })
    );
    let target = |address: &str, port: &str, listener: &str| {
        json!({
            "__address__": address,
            "__meta_kubernetes_resource_port": port,
            "__meta_kubernetes_resource_listener": listener,
            "__meta_kubernetes_resource_names": listener,
        })
    };
    assert_eq!(
        shown(group),
        [
            target("10.0.0.1:80", "80", "http"),
            target("10.0.0.1:443", "443", "tls"),
            target("[fd00::1]:80", "80", "http"),
            target("[fd00::1]:443", "443", "tls"),
        ]
    );
    assert_eq!(bench.derived(), 1);
}

#[test]
fn pointers_that_begin_alike_are_paired() {
    let mut gateway = gateway();
    gateway["spec"]["listeners"] = json!([
        {"name": "http", "hostname": "a.example.com", "port": 80},
        {"name": "none", "port": 81},
        {"hostname": "b.example.com", "port": 443},
    ]);
    let section = section(
        "/spec/listeners/*/hostname",
        Some("/spec/listeners/*/port"),
        &[
            ("listener", "/spec/listeners/*/name"),
            ("ips", "/status/addresses/*/value"),
        ],
    );
    let mut bench = Bench::new(view_of(&section));
    bench.put(ObjectKind::Custom, &gateway);
    bench.take();
    let group = bench.group(SOURCE);
    assert_eq!(
        group.labels.get("__meta_kubernetes_resource_ips"),
        Some("10.0.0.1,fd00::1")
    );
    assert_eq!(
        shown(group),
        [
            json!({
                "__address__": "a.example.com:80",
                "__meta_kubernetes_resource_port": "80",
                "__meta_kubernetes_resource_listener": "http",
            }),
            json!({
                "__address__": "b.example.com:443",
                "__meta_kubernetes_resource_port": "443",
            }),
        ]
    );
}

#[test]
fn without_a_pointer_to_ports_addresses_are_taken_as_they_are() {
    let mut section = section("/status/addresses/*/value", None, LABELS);
    section.cluster_scoped = true;
    let mut bench = Bench::new(view_of(&section));
    let key = bench.put(ObjectKind::Custom, &gateway());
    assert_eq!(key.as_str(), "gateways.gateway.networking.k8s.io/gw");
    bench.take();
    let group = bench.group(key.as_str());
    assert_eq!(addresses(group), ["10.0.0.1", "fd00::1"]);
    assert_eq!(group.labels.get("__meta_kubernetes_namespace"), None);
    assert_eq!(
        group.labels.get("__meta_kubernetes_resource_names"),
        Some("http,tls")
    );
}

#[test]
fn labels_of_a_section_hide_none_that_every_target_has() {
    let own = [
        ("name", "/spec/listeners/*/name"),
        ("label_a_b", "/spec/listeners/*/name"),
    ];
    let section = section("/spec/listeners/*/name", None, &own);
    let mut bench = Bench::new(view_of(&section));
    bench.put(ObjectKind::Custom, &gateway());
    bench.take();
    let group = bench.group(SOURCE);
    let given = |name| group.labels.get(name);
    assert_eq!(given("__meta_kubernetes_resource_name"), Some("gw"));
    assert_eq!(given("__meta_kubernetes_resource_label_a_b"), Some("1"));
    assert_eq!(
        shown(group),
        [
            json!({"__address__": "http"}),
            json!({"__address__": "tls"})
        ]
    );
}

#[test]
fn without_an_address_or_its_port_there_is_no_target() {
    let lost: [fn(&mut Value); 2] = [
        |gateway| gateway["status"] = Value::Null,
        |gateway| gateway["spec"]["listeners"] = json!([]),
    ];
    for lose in lost {
        let ports = Some("/spec/listeners/*/port");
        let section = section("/status/addresses/*/value", ports, LABELS);
        let mut bench = Bench::new(view_of(&section));
        let mut gateway = gateway();
        bench.put(ObjectKind::Custom, &gateway);
        bench.take();
        assert_eq!(bench.groups.len(), 1);
        lose(&mut gateway);
        bench.put(ObjectKind::Custom, &gateway);
        assert_eq!(bench.take().len(), 1);
        assert!(bench.groups.is_empty());
    }
}

#[test]
fn objects_that_are_not_as_expected_are_read_as_far_as_they_go() {
    let section = section("/spec/hosts/*", Some("/spec/port"), &[("x", "/spec/x/*/y")]);
    for (spec, expected) in [
        (
            json!({"hosts": ["a", null, {}, 7], "port": 70_000}),
            &["a:70000", "7:70000"][..],
        ),
        (
            json!({"hosts": {"one": "a"}, "port": "http", "x": 7}),
            &["a:http"],
        ),
        (json!({"hosts": "a", "port": 80}), &[]),
        (json!([]), &[]),
        (Value::Null, &[]),
    ] {
        let mut bench = Bench::new(view_of(&section));
        bench.put(
            ObjectKind::Custom,
            &json!({"metadata": {"name": "gw", "namespace": "infra"}, "spec": spec}),
        );
        bench.take();
        let found = bench
            .groups
            .get(SOURCE)
            .map(|it| addresses(it))
            .unwrap_or_default();
        assert_eq!(found, expected, "{spec}");
    }
}
