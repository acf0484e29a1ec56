use super::*;

fn begin(
    count: usize,
) -> (
    Arc<Progress>,
    Vec<WatchReport>,
    periplus_discovery::UpdatesProbe,
) {
    let (updates, probe) = Updates::testing();
    let progress = Progress::new(updates);
    let watches = (0..count)
        .map(|at| progress.watch(format!("list of `pods` in `ns{at}`")))
        .collect();
    progress.all_named();
    (progress, watches, probe)
}

#[test]
fn readiness_names_what_is_missing_and_why() {
    let (_progress, watches, probe) = begin(2);
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
    watches[1].success();
    watches[1].synced();
    let status = probe.status();
    assert!(status.synced && status.waiting_for.is_none() && status.last_error.is_none());
}

#[test]
fn the_success_of_one_watch_does_not_hide_the_failure_of_another() {
    let (_progress, watches, probe) = begin(2);
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
    let (_progress, _watches, probe) = begin(7);
    let waiting = probe.status().waiting_for.unwrap();
    assert!(waiting.ends_with("`ns2`; and 4 more"), "{waiting}");
}

#[test]
fn what_fails_is_waited_for_until_told_otherwise() {
    let (progress, watches, probe) = begin(3);
    watches[0].problem("unreachable".to_owned());
    watches[1].synced();
    watches[2].success();
    progress.go_on_without_failing();
    assert!(!probe.status().synced, "one is being read");
    watches[2].synced();
    let status = probe.status();
    assert!(status.synced);
    assert!(status.last_error.is_some(), "and what fails is still said");
}

#[test]
fn who_never_answers_is_not_waited_for_either() {
    let (progress, watches, probe) = begin(2);
    watches[1].synced();
    assert!(!probe.status().synced);
    progress.go_on_without_failing();
    assert!(probe.status().synced);
}

#[test]
fn what_has_come_is_not_named_though_it_waits_for_others() {
    let (_progress, watches, probe) = begin(2);
    watches[0].arrived();
    let status = probe.status();
    assert!(!status.synced);
    assert_eq!(
        status.waiting_for.as_deref(),
        Some("list of `pods` in `ns1`")
    );
}

#[test]
fn if_everything_fails_nothing_is_known() {
    let (progress, watches, probe) = begin(1);
    watches[0].problem("unreachable".to_owned());
    progress.go_on_without_failing();
    assert!(!probe.status().synced);
}

#[test]
fn a_watch_that_is_no_longer_needed_is_not_waited_for() {
    let (_progress, mut watches, probe) = begin(2);
    watches[0].synced();
    drop(watches.pop());
    assert!(probe.status().synced);
}
