//! The behaviours of Prometheus' discovery manager, and where ours is better on purpose.

use std::sync::Arc;
use std::time::Duration;

use periplus_discovery::{Manager, ManagerOptions, ProviderState, Stage};
use serde_json::json;

use crate::support::{
    Host, addresses, config, failing, fixed, group, job, mock, served, settle, within,
};

#[tokio::test(start_paused = true)]
async fn static_targets_are_served_at_every_stage() {
    let host = Host::start();
    host.apply(vec![job("web", vec![fixed(&[&["b:1", "a:1"]])])])
        .await;
    let snapshot = host.wait("web", |snapshot| snapshot.known).await;
    assert_eq!(
        served(&snapshot, Stage::Discovered),
        json!([{"targets": ["a:1"], "labels": {}}, {"targets": ["b:1"], "labels": {}}])
    );
    assert_eq!(
        served(&snapshot, Stage::Transformed),
        served(&snapshot, Stage::Discovered)
    );
    assert_eq!(
        served(&snapshot, Stage::Final)[0],
        json!({"targets": ["a:1"], "labels": {
            "__metrics_path__": "/metrics", "__scheme__": "http",
            "instance": "a:1", "job": "web",
        }})
    );
    host.stop().await;
}

#[tokio::test(start_paused = true)]
async fn same_configuration_again_changes_nothing() {
    let host = Host::start();
    let jobs = || vec![job("web", vec![fixed(&[&["a:1"]])])];
    host.apply(jobs()).await;
    let before = host.wait_addresses("web", &["a:1"]).await;
    host.apply(jobs()).await;
    settle().await;
    let after = host.now("web");
    let result = |s: &periplus_discovery::Snapshot| Arc::clone(s.groups.values().next().unwrap());
    assert!(
        Arc::ptr_eq(&result(&before), &result(&after)),
        "the group was computed again"
    );
    assert_eq!(host.provider_names(), ["static/0"]);
}

#[tokio::test(start_paused = true)]
async fn renamed_job_has_its_targets_at_once_from_the_same_provider() {
    let host = Host::start();
    host.apply(vec![job("prometheus", vec![mock("m")])]).await;
    host.mocks
        .updates("m")
        .await
        .replace(vec![group("0", &["a:1"])]);
    host.wait_addresses("prometheus", &["a:1"]).await;
    host.apply(vec![job("prometheus2", vec![mock("m")])]).await;
    host.wait_addresses("prometheus2", &["a:1"]).await;
    assert_eq!(host.provider_names(), ["mock/0"]);
    assert_eq!(host.mocks.starts("m"), 1);
    let directory = host.handle.directory().borrow().clone();
    assert_eq!(directory.jobs.keys().collect::<Vec<_>>(), ["prometheus2"]);
    assert_eq!(directory.removed.keys().collect::<Vec<_>>(), ["prometheus"]);
}

#[tokio::test(start_paused = true)]
async fn duplicated_job_shares_the_provider_and_outlives_the_original() {
    let host = Host::start();
    host.apply(vec![job("one", vec![mock("m")])]).await;
    let updates = host.mocks.updates("m").await;
    updates.replace(vec![group("0", &["a:1"])]);
    host.wait_addresses("one", &["a:1"]).await;
    host.apply(vec![
        job("one", vec![mock("m")]),
        job("two", vec![mock("m")]),
    ])
    .await;
    host.wait_addresses("two", &["a:1"]).await;
    assert_eq!(host.handle.providers()[0].jobs, ["one", "two"]);
    host.apply(vec![job("two", vec![mock("m")])]).await;
    updates.apply(group("0", &["b:1"]));
    host.wait_addresses("two", &["b:1"]).await;
    assert_eq!(host.handle.providers()[0].jobs, ["two"]);
    assert_eq!(host.provider_names(), ["mock/0"]);
}

#[tokio::test(start_paused = true)]
async fn job_that_comes_back_is_not_listed_as_removed() {
    let host = Host::start();
    let jobs = || vec![job("web", vec![fixed(&[&["a:1"]])])];
    host.apply(jobs()).await;
    host.apply(Vec::new()).await;
    assert!(host.handle.directory().borrow().removed.contains_key("web"));
    host.apply(jobs()).await;
    assert!(host.handle.directory().borrow().removed.is_empty());
    host.wait_addresses("web", &["a:1"]).await;
}

#[tokio::test(start_paused = true)]
async fn new_job_with_a_blocked_provider_is_not_known_instead_of_empty() {
    let host = Host::start();
    let old = || job("old", vec![fixed(&[&["a:1"]])]);
    host.apply(vec![old()]).await;
    host.wait_addresses("old", &["a:1"]).await;
    host.apply(vec![old(), job("new", vec![mock("m")])]).await;
    let updates = host.mocks.updates("m").await;
    updates.waiting_for(Some("list of `pods`".to_owned()));
    // Groups may arrive before the first complete state: still nothing is known.
    updates.apply(group("0", &["b:1"]));
    settle().await;
    let snapshot = host.now("new");
    assert!(!snapshot.known);
    assert!(snapshot.groups.is_empty());
    assert_eq!(snapshot.missing, ["`mock/1`: waiting for list of `pods`"]);
    assert_eq!(addresses(&host.now("old")), ["a:1"]);
    updates.synced();
    host.wait_addresses("new", &["b:1"]).await;
    host.apply(vec![old()]).await;
    assert_eq!(host.handle.directory().borrow().jobs.len(), 1);
    host.wait_providers(&["static/0"]).await;
    assert_eq!(addresses(&host.now("old")), ["a:1"]);
}

#[tokio::test(start_paused = true)]
async fn changed_section_gets_a_provider_of_a_new_number() {
    let host = Host::start();
    host.apply(vec![job("web", vec![fixed(&[&["foo:9090", "bar:9090"]])])])
        .await;
    host.wait_addresses("web", &["bar:9090", "foo:9090"]).await;
    host.apply(vec![job("web", vec![fixed(&[&["foo:9090"]])])])
        .await;
    let snapshot = host.wait_addresses("web", &["foo:9090"]).await;
    assert_eq!(snapshot.groups.len(), 1);
    host.wait_providers(&["static/1"]).await;
}

#[tokio::test(start_paused = true)]
async fn sections_of_a_job_have_a_provider_each_and_their_groups_are_joined() {
    let host = Host::start();
    host.apply(vec![job(
        "web",
        vec![mock("m"), fixed(&[&["a:1"], &["b:1"]])],
    )])
    .await;
    host.mocks
        .updates("m")
        .await
        .replace(vec![group("0", &["c:1"])]);
    let snapshot = host.wait_addresses("web", &["a:1", "b:1", "c:1"]).await;
    // Both providers have a source `0`.
    assert_eq!(snapshot.groups.len(), 3);
    assert_eq!(host.provider_names(), ["mock/0", "static/1"]);
}

#[tokio::test(start_paused = true)]
async fn job_that_loses_its_targets_becomes_an_empty_list() {
    let host = Host::start();
    host.apply(vec![job("web", vec![fixed(&[&["a:1"]])])]).await;
    host.wait_addresses("web", &["a:1"]).await;
    host.apply(vec![job("web", vec![fixed(&[])])]).await;
    host.wait_addresses("web", &[]).await;
    host.wait_providers(&["static/1"]).await;
    host.apply(vec![job("web", Vec::new())]).await;
    host.wait_providers(&[]).await;
    let snapshot = host.now("web");
    assert!(snapshot.known && snapshot.groups.is_empty());
}

#[tokio::test(start_paused = true)]
async fn job_without_sections_is_known_and_empty_when_apply_returns() {
    let host = Host::start();
    host.apply(vec![job("none", Vec::new())]).await;
    assert!(host.now("none").known);
}

#[tokio::test(start_paused = true)]
async fn identical_sections_are_one_provider() {
    let host = Host::start();
    // Twice in one job, and once more in another.
    host.apply(vec![
        job("one", vec![mock("m"), mock("m")]),
        job("two", vec![mock("m")]),
    ])
    .await;
    host.mocks
        .updates("m")
        .await
        .replace(vec![group("0", &["a:1"])]);
    let one = host.wait_addresses("one", &["a:1"]).await;
    host.wait_addresses("two", &["a:1"]).await;
    assert_eq!(one.groups.len(), 1);
    assert_eq!(host.provider_names(), ["mock/0"]);
    assert_eq!(host.mocks.starts("m"), 1);
}

#[tokio::test(start_paused = true)]
async fn sections_that_cannot_be_made_are_reported_and_tried_again() {
    let host = Host::start();
    let broken = vec![failing("first"), mock("m"), failing("second")];
    let jobs = || {
        config(vec![
            job("web", broken.clone()),
            job("other", vec![fixed(&[&["a:1"]])]),
        ])
    };
    let expected = [
        (
            "scrape_configs[0].mock_sd_configs[first]".to_owned(),
            "first".to_owned(),
        ),
        (
            "scrape_configs[0].mock_sd_configs[second]".to_owned(),
            "second".to_owned(),
        ),
    ];
    let report = host.handle.apply(jobs()).await;
    assert_eq!(report.failed_sections, expected);
    // The same file again: an unchanged job is left alone, but not this one.
    let report = host.handle.apply(jobs()).await;
    assert_eq!(report.failed_sections, expected);
    host.wait_addresses("other", &["a:1"]).await;
    host.mocks
        .updates("m")
        .await
        .replace(vec![group("0", &["b:1"])]);
    settle().await;
    let snapshot = host.now("web");
    assert!(!snapshot.known, "a section is missing");
    assert_eq!(
        snapshot.missing,
        [
            "`scrape_configs[0].mock_sd_configs[first]`: first",
            "`scrape_configs[0].mock_sd_configs[second]`: second",
        ]
    );
    host.apply(vec![job("web", vec![mock("m")])]).await;
    host.wait_addresses("web", &["b:1"]).await;
}

#[tokio::test(start_paused = true)]
async fn mechanism_that_nobody_serves_leaves_the_job_unknown() {
    let host = Host::start();
    let mut section = mock("consul");
    section.mechanism = "consul".to_owned();
    section.kind = periplus_config::SectionKind::Missing;
    let report = host
        .handle
        .apply(config(vec![job("web", vec![section])]))
        .await;
    assert_eq!(
        report.failed_sections[0].1,
        "no plugin serves the mechanism `consul`"
    );
    settle().await;
    assert!(!host.now("web").known);
}

#[tokio::test(start_paused = true)]
async fn provider_that_ends_by_itself_keeps_its_targets() {
    let host = Host::start();
    host.apply(vec![job("web", vec![mock("once"), mock("m")])])
        .await;
    host.mocks
        .updates("once")
        .await
        .replace(vec![group("0", &["a:1"])]);
    host.mocks.leave("once");
    let updates = host.mocks.updates("m").await;
    updates.replace(Vec::new());
    host.wait_addresses("web", &["a:1"]).await;
    updates.apply(group("1", &["b:1"]));
    host.wait_addresses("web", &["a:1", "b:1"]).await;
    let states: Vec<_> = host
        .handle
        .providers()
        .iter()
        .map(|status| status.state)
        .collect();
    assert_eq!(states, [ProviderState::Stopped, ProviderState::Ready]);
}

#[tokio::test(start_paused = true)]
async fn provider_that_panics_keeps_its_targets_and_says_so() {
    struct Panics;
    #[async_trait::async_trait]
    impl periplus_discovery::Discoverer for Panics {
        async fn run(
            self: Box<Self>,
            updates: periplus_discovery::Updates,
            _stop: tokio_util::sync::CancellationToken,
        ) {
            updates.replace(vec![group("0", &["a:1"])]);
            panic!("a mistake of the provider");
        }
    }
    struct Only;
    impl periplus_discovery::Mechanisms for Only {
        fn discoverer(
            &self,
            _section: &periplus_config::Section,
            _name: &str,
        ) -> Result<Box<dyn periplus_discovery::Discoverer>, String> {
            Ok(Box::new(Panics))
        }
        fn transformer(
            &self,
            _config: &periplus_config::TransformerConfig,
        ) -> Result<Arc<dyn periplus_discovery::Transformer>, String> {
            Err("none".to_owned())
        }
    }
    let (manager, handle) = Manager::new(Arc::new(Only), ManagerOptions::default());
    tokio::spawn(manager.run(tokio_util::sync::CancellationToken::new()));
    handle
        .apply(config(vec![job("web", vec![mock("m")])]))
        .await;
    let mut snapshots = handle.directory().borrow().jobs["web"].snapshots.clone();
    within(snapshots.wait_for(|snapshot| addresses(snapshot) == ["a:1"]))
        .await
        .unwrap();
    settle().await;
    let status = &handle.providers()[0];
    assert_eq!(status.state, ProviderState::Stopped);
    assert_eq!(
        status.last_error.as_ref().unwrap().1,
        "the provider panicked"
    );
    assert!(snapshots.borrow().known);
}

#[tokio::test(start_paused = true)]
async fn failing_source_keeps_its_targets_and_says_why() {
    let host = Host::start();
    host.apply(vec![job("web", vec![mock("m")])]).await;
    let updates = host.mocks.updates("m").await;
    updates.replace(vec![group("0", &["a:1", "b:1"])]);
    updates.success();
    host.wait_addresses("web", &["a:1", "b:1"]).await;
    updates.failure("connection refused");
    settle().await;
    assert_eq!(addresses(&host.now("web")), ["a:1", "b:1"]);
    let status = &host.handle.providers()[0];
    assert_eq!(status.state, ProviderState::Failing);
    assert_eq!(status.last_error.as_ref().unwrap().1, "connection refused");
    assert_eq!((status.groups, status.targets), (1, 2));
    assert!(status.last_success.is_some() && status.synced);
    updates.success();
    assert_eq!(host.handle.providers()[0].state, ProviderState::Ready);
}

#[tokio::test(start_paused = true)]
async fn slow_reader_sees_the_last_state_of_every_group() {
    let host = Host::start();
    host.apply(vec![job("web", vec![mock("m")])]).await;
    let updates = host.mocks.updates("m").await;
    updates.replace(Vec::new());
    let mut snapshots = host.snapshots("web");
    for round in 0..100 {
        for source in 0..10 {
            let address = format!("{source}.{round}:1");
            updates.apply(group(&source.to_string(), &[&address]));
        }
        if round % 7 == 0 {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }
    let expected: Vec<String> = (0..10).map(|source| format!("{source}.99:1")).collect();
    within(snapshots.wait_for(|snapshot| addresses(snapshot) == expected))
        .await
        .unwrap();
}

#[tokio::test]
async fn updates_and_reloads_at_once_neither_block_nor_lose() {
    let host = Host::start();
    let jobs = |n: usize| {
        let mut web = job("web", vec![mock("m")]);
        web.defaults.metrics_path = format!("/{n}");
        vec![web]
    };
    host.apply(jobs(0)).await;
    let updates = host.mocks.updates("m").await;
    updates.synced();
    let writer = tokio::spawn(async move {
        for n in 0..1000 {
            updates.apply(group(&(n % 10).to_string(), &[&format!("{n}:1")]));
            tokio::task::yield_now().await;
        }
    });
    for n in 1..=1000 {
        host.apply(jobs(n)).await;
    }
    within(writer).await.unwrap();
    let expected: Vec<String> = (990..1000).map(|n| format!("{n}:1")).collect();
    let path = |snapshot: &Arc<periplus_discovery::Snapshot>| {
        snapshot.job.defaults.metrics_path == "/1000" && addresses(snapshot) == expected
    };
    host.wait("web", path).await;
    assert_eq!(host.mocks.starts("m"), 1);
    host.stop().await;
}

#[tokio::test(start_paused = true)]
async fn shutdown_during_a_reload_ends_everything() {
    let host = Host::start();
    host.apply(vec![job("web", vec![mock("a"), mock("b")])])
        .await;
    host.mocks
        .updates("a")
        .await
        .replace(vec![group("0", &["a:1"])]);
    let handle = host.handle.clone();
    let mocks = Arc::clone(&host.mocks);
    let reload = tokio::spawn(async move {
        handle
            .apply(config(vec![job("web", vec![mock("c")])]))
            .await;
    });
    host.stop().await;
    within(reload).await.unwrap();
    for id in ["a", "b", "c"] {
        assert!(!mocks.is_running(id), "`{id}` was not ended");
    }
}
