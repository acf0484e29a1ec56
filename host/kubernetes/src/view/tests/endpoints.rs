//! The behaviour of Prometheus' role `endpoints`, and where ours is chosen.

use super::*;

const SOURCE: &str = "endpoints/default/testendpoints";

/// The endpoints of upstream's tests.
pub(super) fn endpoints() -> Value {
    json!({
        "metadata": {
            "name": "testendpoints", "namespace": "default", "resourceVersion": "1",
            "annotations": {"test.annotation": "test"},
        },
        "subsets": [
            {
                "addresses": [{"ip": "1.2.3.4", "hostname": "testendpoint1", "nodeName": "foobar"}],
                "ports": [{"name": "testport", "port": 9000, "protocol": "TCP"}],
            },
            {
                "addresses": [{"ip": "2.3.4.5"}],
                "notReadyAddresses": [{"ip": "2.3.4.5"}],
                "ports": [{"name": "testport", "port": 9001, "protocol": "TCP"}],
            },
            {
                "addresses": [{"ip": "6.7.8.9", "targetRef": {"kind": "Node", "name": "barbaz"}}],
                "ports": [{"name": "testport", "port": 9002, "protocol": "TCP"}],
            },
        ],
    })
}

/// Endpoints that are one Pod at the port of its first container.
fn of_pod(port: i32) -> Value {
    json!({
        "metadata": {"name": "testendpoints", "namespace": "default"},
        "subsets": [{
            "addresses": [{
                "ip": "4.3.2.1",
                "targetRef": {"kind": "Pod", "name": "testpod", "namespace": "default"},
            }],
            "ports": [{"name": "testport", "port": port, "protocol": "TCP"}],
        }],
    })
}

/// The Pod with two containers of upstream's tests.
pub(super) fn two_containers() -> Value {
    json!({
        "metadata": {"name": "testpod", "namespace": "default", "uid": "deadbeef"},
        "spec": {
            "nodeName": "testnode",
            "containers": [
                {"name": "c1", "image": "c1:latest", "ports": [
                    {"name": "mainport", "containerPort": 9000, "protocol": "TCP"}]},
                {"name": "c2", "image": "c2:latest", "ports": [
                    {"name": "sidecar", "containerPort": 9001, "protocol": "TCP"}]},
            ],
        },
        "status": {"hostIP": "2.3.4.5", "podIP": "1.2.3.4"},
    })
}

fn pod_labels(container: &str, port: &str, port_name: &str) -> Value {
    json!({
        "__meta_kubernetes_pod_name": "testpod",
        "__meta_kubernetes_pod_ip": "1.2.3.4",
        "__meta_kubernetes_pod_host_ip": "2.3.4.5",
        "__meta_kubernetes_pod_node_name": "testnode",
        "__meta_kubernetes_pod_phase": "",
        "__meta_kubernetes_pod_ready": "unknown",
        "__meta_kubernetes_pod_uid": "deadbeef",
        "__meta_kubernetes_pod_container_name": container,
        "__meta_kubernetes_pod_container_image": format!("{container}:latest"),
        "__meta_kubernetes_pod_container_init": "false",
        "__meta_kubernetes_pod_container_port_name": port_name,
        "__meta_kubernetes_pod_container_port_number": port,
        "__meta_kubernetes_pod_container_port_protocol": "TCP",
    })
}

fn merged(mut one: Value, other: Value) -> Value {
    let Value::Object(other) = other else {
        unreachable!()
    };
    one.as_object_mut().unwrap().extend(other);
    one
}

#[test]
fn each_address_is_a_target_ready_or_not() {
    let mut bench = Bench::new(spec(Role::Endpoints, ""));
    bench.put(ObjectKind::Endpoints, &endpoints());
    assert_eq!(bench.take(), [SOURCE]);
    let group = bench.group(SOURCE);
    assert_eq!(
        labels(&group.labels),
        json!({
            "__meta_kubernetes_namespace": "default",
            "__meta_kubernetes_endpoints_name": "testendpoints",
            "__meta_kubernetes_endpoints_annotation_test_annotation": "test",
            "__meta_kubernetes_endpoints_annotationpresent_test_annotation": "true",
        })
    );
    let target = |address: &str, ready: &str| {
        json!({
            "__address__": address,
            "__meta_kubernetes_endpoint_port_name": "testport",
            "__meta_kubernetes_endpoint_port_protocol": "TCP",
            "__meta_kubernetes_endpoint_ready": ready,
        })
    };
    assert_eq!(
        group.targets.iter().map(labels).collect::<Vec<_>>(),
        [
            merged(
                target("1.2.3.4:9000", "true"),
                json!({
                    "__meta_kubernetes_endpoint_hostname": "testendpoint1",
                    "__meta_kubernetes_endpoint_node_name": "foobar",
                })
            ),
            target("2.3.4.5:9001", "true"),
            target("2.3.4.5:9001", "false"),
            merged(
                target("6.7.8.9:9002", "true"),
                json!({
                    "__meta_kubernetes_endpoint_address_target_kind": "Node",
                    "__meta_kubernetes_endpoint_address_target_name": "barbaz",
                })
            ),
        ]
    );
}

#[test]
fn targets_of_a_subset_are_ordered_by_port() {
    let endpoints = json!({
        "metadata": {"name": "testendpoints", "namespace": "default"},
        "subsets": [
            {
                "addresses": [{"ip": "a"}, {"ip": "b"}], "notReadyAddresses": [{"ip": "c"}],
                "ports": [{"port": 1}, {"port": 2}],
            },
            {"addresses": [{"ip": "none"}]},
            {"addresses": [{"ip": "fd00::1"}], "ports": [{"port": 3}]},
        ],
    });
    let group = group_of(Role::Endpoints, &endpoints);
    assert_eq!(
        addresses(&group),
        ["a:1", "b:1", "c:1", "a:2", "b:2", "c:2", "[fd00::1]:3"]
    );
}

#[test]
fn a_pod_shows_its_labels_and_the_ports_that_no_service_leads_to() {
    let mut bench = Bench::new(spec(Role::Endpoints, ""));
    bench.put(ObjectKind::Endpoints, &of_pod(9000));
    bench.put(ObjectKind::Pod, &two_containers());
    bench.take();
    let own = json!({
        "__address__": "4.3.2.1:9000",
        "__meta_kubernetes_endpoint_port_name": "testport",
        "__meta_kubernetes_endpoint_port_protocol": "TCP",
        "__meta_kubernetes_endpoint_ready": "true",
        "__meta_kubernetes_endpoint_address_target_kind": "Pod",
        "__meta_kubernetes_endpoint_address_target_name": "testpod",
    });
    assert_eq!(
        bench
            .group(SOURCE)
            .targets
            .iter()
            .map(labels)
            .collect::<Vec<_>>(),
        [
            merged(own, pod_labels("c1", "9000", "mainport")),
            merged(
                json!({"__address__": "1.2.3.4:9001"}),
                pod_labels("c2", "9001", "sidecar")
            ),
        ]
    );
}

#[test]
fn init_containers_with_ports_are_found_too() {
    let mut pod = two_containers();
    pod["spec"]["initContainers"] = json!([
        {"name": "ic1", "image": "ic1:latest", "ports": [{"name": "initport", "containerPort": 1111, "protocol": "TCP"}]},
        {"name": "ic2", "image": "ic2:latest", "ports": [{"name": "initport", "containerPort": 9111, "protocol": "TCP"}]},
    ]);
    let mut bench = Bench::new(spec(Role::Endpoints, ""));
    bench.put(ObjectKind::Pod, &pod);
    bench.put(ObjectKind::Endpoints, &of_pod(9111));
    bench.take();
    assert_eq!(
        addresses(bench.group(SOURCE)),
        [
            "4.3.2.1:9111",
            "1.2.3.4:9000",
            "1.2.3.4:9001",
            "1.2.3.4:1111"
        ]
    );
    let of = |name| bench.target_label(SOURCE, name).into_iter().flatten();
    assert_eq!(
        of("pod_container_name").collect::<Vec<_>>(),
        ["ic2", "c1", "c2", "ic1"]
    );
    assert_eq!(
        of("pod_container_init").collect::<Vec<_>>(),
        ["true", "false", "false", "true"]
    );
}

#[test]
fn of_containers_with_one_port_the_last_is_named_with_the_protocol_of_the_endpoints() {
    let mut pod = two_containers();
    pod["spec"]["containers"][1]["ports"] = json!([
        {"name": "first", "containerPort": 9000, "protocol": "UDP"},
        {"name": "second", "containerPort": 9000, "protocol": "SCTP"},
    ]);
    let mut bench = Bench::new(spec(Role::Endpoints, ""));
    bench.put(ObjectKind::Endpoints, &of_pod(9000));
    bench.put(ObjectKind::Pod, &pod);
    bench.take();
    let target = &bench.group(SOURCE).targets[0];
    for (name, expected) in [
        ("container_name", "c2"),
        ("container_port_name", "first"),
        ("container_port_protocol", "TCP"),
    ] {
        let name = format!("__meta_kubernetes_pod_{name}");
        assert_eq!(target.get(&name), Some(expected));
    }
}

#[test]
fn a_pod_without_an_address_has_no_further_targets() {
    let mut pod = two_containers();
    pod["status"]["podIP"] = json!("");
    let mut bench = Bench::new(spec(Role::Endpoints, ""));
    bench.put(ObjectKind::Endpoints, &of_pod(9000));
    bench.put(ObjectKind::Pod, &pod);
    bench.take();
    assert_eq!(addresses(bench.group(SOURCE)), ["4.3.2.1:9000"]);
}

#[test]
fn changes_of_a_pod_show_whatever_changed() {
    let mut bench = Bench::new(spec(Role::Endpoints, ""));
    let mut pod = two_containers();
    pod["status"]["phase"] = json!("Pending");
    pod["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
    bench.put(ObjectKind::Endpoints, &of_pod(9000));
    bench.put(ObjectKind::Pod, &pod);
    bench.take();
    let ready = |bench: &Bench| bench.target_label(SOURCE, "pod_ready")[0].clone();
    assert_eq!(ready(&bench).as_deref(), Some("false"));

    pod["status"]["conditions"][0]["status"] = json!("True");
    bench.put(ObjectKind::Pod, &pod);
    assert_eq!(bench.take(), [SOURCE]);
    assert_eq!(ready(&bench).as_deref(), Some("true"));

    bench.remove(ObjectKind::Pod, "pod/default/testpod");
    assert_eq!(bench.take(), [SOURCE]);
    assert_eq!(ready(&bench), None);
    assert_eq!(addresses(bench.group(SOURCE)), ["4.3.2.1:9000"]);
}

#[test]
fn a_service_of_the_same_name_shows_its_labels() {
    let mut bench = Bench::new(spec(Role::Endpoints, ""));
    bench.put(ObjectKind::Endpoints, &endpoints());
    let mut service = super::service::service();
    service["metadata"]["name"] = json!("testendpoints");
    service["metadata"]["labels"] = json!({"app/name": "test"});
    bench.put(ObjectKind::Service, &service);
    bench.take();
    let label = |bench: &Bench, name| bench.label(SOURCE, name);
    assert_eq!(
        label(&bench, "service_name").as_deref(),
        Some("testendpoints")
    );
    assert_eq!(
        label(&bench, "service_label_app_name").as_deref(),
        Some("test")
    );
    assert_eq!(label(&bench, "service_type"), None);

    service["metadata"]["labels"] = json!({"app/name": "svc", "component": "testing"});
    bench.put(ObjectKind::Service, &service);
    assert_eq!(bench.take(), [SOURCE]);
    assert_eq!(
        label(&bench, "service_label_component").as_deref(),
        Some("testing")
    );

    service["spec"]["clusterIP"] = json!("10.9.9.9");
    bench.put(ObjectKind::Service, &service);
    let derived = bench.derived();
    assert!(bench.take().is_empty());
    assert_eq!(bench.derived(), derived);
}

#[test]
fn node_metadata_is_that_of_the_node_named_or_else_referred_to() {
    let mut bench = Bench::new(spec(Role::Endpoints, "node"));
    bench.put(ObjectKind::Endpoints, &endpoints());
    for (name, zone) in [("foobar", "us-east1"), ("barbaz", "us-west2")] {
        let mut node = super::node::node();
        node["metadata"]["name"] = json!(name);
        node["metadata"]["labels"] = json!({"az": zone});
        bench.put(ObjectKind::Node, &node);
    }
    bench.take();
    let zones = |bench: &Bench| bench.target_label(SOURCE, "node_label_az");
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        zones(&bench),
        [text("us-east1"), None, None, text("us-west2")]
    );
    let names = bench.target_label(SOURCE, "node_name");
    assert_eq!(names, [text("foobar"), None, None, text("barbaz")]);

    // Upstream goes on with the old value, since the address has no reference.
    let mut node = super::node::node();
    node["metadata"]["name"] = json!("foobar");
    node["metadata"]["labels"] = json!({"az": "us-central3"});
    bench.put(ObjectKind::Node, &node);
    assert_eq!(bench.take(), [SOURCE]);
    assert_eq!(zones(&bench)[0], text("us-central3"));
}

#[test]
fn without_subsets_the_group_is_gone() {
    let mut bench = Bench::new(spec(Role::Endpoints, ""));
    let mut endpoints = endpoints();
    bench.put(ObjectKind::Endpoints, &endpoints);
    bench.take();
    endpoints["subsets"] = Value::Null;
    bench.put(ObjectKind::Endpoints, &endpoints);
    assert_eq!(bench.take(), [SOURCE]);
    assert!(bench.groups.is_empty());
    bench.remove(ObjectKind::Endpoints, SOURCE);
    assert_eq!(bench.take(), [SOURCE]);
    bench.remove(ObjectKind::Endpoints, SOURCE);
    assert!(bench.take().is_empty());
}

#[test]
fn hidden_ports_stand_in_the_order_of_the_endpoints() {
    let mut bench = Bench::new(spec(Role::Endpoints, ""));
    let names = ["zeta", "alpha", "mid"];
    let reference = |name: &str| json!({"ip": "9.9.9.9", "targetRef": {"kind": "Pod", "name": name, "namespace": "default"}});
    bench.put(
        ObjectKind::Endpoints,
        &json!({
            "metadata": {"name": "testendpoints", "namespace": "default"},
            "subsets": [{"addresses": names.map(reference), "ports": [{"port": 9000}]}],
        }),
    );
    for (at, name) in names.iter().enumerate().rev() {
        let mut pod = two_containers();
        pod["metadata"]["name"] = json!(name);
        pod["status"]["podIP"] = json!(format!("10.0.0.{at}"));
        bench.put(ObjectKind::Pod, &pod);
        bench.take();
    }
    assert_eq!(
        addresses(bench.group(SOURCE))[3..],
        ["10.0.0.0:9001", "10.0.0.1:9001", "10.0.0.2:9001"]
    );
}
