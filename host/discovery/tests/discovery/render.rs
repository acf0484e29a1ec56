//! What a stage shows, byte by byte.

use std::sync::Arc;

use periplus_core::duration::PromDuration;
use periplus_core::{LabelSet, TargetGroup};
use periplus_discovery::{Snapshot, Stage};

use crate::support::{Host, group_with, job, mock, rule, served, sets};

async fn only(job: periplus_config::Job, groups: Vec<Arc<TargetGroup>>) -> Arc<Snapshot> {
    let host = Host::start();
    let name = job.name.clone();
    host.apply(vec![job]).await;
    host.mocks.updates("m").await.replace(groups);
    host.wait(&name, |snapshot| snapshot.known).await
}

fn bytes(snapshot: &Snapshot, stage: Stage) -> String {
    let segments = snapshot.groups.values().map(|result| result.segment(stage));
    segments
        .map(|segment| String::from_utf8(segment.to_vec()).unwrap())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn targets_are_http_sd_objects_with_sorted_labels() {
    let labels = [("__meta_x", "1"), ("quote", "a\"b\\c\n"), ("env", "größe")];
    let snapshot = only(
        job("web", vec![mock("m")]),
        vec![group_with("0", &labels, &["a:1"])],
    )
    .await;
    let discovered = concat!(
        r#"{"targets":["a:1"],"labels":{"__meta_x":"1","env":"größe","#,
        r#""quote":"a\"b\\c\n"}}"#
    );
    assert_eq!(bytes(&snapshot, Stage::Discovered), discovered);
    assert_eq!(bytes(&snapshot, Stage::Transformed), discovered);
    let last = concat!(
        r#"{"targets":["a:1"],"labels":{"__metrics_path__":"/metrics","__scheme__":"http","#,
        r#""env":"größe","instance":"a:1","job":"web","quote":"a\"b\\c\n"}}"#
    );
    assert_eq!(bytes(&snapshot, Stage::Final), last);
}

#[tokio::test(start_paused = true)]
async fn scrape_settings_are_shown_only_if_our_file_or_a_rule_sets_them() {
    let mut implied = job("implied", vec![mock("m")]);
    implied.defaults.params = vec![("module".to_owned(), vec!["http".to_owned()])];
    let mut explicit = job("explicit", vec![mock("m")]);
    explicit.explicit.scrape_interval = true;
    explicit.explicit.scrape_native_histograms = true;
    let mut ruled = job("ruled", vec![mock("m")]);
    ruled.relabel_rules = vec![
        sets("__scrape_timeout__", "5s"),
        sets("__scrape_interval__", "1m"),
    ];
    let shown = |snapshot: &Snapshot| {
        let labels = served(snapshot, Stage::Final)[0]["labels"]
            .as_object()
            .unwrap()
            .clone();
        let special = labels
            .into_iter()
            .filter(|(name, _)| name.starts_with("__"));
        let special =
            special.filter(|(name, _)| name != "__scheme__" && name != "__metrics_path__");
        special
            .map(|(n, v)| format!("{n}={}", v.as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    let groups = || vec![group_with("0", &[], &["a:1"])];
    assert_eq!(
        shown(&*only(implied, groups()).await),
        ["__param_module=http"]
    );
    assert_eq!(
        shown(&*only(explicit, groups()).await),
        [
            "__scrape_interval__=1m",
            "__scrape_native_histograms__=false"
        ]
    );
    // A rule that writes the default value says nothing that the scraper would not do.
    assert_eq!(
        shown(&*only(ruled, groups()).await),
        ["__scrape_timeout__=5s"]
    );
}

#[tokio::test(start_paused = true)]
async fn bytes_and_versions_do_not_depend_on_the_order_of_arrival() {
    let targets = ["c:1", "a:1", "b:1"];
    let forward = host_with(&targets, false).await;
    let backward = host_with(&targets, true).await;
    for stage in Stage::ALL {
        assert_eq!(bytes(&forward, stage), bytes(&backward, stage));
        assert_eq!(forward.stage_version(stage), backward.stage_version(stage));
    }
    assert_eq!(forward.version, backward.version);
}

/// One group per address, delivered one by one, forwards or backwards.
async fn host_with(addresses: &[&str], backwards: bool) -> Arc<Snapshot> {
    let host = Host::start();
    host.apply(vec![job("web", vec![mock("m")])]).await;
    let updates = host.mocks.updates("m").await;
    let mut order: Vec<_> = addresses.iter().collect();
    if backwards {
        order.reverse();
    }
    for address in order {
        updates.apply(group_with(address, &[], &[*address]));
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    updates.synced();
    host.wait("web", |snapshot| snapshot.known).await
}

#[tokio::test(start_paused = true)]
async fn stage_version_changes_exactly_when_the_stage_does() {
    let host = Host::start();
    let mut web = job("web", vec![mock("m")]);
    web.relabel_rules = vec![rule(
        serde_json::json!({"regex": "noise", "action": "labeldrop"}),
    )];
    host.apply(vec![web]).await;
    let updates = host.mocks.updates("m").await;
    updates.replace(vec![group_with("0", &[("noise", "1")], &["a:1"])]);
    let before = host.wait("web", |snapshot| snapshot.known).await;
    updates.apply(group_with("0", &[("noise", "2")], &["a:1"]));
    let after = host
        .wait("web", |snapshot| snapshot.version != before.version)
        .await;
    assert_ne!(
        before.stage_version(Stage::Discovered),
        after.stage_version(Stage::Discovered)
    );
    assert_eq!(
        before.stage_version(Stage::Final),
        after.stage_version(Stage::Final)
    );
    assert_eq!(bytes(&before, Stage::Final), bytes(&after, Stage::Final));
}

#[tokio::test(start_paused = true)]
async fn label_without_a_name_is_left_out() {
    let mut group = TargetGroup {
        source: "0".into(),
        ..TargetGroup::default()
    };
    group.targets = vec![LabelSet::from_iter([
        ("__address__", "a:1"),
        ("", "x"),
        ("ok", "y"),
    ])];
    let snapshot = only(job("web", vec![mock("m")]), vec![Arc::new(group)]).await;
    assert_eq!(
        bytes(&snapshot, Stage::Discovered),
        r#"{"targets":["a:1"],"labels":{"ok":"y"}}"#
    );
}

#[tokio::test(start_paused = true)]
async fn target_without_address_is_shown_before_relabeling_only() {
    let mut group = TargetGroup {
        source: "0".into(),
        ..TargetGroup::default()
    };
    group.targets = vec![LabelSet::from_iter([("x", "y")])];
    let snapshot = only(job("web", vec![mock("m")]), vec![Arc::new(group)]).await;
    assert_eq!(
        bytes(&snapshot, Stage::Discovered),
        r#"{"targets":[""],"labels":{"x":"y"}}"#
    );
    assert_eq!(bytes(&snapshot, Stage::Final), "");
    let mut interval = job("web", vec![mock("m")]);
    interval.defaults.scrape_interval = PromDuration::from_secs(0);
    let snapshot = only(interval, vec![group_with("0", &[], &["a:1"])]).await;
    assert_eq!(
        bytes(&snapshot, Stage::Final),
        "",
        "an invalid target is not served"
    );
}
