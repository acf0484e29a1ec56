//! Reloads without gaps.

use std::sync::Arc;

use crate::support::{Host, addresses, config, failing, fixed, group, job, mock, sets, settle};

#[tokio::test(start_paused = true)]
async fn old_targets_stay_and_move_until_the_new_provider_has_delivered() {
    let host = Host::start();
    let mut old = job("web", vec![mock("old")]);
    old.relabel_rules = vec![sets("rules", "old")];
    host.apply(vec![old]).await;
    let old = host.mocks.updates("old").await;
    old.replace(vec![group("0", &["a:1"])]);
    host.wait_addresses("web", &["a:1"]).await;

    let mut new = job("web", vec![mock("new")]);
    new.relabel_rules = vec![sets("rules", "new")];
    host.apply(vec![new]).await;
    let new = host.mocks.updates("new").await;
    new.apply(group("0", &["x:1"]));
    new.waiting_for(Some("the rest".to_owned()));
    settle().await;
    let waiting = host.now("web");
    assert!(waiting.known);
    assert_eq!(addresses(&waiting), ["a:1"]);
    assert_eq!(waiting.missing, ["`mock/1`: waiting for the rest"]);
    assert_eq!(waiting.job.relabel_rules, [sets("rules", "old")]);

    // The old provider still runs, and its changes come through by the old rules.
    old.apply(group("0", &["b:1"]));
    let moved = host.wait_addresses("web", &["b:1"]).await;
    assert_eq!(moved.missing, ["`mock/1`: waiting for the rest"]);
    assert_eq!(label(&moved, "rules"), "old");

    let mut snapshots = host.snapshots("web");
    snapshots.mark_unchanged();
    new.replace(vec![group("0", &["x:1"]), group("1", &["y:1"])]);
    crate::support::within(snapshots.changed()).await.unwrap();
    let switched = snapshots.borrow().clone();
    assert_eq!(
        addresses(&switched),
        ["x:1", "y:1"],
        "it switches at once and as a whole"
    );
    assert_eq!(label(&switched, "rules"), "new");
    assert!(switched.missing.is_empty());
    host.wait_providers(&["mock/1"]).await;
    assert!(!host.mocks.is_running("old"));
    host.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_changed_section_of_two_holds_the_switch_and_the_other_is_not_restarted() {
    let host = Host::start();
    host.apply(vec![job("web", vec![mock("stays"), mock("old")])])
        .await;
    let stays = host.mocks.updates("stays").await;
    stays.replace(vec![group("0", &["s:1"])]);
    host.mocks
        .updates("old")
        .await
        .replace(vec![group("0", &["o:1"])]);
    host.wait_addresses("web", &["o:1", "s:1"]).await;
    host.apply(vec![job("web", vec![mock("stays"), mock("new")])])
        .await;
    stays.apply(group("0", &["s:2"]));
    host.wait_addresses("web", &["o:1", "s:2"]).await;
    host.mocks
        .updates("new")
        .await
        .replace(vec![group("0", &["n:1"])]);
    host.wait_addresses("web", &["n:1", "s:2"]).await;
    assert_eq!(host.mocks.starts("stays"), 1);
    host.wait_providers(&["mock/0", "mock/2"]).await;
}

#[tokio::test(start_paused = true)]
async fn of_several_reloads_in_a_row_the_last_one_wins() {
    let host = Host::start();
    host.apply(vec![job("web", vec![mock("one")])]).await;
    host.mocks
        .updates("one")
        .await
        .replace(vec![group("0", &["one:1"])]);
    host.wait_addresses("web", &["one:1"]).await;
    host.apply(vec![job("web", vec![mock("two")])]).await;
    let two = host.mocks.updates("two").await;
    host.apply(vec![job("web", vec![mock("three")])]).await;
    host.wait_providers(&["mock/0", "mock/2"]).await;
    // Too late: nobody waits for it any more.
    two.replace(vec![group("0", &["two:1"])]);
    settle().await;
    assert_eq!(addresses(&host.now("web")), ["one:1"]);
    host.mocks
        .updates("three")
        .await
        .replace(vec![group("0", &["three:1"])]);
    host.wait_addresses("web", &["three:1"]).await;
    host.wait_providers(&["mock/2"]).await;
}

#[tokio::test(start_paused = true)]
async fn reload_back_to_the_old_configuration_keeps_its_provider() {
    let host = Host::start();
    let old = || vec![job("web", vec![mock("old")])];
    host.apply(old()).await;
    let updates = host.mocks.updates("old").await;
    updates.replace(vec![group("0", &["a:1"])]);
    host.wait_addresses("web", &["a:1"]).await;
    host.apply(vec![job("web", vec![mock("new")])]).await;
    host.mocks.updates("new").await;
    host.apply(old()).await;
    host.wait_providers(&["mock/0"]).await;
    assert_eq!(host.mocks.starts("old"), 1);
    updates.apply(group("0", &["b:1"]));
    let snapshot = host.wait_addresses("web", &["b:1"]).await;
    assert!(snapshot.missing.is_empty());
}

#[tokio::test(start_paused = true)]
async fn changed_rules_apply_at_once_without_touching_providers() {
    let host = Host::start();
    host.apply(vec![job("web", vec![mock("m")])]).await;
    host.mocks
        .updates("m")
        .await
        .replace(vec![group("0", &["a:1"])]);
    let before = host.wait_addresses("web", &["a:1"]).await;
    let mut changed = job("web", vec![mock("m")]);
    changed.relabel_rules = vec![sets("team", "sre")];
    host.apply(vec![changed]).await;
    let after = host
        .wait("web", |snapshot| snapshot.version != before.version)
        .await;
    assert!(after.known);
    assert_eq!(label(&after, "team"), "sre");
    assert_eq!(host.mocks.starts("m"), 1);
    assert_eq!(host.provider_names(), ["mock/0"]);
}

#[tokio::test(start_paused = true)]
async fn unrelated_change_of_a_job_is_shown_without_computing_again() {
    let host = Host::start();
    host.apply(vec![job("web", vec![fixed(&[&["a:1"]])])]).await;
    let before = host.wait_addresses("web", &["a:1"]).await;
    let mut renamed = job("web", vec![fixed(&[&["a:1"]])]);
    renamed.verbatim = serde_json::json!({ "job_name": "web", "scrape_protocols": [] });
    let verbatim = renamed.verbatim.clone();
    host.apply(vec![renamed]).await;
    let after = host.now("web");
    assert_eq!(after.job.verbatim, verbatim);
    let result = |s: &periplus_discovery::Snapshot| Arc::clone(s.groups.values().next().unwrap());
    assert!(Arc::ptr_eq(&result(&before), &result(&after)));
}

#[tokio::test(start_paused = true)]
async fn section_that_cannot_be_made_leaves_a_known_job_as_it_was() {
    let host = Host::start();
    host.apply(vec![job("web", vec![mock("m")])]).await;
    let updates = host.mocks.updates("m").await;
    updates.replace(vec![group("0", &["a:1"])]);
    host.wait_addresses("web", &["a:1"]).await;
    let broken = job("web", vec![mock("m"), failing("no such role")]);
    let report = host.handle.apply(config(vec![broken])).await;
    assert_eq!(report.failed_sections.len(), 1);
    updates.apply(group("0", &["b:1"]));
    let snapshot = host.wait_addresses("web", &["b:1"]).await;
    assert!(snapshot.known);
    assert_eq!(snapshot.job.sections.len(), 1);
    assert_eq!(snapshot.missing.len(), 1);
    host.apply(vec![job("web", vec![mock("m")])]).await;
    host.wait("web", |snapshot| snapshot.missing.is_empty())
        .await;
}

/// A label of the only target, in its final stage.
fn label(snapshot: &periplus_discovery::Snapshot, name: &str) -> String {
    let served = crate::support::served(snapshot, periplus_discovery::Stage::Final);
    served[0]["labels"][name]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}
