//! The behaviour of Prometheus' role `endpointslice`, and where ours is chosen.

use super::*;

const SOURCE: &str = "endpointslice/default/testendpoints";

/// The slice of upstream's tests.
pub(super) fn slice() -> Value {
    json!({
        "metadata": {
            "name": "testendpoints", "namespace": "default", "resourceVersion": "1",
            "labels": {"kubernetes.io/service-name": "testendpoints"},
            "annotations": {"test.annotation": "test"},
        },
        "addressType": "IPv4",
        "ports": [{"name": "testport", "port": 9000, "protocol": "TCP", "appProtocol": "http"}],
        "endpoints": [
            {
                "addresses": ["1.2.3.4"], "hostname": "testendpoint1", "targetRef": {},
                "nodeName": "foobar", "zone": "us-east-1a",
                "conditions": {"ready": true, "serving": true, "terminating": false},
                "deprecatedTopology": {"topology": "value"},
            },
            {
                "addresses": ["2.3.4.5"], "zone": "us-east-1b",
                "conditions": {"ready": true, "serving": true, "terminating": false},
            },
            {
                "addresses": ["3.4.5.6"], "zone": "us-east-1c",
                "conditions": {"ready": false, "serving": true, "terminating": true},
            },
            {
                "addresses": ["4.5.6.7"], "zone": "us-east-1a",
                "targetRef": {"kind": "Node", "name": "barbaz"},
                "conditions": {"ready": true, "serving": true, "terminating": false},
            },
        ],
    })
}

/// A slice of Pods `default/p<number>` in the family of `addresses`.
pub(super) fn of_pods(numbers: impl IntoIterator<Item = usize>) -> Value {
    let endpoint = |number: usize| {
        json!({
            "addresses": [format!("10.0.{}.{}", number / 250, number % 250)],
            "conditions": {"ready": true},
            "nodeName": format!("n{}", number % 3),
            "targetRef": {"kind": "Pod", "namespace": "default", "name": format!("p{number}")},
        })
    };
    json!({
        "metadata": {
            "name": "testendpoints", "namespace": "default",
            "labels": {"kubernetes.io/service-name": "testservice"},
        },
        "addressType": "IPv4",
        "ports": [{"name": "web", "port": 9000, "protocol": "TCP"}],
        "endpoints": numbers.into_iter().map(endpoint).collect::<Vec<_>>(),
    })
}

/// The Pod with this number, with a port that no service leads to.
pub(super) fn pod(number: usize) -> Value {
    let mut pod = super::endpoints::two_containers();
    pod["metadata"]["name"] = json!(format!("p{number}"));
    pod["metadata"]["labels"] = json!({"number": number.to_string()});
    pod["status"]["podIP"] = json!(format!("10.0.{}.{}", number / 250, number % 250));
    pod
}

fn families(policy: &str, families: &[&str]) -> Value {
    let mut service = super::service::service();
    service["metadata"]["name"] = json!("testendpoints");
    service["spec"]["ipFamilyPolicy"] = json!(policy);
    service["spec"]["ipFamilies"] = json!(families);
    service
}

#[test]
fn each_endpoint_is_a_target_with_all_that_it_says() {
    let mut bench = Bench::new(spec(Role::EndpointSlice, ""));
    bench.put(ObjectKind::EndpointSlice, &slice());
    bench.take();
    let group = bench.group(SOURCE);
    assert_eq!(
        labels(&group.labels),
        json!({
            "__meta_kubernetes_namespace": "default",
            "__meta_kubernetes_endpointslice_address_type": "IPv4",
            "__meta_kubernetes_endpointslice_name": "testendpoints",
            "__meta_kubernetes_endpointslice_label_kubernetes_io_service_name": "testendpoints",
            "__meta_kubernetes_endpointslice_labelpresent_kubernetes_io_service_name": "true",
            "__meta_kubernetes_endpointslice_annotation_test_annotation": "test",
            "__meta_kubernetes_endpointslice_annotationpresent_test_annotation": "true",
        })
    );
    let target = |address: &str, zone: &str, [ready, terminating]: [&str; 2], more: Value| {
        let mut target = json!({
            "__address__": address,
            "__meta_kubernetes_endpointslice_endpoint_conditions_ready": ready,
            "__meta_kubernetes_endpointslice_endpoint_conditions_serving": "true",
            "__meta_kubernetes_endpointslice_endpoint_conditions_terminating": terminating,
            "__meta_kubernetes_endpointslice_endpoint_zone": zone,
            "__meta_kubernetes_endpointslice_port": "9000",
            "__meta_kubernetes_endpointslice_port_app_protocol": "http",
            "__meta_kubernetes_endpointslice_port_name": "testport",
            "__meta_kubernetes_endpointslice_port_protocol": "TCP",
        });
        let more = more.as_object().unwrap().clone();
        target.as_object_mut().unwrap().extend(more);
        target
    };
    let first = json!({
        "__meta_kubernetes_endpointslice_address_target_kind": "",
        "__meta_kubernetes_endpointslice_address_target_name": "",
        "__meta_kubernetes_endpointslice_endpoint_hostname": "testendpoint1",
        "__meta_kubernetes_endpointslice_endpoint_node_name": "foobar",
        "__meta_kubernetes_endpointslice_endpoint_topology_topology": "value",
        "__meta_kubernetes_endpointslice_endpoint_topology_present_topology": "true",
    });
    let last = json!({
        "__meta_kubernetes_endpointslice_address_target_kind": "Node",
        "__meta_kubernetes_endpointslice_address_target_name": "barbaz",
    });
    assert_eq!(
        group.targets.iter().map(labels).collect::<Vec<_>>(),
        [
            target("1.2.3.4:9000", "us-east-1a", ["true", "false"], first),
            target("2.3.4.5:9000", "us-east-1b", ["true", "false"], json!({})),
            target("3.4.5.6:9000", "us-east-1c", ["false", "true"], json!({})),
            target("4.5.6.7:9000", "us-east-1a", ["true", "false"], last),
        ]
    );
}

#[test]
fn what_an_endpoint_does_not_say_is_no_label() {
    let slice = json!({
        "metadata": {"name": "a", "namespace": "b"}, "addressType": "FQDN",
        "ports": [{}], "endpoints": [{"addresses": ["x.example.com", "fd00::1"]}],
    });
    let group = group_of(Role::EndpointSlice, &slice);
    let targets: Vec<_> = group.targets.iter().map(labels).collect();
    assert_eq!(
        targets,
        [
            json!({"__address__": "x.example.com"}),
            json!({"__address__": "fd00::1"})
        ]
    );
}

#[test]
fn targets_are_ordered_by_endpoint_then_port_then_address() {
    let slice = json!({
        "metadata": {"name": "a", "namespace": "b"},
        "ports": [{"port": 1}, {"port": 2}],
        "endpoints": [{"addresses": ["a", "b"]}, {"addresses": []}, {"addresses": ["c"]}],
    });
    let group = group_of(Role::EndpointSlice, &slice);
    assert_eq!(
        addresses(&group),
        ["a:1", "b:1", "a:2", "b:2", "c:1", "c:2"]
    );
    let without_ports = json!({
        "metadata": {"name": "a", "namespace": "b"}, "endpoints": [{"addresses": ["a"]}],
    });
    assert!(
        group_of(Role::EndpointSlice, &without_ports)
            .targets
            .is_empty()
    );
}

#[test]
fn a_pod_shows_its_labels_with_the_protocol_of_its_container() {
    let mut bench = Bench::new(spec(Role::EndpointSlice, ""));
    bench.put(ObjectKind::EndpointSlice, &of_pods([1]));
    let mut pod = pod(1);
    pod["spec"]["containers"][0]["ports"][0]["protocol"] = json!("UDP");
    bench.put(ObjectKind::Pod, &pod);
    bench.take();
    assert_eq!(
        addresses(bench.group(SOURCE)),
        ["10.0.0.1:9000", "10.0.0.1:9001"]
    );
    let of = |name| bench.target_label(SOURCE, name).into_iter().flatten();
    let protocols: Vec<_> = of("pod_container_port_protocol").collect();
    assert_eq!(protocols, ["UDP", "TCP"]);
    assert_eq!(of("pod_label_number").count(), 2);
    assert_eq!(of("endpointslice_port").count(), 1);
    assert_eq!(of("pod_container_id").count(), 0);
}

#[test]
fn the_second_family_of_a_service_with_two_is_left_out() {
    let both = ["IPv4", "IPv6"];
    let other = ["IPv6", "IPv4"];
    for (policy, of_service, address_type, is_there) in [
        ("PreferDualStack", &both[..], "IPv4", true),
        ("PreferDualStack", &both, "IPv6", false),
        ("RequireDualStack", &both, "IPv6", false),
        ("RequireDualStack", &other, "IPv6", true),
        ("PreferDualStack", &other, "IPv4", false),
        ("SingleStack", &["IPv6"], "IPv6", true),
        ("SingleStack", &["IPv4"], "IPv6", true),
        ("PreferDualStack", &[], "IPv6", true),
    ] {
        let mut bench = Bench::new(spec(Role::EndpointSlice, ""));
        let mut slice = slice();
        slice["addressType"] = json!(address_type);
        bench.put(ObjectKind::EndpointSlice, &slice);
        bench.take();
        assert!(bench.groups.contains_key(SOURCE), "no service is known yet");
        bench.put(ObjectKind::Service, &families(policy, of_service));
        bench.take();
        let context = format!("{policy} {of_service:?} {address_type}");
        assert_eq!(bench.groups.contains_key(SOURCE), is_there, "{context}");
        bench.remove(ObjectKind::Service, "svc/default/testendpoints");
        bench.take();
        assert!(bench.groups.contains_key(SOURCE), "{context}");
    }
}

#[test]
fn the_service_is_the_one_that_a_label_names() {
    let mut bench = Bench::new(spec(Role::EndpointSlice, ""));
    let mut slice = slice();
    slice["metadata"]["labels"] = json!({"kubernetes.io/service-name": "testservice"});
    let mut service = super::service::service();
    service["metadata"]["labels"] = json!({"a": "1"});
    bench.put(ObjectKind::Service, &service);
    bench.put(ObjectKind::EndpointSlice, &slice);
    bench.take();
    let name = |bench: &Bench| bench.label(SOURCE, "service_name");
    assert_eq!(name(&bench).as_deref(), Some("testservice"));
    slice["metadata"]["labels"] = json!({});
    bench.put(ObjectKind::EndpointSlice, &slice);
    bench.take();
    assert_eq!(name(&bench), None);
}

#[test]
fn the_node_is_the_one_referred_to_or_else_the_one_named() {
    let mut bench = Bench::new(spec(Role::EndpointSlice, "node"));
    let mut slice = slice();
    slice["endpoints"][3]["nodeName"] = json!("foobar");
    bench.put(ObjectKind::EndpointSlice, &slice);
    for name in ["foobar", "barbaz"] {
        let mut node = super::node::node();
        node["metadata"]["name"] = json!(name);
        bench.put(ObjectKind::Node, &node);
    }
    bench.take();
    let names = bench.target_label(SOURCE, "node_name");
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(names, [text("foobar"), None, None, text("barbaz")]);
}

#[test]
fn one_changed_pod_derives_its_own_targets_and_no_others() {
    let mut bench = Bench::new(spec(Role::EndpointSlice, ""));
    bench.put(ObjectKind::EndpointSlice, &of_pods(0..100));
    for number in 0..100 {
        bench.put(ObjectKind::Pod, &pod(number));
    }
    bench.take();
    let before = Arc::clone(bench.group(SOURCE));
    assert_eq!(before.targets.len(), 200);

    let mut changed = pod(7);
    changed["metadata"]["labels"]["number"] = json!("seven");
    bench.put(ObjectKind::Pod, &changed);
    let derived = bench.derived();
    assert_eq!(bench.take(), [SOURCE]);
    assert_eq!(bench.derived(), derived + 1);
    let after = bench.group(SOURCE);
    for (index, (before, after)) in before.targets.iter().zip(&after.targets).enumerate() {
        assert_eq!(
            is_same(before, after),
            index != 7 && index != 107,
            "{index}"
        );
    }
}

#[test]
fn one_endpoint_more_keeps_the_targets_of_the_others() {
    let mut bench = Bench::new(spec(Role::EndpointSlice, ""));
    for number in 0..100 {
        bench.put(ObjectKind::Pod, &pod(number));
    }
    bench.put(ObjectKind::EndpointSlice, &of_pods(0..99));
    bench.take();
    let before = Arc::clone(bench.group(SOURCE));
    // One gone from the middle, the last one moved to its place, and a new one.
    let order = (0..40).chain([98]).chain(41..98).chain([99]);
    bench.put(ObjectKind::EndpointSlice, &of_pods(order.clone()));
    bench.take();
    let after = bench.group(SOURCE);
    let new = order.clone().chain(order).map(|number| number == 99);
    for (after, is_new) in after.targets.iter().zip(new) {
        let is_known = before.targets.iter().any(|before| is_same(before, after));
        assert_eq!(is_known, !is_new, "{after:?}");
    }
    assert_eq!(after.targets.len(), 198);
}

#[test]
fn a_pod_that_changes_while_its_slice_leaves_it_out_is_seen_when_it_is_back() {
    for last in [vec![1, 2], vec![1, 2, 3]] {
        let mut bench = Bench::new(spec(Role::EndpointSlice, ""));
        bench.put(ObjectKind::EndpointSlice, &of_pods([1, 2]));
        bench.put(ObjectKind::Pod, &pod(1));
        bench.take();
        bench.put(ObjectKind::EndpointSlice, &of_pods([2]));
        let mut changed = pod(1);
        changed["metadata"]["labels"]["number"] = json!("one");
        bench.put(ObjectKind::Pod, &changed);
        bench.put(ObjectKind::EndpointSlice, &of_pods(last));
        bench.take();
        let numbers = bench.target_label(SOURCE, "pod_label_number");
        assert_eq!(numbers[0].as_deref(), Some("one"));
    }
}

/// Whether two sets share their values.
fn is_same(one: &LabelSet, other: &LabelSet) -> bool {
    let first = |set: &LabelSet| set.iter().next().map(|(_, value)| value.as_ptr());
    first(one) == first(other)
}
