//! The behaviour of Prometheus' role `service`.

use super::*;

/// The service of upstream's tests.
pub(super) fn service() -> Value {
    json!({
        "metadata": {"name": "testservice", "namespace": "default", "resourceVersion": "1"},
        "spec": {
            "type": "ClusterIP", "clusterIP": "10.0.0.1",
            "ports": [{"name": "testport", "protocol": "TCP", "port": 30900}],
        },
    })
}

fn target(service: &Value) -> Value {
    labels(&group_of(Role::Service, service).targets[0])
}

#[test]
fn a_service_is_a_target_for_each_port_by_its_name_in_the_cluster() {
    let mut service = service();
    service["metadata"]["labels"] = json!({"test-label": "testvalue"});
    service["metadata"]["annotations"] = json!({"test-annotation": "testannotationvalue"});
    service["spec"]["ports"] = json!([
        {"name": "testport0", "protocol": "TCP", "port": 30900},
        {"name": "testport1", "protocol": "UDP", "port": 30901},
    ]);
    let group = group_of(Role::Service, &service);
    assert_eq!(&*group.source, "svc/default/testservice");
    assert_eq!(
        labels(&group.labels),
        json!({
            "__meta_kubernetes_namespace": "default",
            "__meta_kubernetes_service_name": "testservice",
            "__meta_kubernetes_service_label_test_label": "testvalue",
            "__meta_kubernetes_service_labelpresent_test_label": "true",
            "__meta_kubernetes_service_annotation_test_annotation": "testannotationvalue",
            "__meta_kubernetes_service_annotationpresent_test_annotation": "true",
        })
    );
    let target = |number: &str, name: &str, protocol: &str| {
        json!({
            "__address__": format!("testservice.default.svc:{number}"),
            "__meta_kubernetes_service_type": "ClusterIP",
            "__meta_kubernetes_service_cluster_ip": "10.0.0.1",
            "__meta_kubernetes_service_port_name": name,
            "__meta_kubernetes_service_port_number": number,
            "__meta_kubernetes_service_port_protocol": protocol,
        })
    };
    assert_eq!(
        group.targets.iter().map(labels).collect::<Vec<_>>(),
        [
            target("30900", "testport0", "TCP"),
            target("30901", "testport1", "UDP")
        ]
    );
}

#[test]
fn an_external_name_takes_the_place_of_the_cluster_address() {
    let mut service = service();
    service["spec"]["type"] = json!("ExternalName");
    service["spec"]["externalName"] = json!("FooExternalName");
    assert_eq!(
        target(&service),
        json!({
            "__address__": "testservice.default.svc:30900",
            "__meta_kubernetes_service_type": "ExternalName",
            "__meta_kubernetes_service_external_name": "FooExternalName",
            "__meta_kubernetes_service_port_name": "testport",
            "__meta_kubernetes_service_port_number": "30900",
            "__meta_kubernetes_service_port_protocol": "TCP",
        })
    );
}

#[test]
fn a_load_balancer_has_the_addresses_that_it_got_or_else_the_one_it_was_asked_for() {
    for (asked, got, expected) in [
        (json!("127.0.0.1"), Value::Null, "127.0.0.1"),
        (
            json!("127.0.0.1"),
            json!([{"hostname": "lb.example.com"}]),
            "127.0.0.1",
        ),
        (
            json!("127.0.0.1"),
            json!([{"ip": "192.168.1.15"}, {"hostname": "x"}, {"ip": "2001:db8::1"}]),
            "192.168.1.15,2001:db8::1",
        ),
        (Value::Null, json!([]), ""),
    ] {
        let mut service = service();
        service["spec"]["type"] = json!("LoadBalancer");
        service["spec"]["loadBalancerIP"] = asked;
        service["status"] = json!({"loadBalancer": {"ingress": got}});
        let target = target(&service);
        assert_eq!(
            target["__meta_kubernetes_service_loadbalancer_ip"],
            expected
        );
        assert_eq!(target["__meta_kubernetes_service_cluster_ip"], "10.0.0.1");
    }
    assert_eq!(
        target(&service()).get("__meta_kubernetes_service_loadbalancer_ip"),
        None
    );
}

#[test]
fn a_service_without_ports_is_gone() {
    let mut service = service();
    service["spec"]["ports"] = Value::Null;
    assert!(group_of(Role::Service, &service).targets.is_empty());
}

#[test]
fn a_headless_service_says_so() {
    let mut service = service();
    service["spec"]["clusterIP"] = json!("None");
    assert_eq!(
        target(&service)["__meta_kubernetes_service_cluster_ip"],
        "None"
    );
}
