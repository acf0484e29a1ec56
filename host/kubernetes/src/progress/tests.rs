use super::*;

fn begin(count: usize) -> (Vec<WatchReport>, periplus_discovery::UpdatesProbe) {
    let (updates, probe) = Updates::testing();
    let whats = (0..count)
        .map(|at| format!("list of `pods` in `ns{at}`"))
        .collect();
    (Progress::begin(updates, whats), probe)
}

#[test]
fn readiness_names_what_is_missing_and_why() {
    let (watches, probe) = begin(2);
    assert_eq!(
        probe.status().waiting_for.as_deref(),
        Some("list of `pods` in `ns0`; list of `pods` in `ns1`")
    );
    watches[0].synced();
    watches[1].problem("403 Forbidden".to_owned());
    let status = probe.status();
    assert!(!status.synced);
    assert_eq!(
        status.waiting_for.as_deref(),
        Some("list of `pods` in `ns1`: 403 Forbidden")
    );
    assert_eq!(
        status.last_error.unwrap().1,
        "list of `pods` in `ns1`: 403 Forbidden"
    );
    watches[1].synced();
    let status = probe.status();
    assert!(status.synced && status.waiting_for.is_none() && status.last_error.is_none());
}

#[test]
fn the_success_of_one_watch_does_not_hide_the_failure_of_another() {
    let (watches, probe) = begin(2);
    watches[0].synced();
    watches[1].synced();
    watches[1].problem("gone".to_owned());
    watches[0].success();
    assert!(probe.status().last_error.is_some());
    watches[1].success();
    assert!(probe.status().last_error.is_none());
    assert!(probe.status().last_success.is_some());
}

#[test]
fn many_are_counted_and_not_named() {
    let (_watches, probe) = begin(7);
    let waiting = probe.status().waiting_for.unwrap();
    assert!(waiting.ends_with("`ns2`; and 4 more"), "{waiting}");
}
