//! The behaviour of Prometheus' role `ingress`.

use super::*;

/// The ingress of upstream's tests.
pub(super) fn ingress(tls: Value) -> Value {
    json!({
        "metadata": {
            "name": "testingress", "namespace": "default", "resourceVersion": "1",
            "labels": {"test/label": "testvalue"},
            "annotations": {"test/annotation": "testannotationvalue"},
        },
        "spec": {
            "ingressClassName": "testclass",
            "tls": tls,
            "rules": [
                {"host": "example.com", "http": {"paths": [{"path": "/"}, {"path": "/foo"}]}},
                {"host": "nobackend.example.com", "http": {}},
                {"host": "test.example.com", "http": {"paths": [{}]}},
            ],
        },
    })
}

fn schemes(tls: Value) -> Vec<String> {
    let group = group_of(Role::Ingress, &ingress(tls));
    let scheme = |target: &LabelSet| {
        target
            .get("__meta_kubernetes_ingress_scheme")
            .map(str::to_owned)
    };
    group.targets.iter().filter_map(scheme).collect()
}

#[test]
fn an_ingress_is_a_target_for_each_path_of_each_rule() {
    let group = group_of(Role::Ingress, &ingress(Value::Null));
    assert_eq!(&*group.source, "ingress/default/testingress");
    assert_eq!(
        labels(&group.labels),
        json!({
            "__meta_kubernetes_namespace": "default",
            "__meta_kubernetes_ingress_name": "testingress",
            "__meta_kubernetes_ingress_class_name": "testclass",
            "__meta_kubernetes_ingress_label_test_label": "testvalue",
            "__meta_kubernetes_ingress_labelpresent_test_label": "true",
            "__meta_kubernetes_ingress_annotation_test_annotation": "testannotationvalue",
            "__meta_kubernetes_ingress_annotationpresent_test_annotation": "true",
        })
    );
    let target = |host: &str, path: &str| {
        json!({
            "__address__": host,
            "__meta_kubernetes_ingress_scheme": "http",
            "__meta_kubernetes_ingress_host": host,
            "__meta_kubernetes_ingress_path": path,
        })
    };
    assert_eq!(
        group.targets.iter().map(labels).collect::<Vec<_>>(),
        [
            target("example.com", "/"),
            target("example.com", "/foo"),
            target("test.example.com", "/"),
        ]
    );
}

#[test]
fn tls_makes_https_of_the_hosts_that_it_names() {
    for (tls, expected) in [
        (json!([]), ["http", "http", "http"]),
        (
            json!([{"hosts": ["example.com", "test.example.com"]}]),
            ["https", "https", "https"],
        ),
        (
            json!([{"hosts": ["example.com"]}]),
            ["https", "https", "http"],
        ),
        (
            json!([{}, {"hosts": ["*.example.com"]}]),
            ["http", "http", "https"],
        ),
        (
            json!([{"hosts": ["*.com", "x"]}]),
            ["https", "https", "http"],
        ),
    ] {
        assert_eq!(schemes(tls.clone()), expected, "{tls}");
    }
}

#[test]
fn a_rule_without_paths_has_all_of_them_and_no_class_is_no_label() {
    let ingress = json!({
        "metadata": {"name": "a", "namespace": "b"},
        "spec": {"rules": [{"host": "h"}, {"http": null}, {"host": "none", "http": {"paths": null}}]},
    });
    let group = group_of(Role::Ingress, &ingress);
    assert_eq!(addresses(&group), ["h", ""]);
    assert_eq!(
        group.labels.get("__meta_kubernetes_ingress_class_name"),
        None
    );
    assert_eq!(
        group.targets[0].get("__meta_kubernetes_ingress_path"),
        Some("/")
    );
}
