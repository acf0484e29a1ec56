use super::*;

#[test]
fn addresses_of_markers_are_valid_and_differ() {
    let all: BTreeSet<String> = (1..2_000).map(address).collect();
    assert_eq!(all.len(), 1_999);
    assert!(all.iter().all(|a| a.parse::<std::net::Ipv4Addr>().is_ok()));
    let six = address_like("fd00::1", 300);
    assert!(six.parse::<std::net::Ipv6Addr>().is_ok(), "{six}");
}

#[test]
fn a_marker_is_seen_only_with_the_labels_of_its_companions() {
    let object = ObjectName::named("Pod", "n", "periplus-marker-1");
    let proof = |on_direct| Proof {
        label: format!("{META}node_label_{KEY_IN_LABELS}"),
        value: "1".to_owned(),
        on_direct,
    };
    let mut marker = Marker {
        job: "j".to_owned(),
        object: Some(object),
        companions: Vec::new(),
        proofs: vec![proof(false)],
        role: "pod".to_owned(),
    };
    let mut target = Active {
        scrape_pool: "j".to_owned(),
        ..Active::default()
    };
    for (name, value) in [("namespace", "n"), ("pod_name", "periplus-marker-1")] {
        target
            .discovered_labels
            .insert(format!("{META}{name}"), value.to_owned());
    }
    let targets = |target: &Active| Targets {
        active_targets: vec![target.clone()],
        dropped_targets: Vec::new(),
    };
    assert_eq!(marker.sight(&targets(&target), Side::Direct), Sight::Active);
    assert_eq!(
        marker.sight(&targets(&target), Side::Discovered),
        Sight::Unseen
    );
    marker.proofs = vec![proof(true)];
    assert_eq!(marker.sight(&targets(&target), Side::Direct), Sight::Unseen);
    let label = proof(true).label;
    target.discovered_labels.insert(label, "1".to_owned());
    assert_eq!(marker.sight(&targets(&target), Side::Direct), Sight::Active);
}
