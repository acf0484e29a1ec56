use super::*;
use crate::prometheus::{Active, Dropped};

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn target(pod: &str, address: &str, extra: &[(&str, &str)]) -> Active {
    let mut discovered = labels(&[
        ("__address__", address),
        ("__meta_kubernetes_pod_name", pod),
    ]);
    discovered.extend(labels(extra));
    Active {
        scrape_pool: "j".into(),
        discovered_labels: discovered,
        labels: labels(&[("instance", address)]),
        scrape_url: format!("http://{address}/metrics"),
        scrape_interval: "1m".into(),
        scrape_timeout: "10s".into(),
    }
}

fn targets(active: Vec<Active>, dropped: Vec<Dropped>) -> Targets {
    Targets {
        active_targets: active,
        dropped_targets: dropped,
    }
}

fn differences(direct: &Targets, other: &Targets, side: Side) -> String {
    Differences::between(direct, other, side, &|_, _| None).to_string()
}

#[test]
fn equal_sides_agree_in_whatever_order() {
    let (a, b) = (target("a", "1:1", &[]), target("b", "2:2", &[]));
    let left = targets(vec![a.clone(), b.clone()], vec![]);
    let right = targets(vec![b, a], vec![]);
    assert_eq!(differences(&left, &right, Side::Discovered), "");
}

#[test]
fn each_differing_label_is_named_with_both_values() {
    let left = targets(
        vec![target("a", "1:1", &[("__meta_x", "1"), ("__meta_y", "1")])],
        vec![],
    );
    let right = targets(vec![target("a", "1:1", &[("__meta_x", "2")])], vec![]);
    let text = differences(&left, &right, Side::Discovered);
    assert!(text.contains("target `a 1:1`"), "{text}");
    assert!(
        text.contains("label __meta_x: \"1\" on direct, \"2\" on discovered"),
        "{text}"
    );
    assert!(
        text.contains("label __meta_y: \"1\" on direct, absent on discovered"),
        "{text}"
    );
}

#[test]
fn one_copy_too_many_is_a_difference() {
    let a = Dropped {
        scrape_pool: "j".into(),
        discovered_labels: labels(&[("x", "1")]),
    };
    let left = targets(vec![], vec![a.clone()]);
    let right = targets(vec![], vec![a.clone(), a]);
    assert!(!differences(&left, &right, Side::Discovered).is_empty());
}

#[test]
fn a_target_dropped_on_one_side_alone_is_a_difference() {
    let active = target("a", "1:1", &[]);
    let dropped = Dropped {
        scrape_pool: "j".into(),
        discovered_labels: active.discovered_labels.clone(),
    };
    let left = targets(vec![active], vec![]);
    let right = targets(vec![], vec![dropped]);
    let text = differences(&left, &right, Side::Discovered);
    assert!(
        text.contains("active on direct, dropped on discovered"),
        "{text}"
    );
}

#[test]
fn the_final_side_is_compared_without_discovered_labels_and_dropped_targets() {
    let dropped = Dropped {
        scrape_pool: "j".into(),
        discovered_labels: Labels::new(),
    };
    let left = targets(
        vec![target("a", "1:1", &[("__meta_x", "1")])],
        vec![dropped],
    );
    let right = targets(vec![target("z", "1:1", &[])], vec![]);
    assert_eq!(differences(&left, &right, Side::Final), "");
    let mut other = target("a", "1:1", &[]);
    other.scrape_timeout = "9s".into();
    let text = differences(&left, &targets(vec![other], vec![]), Side::Final);
    assert!(
        text.contains("scrape timeout: \"10s\" on direct, \"9s\" on final"),
        "{text}"
    );
}

#[test]
fn of_twins_each_side_may_show_another_but_only_of_twins() {
    let (mut a, mut b) = (target("a", "1:1", &[]), target("b", "2:2", &[]));
    for twin in [&mut a, &mut b] {
        twin.labels = labels(&[("instance", "same")]);
        twin.scrape_url = "http://same/".into();
    }
    let stale = labels(&[
        ("__address__", "1:1"),
        ("__meta_kubernetes_pod_name", "new"),
    ]);
    let (left, right) = (targets(vec![a], vec![]), targets(vec![b], vec![]));
    let between = |twin: &dyn Fn(&str, &Labels) -> Option<Labels>| {
        Differences::between(&left, &right, Side::Discovered, twin).to_string()
    };
    assert_eq!(between(&|_, labels| Some(labels.clone())), "");
    assert!(between(&|_, _| None).contains("on direct, not on discovered"));
    let text = between(&|_, _| Some(stale.clone()));
    assert!(
        text.contains("pod_name: \"a\" on direct, \"new\" on discovered"),
        "{text}"
    );
}

#[test]
fn what_is_forgiven_stands_as_the_other_side_has_it() {
    let (old, new) = (
        target("a", "1:1", &[("__meta_x", "1")]),
        target("a", "1:1", &[("__meta_x", "2")]),
    );
    let gone = target("gone", "2:2", &[]);
    let left = targets(vec![old, gone], vec![]);
    let right = targets(vec![new.clone()], vec![]);
    let mut found = Differences::between(&left, &right, Side::Discovered, &|_, _| None);
    found.forgive(&|difference| Some(vec![format!("{:?}", difference.differing())]));
    assert!(found.is_empty());
    assert_eq!(found.corrected(&left, &right).active_targets, [new]);
    let names: Vec<&[String]> = found.forgiven().map(|(_, names)| names).collect();
    assert_eq!(names, [["[\"__meta_x\"]"], ["[]"]]);
}

#[test]
fn twins_may_be_two_ports_of_one_place() {
    let (mut tcp, mut udp) = (
        target("a", "1:53", &[("__meta_p", "TCP")]),
        target("a", "1:53", &[("__meta_p", "UDP")]),
    );
    for twin in [&mut tcp, &mut udp] {
        twin.labels = labels(&[("instance", "same")]);
    }
    let (left, right) = (targets(vec![tcp], vec![]), targets(vec![udp], vec![]));
    let both = |_: &str, labels: &Labels| Some(labels.clone());
    assert!(Differences::between(&left, &right, Side::Discovered, &both).is_empty());
}
