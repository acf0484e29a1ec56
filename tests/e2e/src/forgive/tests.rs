use serde_json::json;

use super::*;
use crate::compare::Differences;
use crate::prometheus::{Active, Targets};
use crate::script::ObjectName;
use crate::sides::Side;

/// A cluster with one Pod, node and slice, and what both sides show of a target.
struct Scenery {
    history: History,
    jobs: Vec<Value>,
    common: Labels,
}

fn label(name: &str) -> String {
    format!("__meta_kubernetes_{name}")
}

// === impl Scenery ===

impl Scenery {
    fn new(role: &str, section: &Value) -> Self {
        let mut section = section.clone();
        section["role"] = role.into();
        let common = [
            ("namespace", "shop"),
            (&format!("{role}_name"), "web"),
            ("endpointslice_port_protocol", "TCP"),
        ];
        let mut common: Labels = common
            .iter()
            .map(|(name, value)| (label(name), (*value).to_owned()))
            .collect();
        if role != "endpointslice" {
            common.remove(&label("endpointslice_port_protocol"));
        }
        common.insert("__address__".to_owned(), "10.0.0.1:8080".to_owned());
        Self {
            history: History::default(),
            jobs: vec![json!({"job_name": "j", "kubernetes_sd_configs": [section]})],
            common,
        }
    }

    fn was(&self, kind: &str, name: &str, states: &[Value]) {
        let namespace = if matches!(kind, "Node" | "Namespace") {
            ""
        } else {
            "shop"
        };
        for state in states {
            let state = (!state.is_null()).then(|| state.clone());
            self.history
                .record(&ObjectName::named(kind, namespace, name), state);
        }
    }

    fn target(&self, more: &[(&str, &str)]) -> Active {
        let mut labels = self.common.clone();
        labels.extend(
            more.iter()
                .map(|(name, value)| (label(name), (*value).to_owned())),
        );
        Active {
            scrape_pool: "j".to_owned(),
            discovered_labels: labels,
            ..Active::default()
        }
    }

    /// The names under which a difference is accepted; none if it is not.
    fn reasons(
        &self,
        direct: Option<&[(&str, &str)]>,
        ours: Option<&[(&str, &str)]>,
    ) -> Option<Vec<String>> {
        let forgiveness = Forgiveness::parse(include_str!("../../differences.yaml")).unwrap();
        let side = |labels: Option<&[(&str, &str)]>| Targets {
            active_targets: labels
                .map(|labels| self.target(labels))
                .into_iter()
                .collect(),
            dropped_targets: Vec::new(),
        };
        let mut found =
            Differences::between(&side(direct), &side(ours), Side::Discovered, &|_, _| None);
        found.forgive(&|difference| forgiveness.reasons(difference, &self.jobs, &self.history));
        if !found.is_empty() {
            return None;
        }
        let mut names: Vec<String> = found
            .forgiven()
            .flat_map(|(_, names)| names.to_vec())
            .collect();
        names.dedup();
        Some(names)
    }
}

fn pod(labels: &Value, ports: &Value) -> Value {
    json!({"kind": "Pod", "metadata": {"name": "p", "uid": "u", "labels": labels},
           "spec": {"containers": [{"name": "c", "image": "i", "ports": ports}]},
           "status": {"podIP": "10.0.0.1", "phase": "Running"}})
}

/// What a target shows of that Pod, a label of it apart.
const POD: [(&str, &str); 8] = [
    ("endpointslice_address_target_kind", "Pod"),
    ("endpointslice_address_target_name", "p"),
    ("pod_name", "p"),
    ("pod_uid", "u"),
    ("pod_ip", "10.0.0.1"),
    ("pod_phase", "Running"),
    ("pod_ready", "unknown"),
    ("pod_labelpresent_app", "true"),
];

fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&POD[..], more].concat()
}

#[test]
fn patterns_match_whole_texts() {
    assert!(matches("a_*_c", "a_b_c"));
    assert!(matches("a_*_c", "a_b_b_c_c"));
    assert!(!matches("a_*_c", "a_c"));
    assert!(!matches("a_*", "b_a_"));
    assert!(matches("*", ""));
}

#[test]
fn an_old_pod_is_forgiven_and_nothing_that_it_never_was() {
    let scenery = Scenery::new("endpointslice", &json!({}));
    let states = ["one", "two", "three"].map(|app| pod(&json!({"app": app}), &json!([])));
    scenery.was("Pod", "p", &states);
    let reasons = |theirs, ours| {
        let (theirs, ours) = (
            with(&[("pod_label_app", theirs)]),
            with(&[("pod_label_app", ours)]),
        );
        scenery.reasons(Some(&theirs), Some(&ours))
    };
    let slices = Some(vec!["pod-change-refreshes-slices".to_owned()]);
    assert_eq!(reasons("one", "three"), slices);
    assert_eq!(reasons("two", "three"), slices);
    assert_eq!(reasons("three", "two"), None, "we are late");
    assert_eq!(reasons("four", "three"), None, "it was never so");
    assert_eq!(reasons("one", "wrong"), None, "we are wrong");
}

#[test]
fn one_state_must_explain_all_labels() {
    let scenery = Scenery::new("endpointslice", &json!({}));
    let states = [("1", "1"), ("2", "2"), ("3", "3")];
    let states = states.map(|(a, b)| pod(&json!({"app": a, "b": b}), &json!([])));
    scenery.was("Pod", "p", &states);
    let labels = |a, b| {
        with(&[
            ("pod_label_app", a),
            ("pod_label_b", b),
            ("pod_labelpresent_b", "true"),
        ])
    };
    let reasons = |a, b| scenery.reasons(Some(&labels(a, b)), Some(&labels("3", "3")));
    assert!(reasons("2", "2").is_some());
    assert!(reasons("1", "2").is_none());
}

#[test]
fn what_a_selector_hides_is_not_there() {
    let section = json!({"selectors": [{"role": "pod", "label": "app=one"}]});
    let scenery = Scenery::new("endpointslice", &section);
    let states = ["one", "two"].map(|app| pod(&json!({"app": app}), &json!([])));
    scenery.was("Pod", "p", &states);
    let theirs = with(&[("pod_label_app", "one")]);
    assert!(scenery.reasons(Some(&theirs), Some(&POD[..2])).is_some());
    let ours = with(&[("pod_label_app", "two")]);
    assert!(scenery.reasons(Some(&theirs), Some(&ours)).is_none());
}

#[test]
fn hidden_ports_come_and_go_with_the_pod_as_it_is() {
    let mut scenery = Scenery::new("endpointslice", &json!({}));
    scenery.common.remove(&label("endpointslice_port_protocol"));
    scenery.was(
        "EndpointSlice",
        "web",
        &[json!({"kind": "EndpointSlice", "ports": [{"port": 80}],
                 "endpoints": [{"targetRef": {"kind": "Pod", "name": "p"}}]})],
    );
    let port = json!([{"containerPort": 8080, "protocol": "TCP", "name": "x"}]);
    let (without, having) = (pod(&json!({}), &json!([])), pod(&json!({}), &port));
    let container = [
        ("pod_container_name", "c"),
        ("pod_container_image", "i"),
        ("pod_container_init", "false"),
        ("pod_container_port_name", "x"),
        ("pod_container_port_number", "8080"),
        ("pod_container_port_protocol", "TCP"),
    ];
    let target = [&POD[2..7], &container[..]].concat();
    scenery.was("Pod", "p", &[without.clone(), having]);
    assert!(scenery.reasons(None, Some(&target)).is_some(), "it came");
    assert!(scenery.reasons(Some(&target), None).is_none(), "we lost it");
    scenery.was("Pod", "p", &[without]);
    assert!(scenery.reasons(Some(&target), None).is_some(), "it went");
    assert!(scenery.reasons(None, Some(&target)).is_none(), "we keep it");
}

#[test]
fn a_node_is_forgiven_only_where_nothing_leads_from_it_to_the_endpoint() {
    let section = json!({"attach_metadata": {"node": true}});
    let scenery = Scenery::new("endpointslice", &section);
    let node = |zone: &str| json!({"metadata": {"name": "n", "labels": {"zone": zone}}});
    scenery.was("Node", "n", &[node("old"), node("new")]);
    let target = |zone, referenced: &[(&'static str, &'static str)]| {
        let labels = [
            ("endpointslice_endpoint_node_name", "n"),
            ("node_label_zone", zone),
        ];
        [&labels[..], referenced].concat()
    };
    let reasons = |referenced: &[(&'static str, &'static str)]| {
        let (theirs, ours) = (target("old", referenced), target("new", referenced));
        scenery.reasons(Some(&theirs), Some(&ours))
    };
    assert_eq!(
        reasons(&[]),
        Some(vec!["node-change-refreshes-addresses".to_owned()])
    );
    assert_eq!(reasons(&POD[..2]), None);
    let detached = Scenery::new("endpointslice", &json!({}));
    detached.was("Node", "n", &[node("old"), node("new")]);
    let (theirs, ours) = (target("old", &[]), target("new", &[]));
    assert_eq!(
        detached.reasons(Some(&theirs), Some(&ours)),
        None,
        "nobody asked for it"
    );
}

#[test]
fn a_namespace_is_forgiven_only_across_its_coming_and_going() {
    let scenery = Scenery::new("service", &json!({"attach_metadata": {"namespace": true}}));
    let state =
        |uid: &str, owner: &str| json!({"metadata": {"uid": uid, "labels": {"owner": owner}}});
    let reasons = |theirs, ours| {
        let labels = |owner| {
            [
                ("namespace_label_owner", owner),
                ("namespace_labelpresent_owner", "true"),
            ]
        };
        scenery.reasons(Some(&labels(theirs)), Some(&labels(ours)))
    };
    scenery.was("Namespace", "shop", &[state("1", "a"), state("1", "b")]);
    assert_eq!(reasons("a", "b"), None, "a change is noticed by everybody");
    scenery.was("Namespace", "shop", &[Value::Null, state("2", "c")]);
    assert_eq!(reasons("b", "c"), Some(vec!["namespace-events".to_owned()]));
}

#[test]
fn of_colliding_names_ours_is_the_last_and_theirs_any() {
    let scenery = Scenery::new("service", &json!({}));
    scenery.was(
        "Service",
        "web",
        &[json!({"metadata": {"labels": {"a.b": "dot", "a-b": "dash"}}})],
    );
    let reasons = |theirs, ours| {
        scenery.reasons(
            Some(&[("service_label_a_b", theirs)]),
            Some(&[("service_label_a_b", ours)]),
        )
    };
    assert_eq!(
        reasons("dash", "dot"),
        Some(vec!["colliding-names".to_owned()])
    );
    assert_eq!(reasons("dot", "dash"), None);
    assert_eq!(reasons("other", "dot"), None);
}

#[test]
fn a_node_without_address_may_be_kept_by_prometheus_and_not_by_us() {
    let scenery = Scenery::new("node", &json!({}));
    let node =
        |addresses: Value| json!({"metadata": {"name": "web"}, "status": {"addresses": addresses}});
    let some = node(json!([{"type": "Hostname", "address": "web"}]));
    scenery.was("Node", "web", &[some.clone(), node(json!([]))]);
    assert!(scenery.reasons(Some(&[]), None).is_some());
    assert!(scenery.reasons(None, Some(&[])).is_none());
    scenery.was("Node", "web", &[some]);
    assert!(scenery.reasons(Some(&[]), None).is_none());
}

#[test]
fn a_condition_of_whole_targets_is_refused_for_labels() {
    let text = "- {name: a, roles: [node], label: 'x*', condition: node-without-address}";
    assert!(Forgiveness::parse(text).is_err());
    let text = "- {name: a, roles: [node], label: target, condition: pod-changed}";
    assert!(Forgiveness::parse(text).is_err());
}

#[test]
fn what_both_sides_overlook_is_found() {
    let scenery = Scenery::new("endpointslice", &json!({"attach_metadata": {"node": true}}));
    scenery.was(
        "Pod",
        "p",
        &["old", "new"].map(|app| pod(&json!({"app": app}), &json!([]))),
    );
    let forgiveness = Forgiveness::parse("[]").unwrap();
    let overlooked = |app| {
        let target = scenery.target(&with(&[("pod_label_app", app)]));
        forgiveness.overlooked(
            "j",
            &target.discovered_labels,
            &scenery.jobs,
            &scenery.history,
        )
    };
    assert_eq!(overlooked("new"), Vec::<String>::new());
    assert_eq!(
        overlooked("old"),
        ["__meta_kubernetes_pod_label_app: \"old\", and the object says \"new\""]
    );
}
