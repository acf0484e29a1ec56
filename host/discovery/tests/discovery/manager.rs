//! The behaviours of Prometheus' discovery manager, and where ours is better on purpose.

use std::sync::Arc;

use periplus_discovery::Stage;
use serde_json::json;

use crate::support::{Host, addresses, fixed, group, job, mock, served, settle};

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
    assert!(Arc::ptr_eq(
        before.groups.values().next().unwrap(),
        after.groups.values().next().unwrap()
    ));
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
    assert_eq!(addresses(&host.now("prometheus2")), ["a:1"]);
}
