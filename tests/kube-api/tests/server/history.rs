//! A server that comes back with less than it had.

use std::time::Duration;

use periplus_kube_api::{KubeApi, Options};
use serde_json::Value;

use crate::client::{Http, names, pod};

async fn high() -> (KubeApi, Http) {
    let options = Options {
        first_version: 10_000,
        ..Options::default()
    };
    let api = KubeApi::start(options).await.unwrap();
    let http = Http::new(&api);
    (api, http)
}

#[tokio::test]
async fn lost_history_means_lower_versions_and_the_objects_of_then() {
    let (mut api, http) = high().await;
    api.apply(pod("x", "a", "web"));
    let backup = api.backup();
    api.apply(pod("x", "b", "web"));
    let (_, before) = http.get("/api/v1/pods").await;
    let version = api.version();
    let mut watch = http.watch("/api/v1/pods?watch=1").await;
    watch.expect("ADDED", "a").await;
    watch.expect("ADDED", "b").await;

    api.lose_history(5_000, backup).await.unwrap();
    assert!(watch.line().await.is_err(), "a restart cuts all watches");
    assert!(api.version() < 6_000);
    let (_, after) = http.get("/api/v1/pods").await;
    assert_eq!(names(&after), ["a"]);
    assert_eq!(
        before["items"][0]["metadata"]["uid"],
        after["items"][0]["metadata"]["uid"]
    );
    // Neither the versions of before nor those of the restore can be gone on from.
    let path = "/api/v1/pods?watch=1&resourceVersion=";
    assert_eq!(http.get(&format!("{path}{version}")).await.0.as_u16(), 504);
    let (kind, status) = http.watch(&format!("{path}5000")).await.event().await;
    assert_eq!(
        (kind.as_str(), status["code"].as_u64()),
        ("ERROR", Some(410))
    );
    // From the list on, all is as ever.
    let listed = after["metadata"]["resourceVersion"].as_str().unwrap();
    let mut watch = http.watch(&format!("{path}{listed}")).await;
    api.apply(pod("x", "c", "web"));
    watch.expect("ADDED", "c").await;
}

#[tokio::test]
async fn objects_can_come_back_under_new_uids() {
    let (mut api, _http) = high().await;
    api.apply(pod("x", "a", "web"));
    let uid = |api: &KubeApi| api.get("v1/pods", "x", "a").unwrap()["metadata"]["uid"].clone();
    let first = uid(&api);
    let mut backup = api.backup();
    for object in &mut backup {
        object["metadata"].as_object_mut().unwrap().remove("uid");
    }
    api.lose_history(100, backup).await.unwrap();
    assert_ne!(uid(&api), first);
    assert_ne!(uid(&api), Value::Null);
}

#[tokio::test]
async fn half_open_connections_outlive_a_restart() {
    let (mut api, http) = high().await;
    let mut watch = http.watch("/api/v1/pods?watch=1").await;
    assert_eq!(api.freeze_connections(), 1);
    api.lose_history(100, Vec::new()).await.unwrap();
    api.apply(pod("x", "a", "web"));
    let fresh = Http::new(&api);
    assert_eq!(names(&fresh.get("/api/v1/pods").await.1), ["a"]);
    let silence = tokio::time::timeout(Duration::from_millis(50), watch.line()).await;
    assert!(silence.is_err(), "neither an event nor an end");
    drop(api);
    assert!(watch.line().await.is_err());
}
