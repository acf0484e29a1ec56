//! What is attached from other objects, in whatever order they come.

use super::pod::single_port;
use super::*;

const POD: &str = "pod/default/testpod";

fn owned_by(kind: &str, name: &str) -> Value {
    let mut pod = single_port();
    pod["metadata"]["ownerReferences"] = json!([{"kind": kind, "name": name, "controller": true}]);
    pod
}

fn owned(name: &str, kind: &str, owner: &str) -> Value {
    json!({"metadata": {
        "name": name, "namespace": "default", "labels": {"not": "kept"},
        "ownerReferences": [{"kind": kind, "name": owner, "controller": true}],
    }})
}

fn namespace(labels: Value) -> Value {
    json!({"metadata": {"name": "default", "labels": labels, "annotations": {"contact/mail": "x"}}})
}

fn node(name: &str, labels: Value) -> Value {
    let mut node = super::node::node();
    node["metadata"]["name"] = json!(name);
    node["metadata"]["labels"] = labels;
    node
}

#[test]
fn owners_are_found_in_any_order() {
    for (attached, pod, kind, owner, label) in [
        (
            "deployment",
            owned_by("ReplicaSet", "rs-1"),
            ObjectKind::ReplicaSet,
            owned("rs-1", "Deployment", "web"),
            "pod_deployment_name",
        ),
        (
            "cronjob",
            owned_by("Job", "job-1"),
            ObjectKind::Job,
            owned("job-1", "CronJob", "web"),
            "pod_cronjob_name",
        ),
    ] {
        let key = match kind {
            ObjectKind::Job => "job/default/job-1",
            _ => "replicaset/default/rs-1",
        };
        for pod_first in [true, false] {
            let mut bench = Bench::new(spec(Role::Pod, attached));
            if pod_first {
                bench.put(ObjectKind::Pod, &pod);
                bench.take();
                assert_eq!(bench.label(POD, label), None);
            }
            bench.put(kind, &owner);
            bench.take();
            bench.put(ObjectKind::Pod, &pod);
            bench.take();
            assert_eq!(bench.label(POD, label).as_deref(), Some("web"));
            bench.put(kind, &owner);
            assert!(bench.take().is_empty());
            bench.remove(kind, key);
            assert_eq!(bench.take(), [POD]);
            assert_eq!(bench.label(POD, label), None);
        }
    }
}

#[test]
fn owners_of_other_kinds_are_not_named() {
    let mut bench = Bench::new(spec(Role::Pod, "deployment cronjob job"));
    bench.put(ObjectKind::Pod, &owned_by("ReplicaSet", "rs-1"));
    bench.put(ObjectKind::ReplicaSet, &owned("rs-1", "Rollout", "web"));
    bench.put(ObjectKind::Job, &owned("rs-1", "CronJob", "web"));
    bench.take();
    for label in ["pod_deployment_name", "pod_cronjob_name", "pod_job_name"] {
        assert_eq!(bench.label(POD, label), None);
    }
}

#[test]
fn the_job_is_known_from_the_pod() {
    let mut bench = Bench::new(spec(Role::Pod, "job"));
    assert_eq!(bench.spec.kinds(), [ObjectKind::Pod]);
    bench.put(ObjectKind::Pod, &owned_by("Job", "job-1"));
    bench.take();
    assert_eq!(bench.label(POD, "pod_job_name").as_deref(), Some("job-1"));
    assert_eq!(bench.label(POD, "pod_cronjob_name"), None);
}

#[test]
fn owners_reach_targets_behind_services_too() {
    for role in [Role::Endpoints, Role::EndpointSlice] {
        let mut bench = Bench::new(spec(role, "deployment"));
        let (kind, object, source) = match role {
            Role::Endpoints => (
                ObjectKind::Endpoints,
                json!({
                    "metadata": {"name": "e", "namespace": "default"},
                    "subsets": [{"ports": [{"port": 9000}], "addresses": [
                        {"ip": "1.2.3.4", "targetRef": {"kind": "Pod", "namespace": "default", "name": "testpod"}}]}],
                }),
                "endpoints/default/e",
            ),
            _ => (
                ObjectKind::EndpointSlice,
                json!({
                    "metadata": {"name": "e", "namespace": "default"}, "ports": [{"port": 9000}],
                    "endpoints": [{"addresses": ["1.2.3.4"],
                        "targetRef": {"kind": "Pod", "namespace": "default", "name": "testpod"}}],
                }),
                "endpointslice/default/e",
            ),
        };
        bench.put(kind, &object);
        bench.put(ObjectKind::Pod, &owned_by("ReplicaSet", "rs-1"));
        bench.take();
        let name = |bench: &Bench| bench.target_label(source, "pod_deployment_name")[0].clone();
        assert_eq!(name(&bench), None);
        bench.put(ObjectKind::ReplicaSet, &owned("rs-1", "Deployment", "web"));
        assert_eq!(bench.take(), [source]);
        assert_eq!(name(&bench).as_deref(), Some("web"));
        bench.put(ObjectKind::Pod, &owned_by("ReplicaSet", "rs-2"));
        bench.take();
        assert_eq!(name(&bench), None);
        bench.remove(ObjectKind::ReplicaSet, "replicaset/default/rs-1");
        assert!(bench.take().is_empty());
    }
}

#[test]
fn namespaces_are_attached_to_every_role_that_has_one() {
    for (role, kind, object, source) in [
        (Role::Pod, ObjectKind::Pod, single_port(), POD),
        (
            Role::Service,
            ObjectKind::Service,
            super::service::service(),
            "svc/default/testservice",
        ),
        (
            Role::Ingress,
            ObjectKind::Ingress,
            super::ingress::ingress(Value::Null),
            "ingress/default/testingress",
        ),
        (
            Role::Endpoints,
            ObjectKind::Endpoints,
            super::endpoints::endpoints(),
            "endpoints/default/testendpoints",
        ),
        (
            Role::EndpointSlice,
            ObjectKind::EndpointSlice,
            super::slice::slice(),
            "endpointslice/default/testendpoints",
        ),
    ] {
        let mut bench = Bench::new(spec(role, "namespace"));
        let label = |bench: &Bench, name| bench.label(source, name);
        bench.put(kind, &object);
        bench.take();
        assert_eq!(label(&bench, "namespace_label_team"), None);
        bench.put(
            ObjectKind::Namespace,
            &namespace(json!({"team": "a", "cost-center": "1"})),
        );
        assert_eq!(bench.take(), [source]);
        assert_eq!(label(&bench, "namespace_label_team").as_deref(), Some("a"));
        assert_eq!(
            label(&bench, "namespace_label_cost_center").as_deref(),
            Some("1")
        );
        assert_eq!(
            label(&bench, "namespace_labelpresent_team").as_deref(),
            Some("true")
        );
        assert_eq!(
            label(&bench, "namespace_annotation_contact_mail").as_deref(),
            Some("x")
        );
        assert_eq!(label(&bench, "namespace_name"), None);
        bench.put(ObjectKind::Namespace, &namespace(json!({"team": "b"})));
        assert_eq!(bench.take(), [source]);
        assert_eq!(label(&bench, "namespace_label_team").as_deref(), Some("b"));
        bench.remove(ObjectKind::Namespace, "namespace/default");
        assert_eq!(bench.take(), [source]);
        assert_eq!(label(&bench, "namespace_label_team"), None);
    }
}

#[test]
fn a_pod_is_there_as_long_as_its_node_is() {
    let mut bench = Bench::new(spec(Role::Pod, "node"));
    bench.put(ObjectKind::Pod, &single_port());
    bench.put(ObjectKind::Node, &node("othernode", json!({})));
    bench.take();
    assert!(bench.groups.is_empty());
    bench.put(
        ObjectKind::Node,
        &node("testnode", json!({"az": "us-east1"})),
    );
    assert_eq!(bench.take(), [POD]);
    assert_eq!(bench.label(POD, "node_name").as_deref(), Some("testnode"));
    assert_eq!(
        bench.label(POD, "node_label_az").as_deref(),
        Some("us-east1")
    );
    assert_eq!(bench.label(POD, "node_provider_id"), None);
    bench.put(
        ObjectKind::Node,
        &node("testnode", json!({"az": "us-west2"})),
    );
    assert_eq!(bench.take(), [POD]);
    assert_eq!(
        bench.label(POD, "node_label_az").as_deref(),
        Some("us-west2")
    );
    bench.remove(ObjectKind::Node, "node/testnode");
    assert_eq!(bench.take(), [POD]);
    assert!(bench.groups.is_empty());
}

#[test]
fn what_is_not_shown_of_a_node_derives_nothing() {
    for role in [Role::Pod, Role::EndpointSlice, Role::Endpoints] {
        let mut bench = Bench::new(spec(role, "node"));
        bench.put(ObjectKind::Pod, &single_port());
        bench.put(ObjectKind::EndpointSlice, &super::slice::slice());
        bench.put(ObjectKind::Endpoints, &super::endpoints::endpoints());
        for name in ["testnode", "foobar"] {
            bench.put(ObjectKind::Node, &node(name, json!({"az": "a"})));
        }
        bench.take();
        let derived = bench.derived();
        assert!(derived > 0);
        for round in 0..10 {
            for name in ["testnode", "foobar"] {
                let mut beat = node(name, json!({"az": "a"}));
                beat["status"]["conditions"] =
                    json!([{"type": "MemoryPressure", "status": format!("{}", round % 2)}]);
                bench.put(ObjectKind::Node, &beat);
            }
            assert!(bench.take().is_empty());
        }
        assert_eq!(bench.derived(), derived);
    }
}

#[test]
fn only_the_pods_of_a_changed_node_are_derived() {
    let mut bench = Bench::new(spec(Role::Pod, "node"));
    for number in 0..30 {
        let mut pod = single_port();
        pod["metadata"]["name"] = json!(format!("p{number}"));
        pod["spec"]["nodeName"] = json!(format!("n{}", number % 3));
        bench.put(ObjectKind::Pod, &pod);
    }
    for number in 0..3 {
        bench.put(ObjectKind::Node, &node(&format!("n{number}"), json!({})));
    }
    assert_eq!(bench.take().len(), 30);
    let derived = bench.derived();
    bench.put(ObjectKind::Node, &node("n1", json!({"new": "label"})));
    assert_eq!(bench.take().len(), 10);
    assert_eq!(bench.derived(), derived + 10);
}

#[test]
fn annotations_are_left_out_by_the_view_and_their_changes_derive_nothing() {
    let mut spec = spec(Role::Pod, "namespace");
    spec.drop_annotations = filter(&["*/mail"]);
    let mut bench = Bench::new(spec);
    let mut pod = single_port();
    pod["metadata"]["annotations"] = json!({"a/mail": "1", "a/b": "2"});
    bench.put(ObjectKind::Pod, &pod);
    bench.put(ObjectKind::Namespace, &namespace(json!({})));
    bench.take();
    assert_eq!(bench.label(POD, "pod_annotation_a_mail"), None);
    assert_eq!(bench.label(POD, "pod_annotationpresent_a_mail"), None);
    assert_eq!(bench.label(POD, "pod_annotation_a_b").as_deref(), Some("2"));
    assert_eq!(bench.label(POD, "namespace_annotation_contact_mail"), None);
    let derived = bench.derived();
    let mut other = namespace(json!({}));
    other["metadata"]["annotations"] = json!({"contact/mail": "y"});
    bench.put(ObjectKind::Namespace, &other);
    assert!(bench.take().is_empty());
    assert_eq!(bench.derived(), derived);
}

#[test]
fn annotations_are_left_out_of_records() {
    let mut pod = single_port();
    pod["metadata"]["annotations"] = json!({"a/mail": "1", "a/b": "2"});
    let (_, record) = packed(&WatchedKind::Pod, &filter(&["*/mail"]), &pod).unwrap();
    assert_eq!(record.annotations().collect::<Vec<_>>(), [("a/b", "2")]);
    assert_eq!(record.annotations().len(), 1);
}

#[test]
fn a_cluster_is_a_label_and_the_beginning_of_sources() {
    for (role, kind, object, source) in [
        (
            Role::Pod,
            ObjectKind::Pod,
            single_port(),
            "eu/pod/default/testpod",
        ),
        (
            Role::Node,
            ObjectKind::Node,
            super::node::node(),
            "eu/node/test",
        ),
        (
            Role::EndpointSlice,
            ObjectKind::EndpointSlice,
            super::slice::slice(),
            "eu/endpointslice/default/testendpoints",
        ),
    ] {
        let mut spec = spec(role, "");
        spec.cluster = Some("eu".into());
        let mut bench = Bench::new(spec);
        let key = bench.put(kind, &object);
        assert_eq!(bench.take(), [source]);
        assert_eq!(bench.label(source, "cluster").as_deref(), Some("eu"));
        bench.remove(kind, key.as_str());
        assert_eq!(bench.take(), [source]);
        assert!(bench.groups.is_empty());
    }
}

#[test]
fn an_object_that_is_gone_and_back_is_there() {
    for attached in ["", "namespace"] {
        let mut bench = Bench::new(spec(Role::Pod, attached));
        bench.put(ObjectKind::Pod, &single_port());
        bench.take();
        bench.remove(ObjectKind::Pod, POD);
        bench.put(ObjectKind::Pod, &single_port());
        bench.take();
        assert!(bench.groups.contains_key(POD));
        bench.remove(ObjectKind::Pod, POD);
        assert_eq!(bench.take(), [POD]);
        assert!(bench.groups.is_empty());
    }
}

#[test]
fn the_kinds_that_a_view_joins_are_what_it_shows() {
    let all = "node namespace deployment job cronjob";
    for (role, attached, expected) in [
        (Role::Node, all, vec![ObjectKind::Node]),
        (Role::Pod, "job", vec![ObjectKind::Pod]),
        (
            Role::Pod,
            all,
            vec![
                ObjectKind::Pod,
                ObjectKind::Node,
                ObjectKind::Namespace,
                ObjectKind::ReplicaSet,
                ObjectKind::Job,
            ],
        ),
        (
            Role::Service,
            all,
            vec![ObjectKind::Service, ObjectKind::Namespace],
        ),
        (Role::Ingress, "node", vec![ObjectKind::Ingress]),
        (
            Role::Endpoints,
            "",
            vec![ObjectKind::Endpoints, ObjectKind::Service, ObjectKind::Pod],
        ),
    ] {
        assert_eq!(spec(role, attached).kinds(), expected, "{role} {attached}");
    }
}

#[test]
fn fields_are_answered_as_far_as_records_hold_them() {
    use crate::resource::field::{field, has_field};

    let of = |kind: ObjectKind, object: &Value, name: &str| {
        let watched = WatchedKind::of(kind, &spec(Role::Pod, "")).unwrap();
        let (key, record) = packed(&watched, &AnnotationFilter::default(), object).unwrap();
        assert_eq!(
            field(kind, &key, &record, name).is_some(),
            has_field(kind, name)
        );
        field(kind, &key, &record, name).map(std::borrow::Cow::into_owned)
    };
    for (name, expected) in [
        ("metadata.name", Some("testpod")),
        ("metadata.namespace", Some("default")),
        ("spec.nodeName", Some("testnode")),
        ("status.phase", Some("Running")),
        ("status.podIP", Some("1.2.3.4")),
        ("spec.restartPolicy", None),
    ] {
        assert_eq!(
            of(ObjectKind::Pod, &single_port(), name).as_deref(),
            expected
        );
    }
    let service = super::service::service();
    for (name, expected) in [("spec.type", "ClusterIP"), ("spec.clusterIP", "10.0.0.1")] {
        assert_eq!(
            of(ObjectKind::Service, &service, name).as_deref(),
            Some(expected)
        );
    }
    assert_eq!(
        of(ObjectKind::Node, &super::node::node(), "spec.nodeName"),
        None
    );
    assert_eq!(
        of(ObjectKind::Node, &super::node::node(), "metadata.name").as_deref(),
        Some("test")
    );
}
