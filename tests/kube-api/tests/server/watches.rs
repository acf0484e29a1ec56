//! Watches from a version or from the current state.

use std::time::Duration;

use periplus_kube_api::{KubeApi, Options};
use serde_json::json;

use crate::client::{Http, pod, server};

#[tokio::test]
async fn a_watch_goes_on_from_the_version_of_a_list() {
    let (api, http) = server().await;
    api.apply(pod("x", "a", "web"));
    let (_, list) = http.get("/api/v1/pods").await;
    let version = list["metadata"]["resourceVersion"].as_str().unwrap();
    api.patch(
        "v1/pods",
        "x",
        "a",
        &json!({"metadata": {"labels": {"app": "db"}}}),
    );
    let mut watch = http
        .watch(&format!(
            "/api/v1/pods?watch=true&resourceVersion={version}"
        ))
        .await;
    let object = watch.expect("MODIFIED", "a").await;
    assert_eq!(object["kind"], "Pod");
    assert_eq!(object["metadata"]["labels"]["app"], "db");
    api.apply(pod("x", "b", "web"));
    watch.expect("ADDED", "b").await;
    api.delete("v1/pods", "x", "a");
    let gone = watch.expect("DELETED", "a").await;
    assert_eq!(
        gone["metadata"]["resourceVersion"],
        api.version().to_string()
    );
}

#[tokio::test]
async fn a_watch_without_a_version_begins_with_what_there_is() {
    let (api, http) = server().await;
    api.apply(pod("x", "a", "web"));
    let mut watch = http.watch("/api/v1/pods?watch=1").await;
    watch.expect("ADDED", "a").await;
    api.apply(pod("x", "b", "web"));
    watch.expect("ADDED", "b").await;
}

#[tokio::test]
async fn what_enters_and_leaves_a_selection_is_added_and_deleted() {
    let (api, http) = server().await;
    let version = api.version();
    let path = format!("/api/v1/pods?watch=1&labelSelector=app%3Dweb&resourceVersion={version}");
    let mut watch = http.watch(&path).await;
    api.apply(pod("x", "a", "db"));
    api.apply(pod("x", "a", "web"));
    watch.expect("ADDED", "a").await;
    api.apply(pod("x", "a", "db"));
    let left = watch.expect("DELETED", "a").await;
    assert_eq!(
        left["metadata"]["labels"]["app"], "web",
        "as it last was in the selection"
    );
    assert_eq!(
        left["metadata"]["resourceVersion"],
        api.version().to_string(),
        "at the version at which it left"
    );
}

#[tokio::test]
async fn an_expired_version_is_an_error_event_or_an_error_as_asked() {
    for gone_as_status in [false, true] {
        let options = Options {
            gone_as_status,
            ..Options::default()
        };
        let api = KubeApi::start(options).await.unwrap();
        let http = Http::new(&api);
        api.apply(pod("x", "a", "web"));
        let version = api.version();
        api.compact();
        let path = format!("/api/v1/pods?watch=1&resourceVersion={version}");
        if gone_as_status {
            assert_eq!(http.get(&path).await.0.as_u16(), 410);
        } else {
            let mut watch = http.watch(&path).await;
            let (kind, status) = watch.event().await;
            assert_eq!(
                (kind.as_str(), status["code"].as_u64()),
                ("ERROR", Some(410))
            );
            assert_eq!(watch.line().await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn a_running_watch_that_is_up_to_date_survives_compaction() {
    let (api, http) = server().await;
    let mut watch = http.watch("/api/v1/pods?watch=1").await;
    api.apply(pod("x", "a", "web"));
    watch.expect("ADDED", "a").await;
    api.compact();
    api.apply(pod("x", "b", "web"));
    watch.expect("ADDED", "b").await;
}

#[tokio::test]
async fn a_version_from_the_future_is_too_large() {
    let (api, http) = server().await;
    let future = api.version() + 10;
    for path in [
        "/api/v1/pods?resourceVersion=",
        "/api/v1/pods?watch=1&resourceVersion=",
    ] {
        let (code, status) = http.get(&format!("{path}{future}")).await;
        assert_eq!(code.as_u16(), 504);
        assert_eq!(
            status["details"]["causes"][0]["reason"],
            "ResourceVersionTooLarge"
        );
    }
}

#[tokio::test]
async fn bookmarks_come_to_those_who_allow_them() {
    let options = Options {
        bookmark_interval: Duration::from_millis(20),
        ..Options::default()
    };
    let api = KubeApi::start(options).await.unwrap();
    let http = Http::new(&api);
    let mut watch = http
        .watch("/api/v1/pods?watch=1&allowWatchBookmarks=true")
        .await;
    let (kind, object) = watch.event().await;
    assert_eq!(kind, "BOOKMARK");
    assert_eq!(
        object["metadata"]["resourceVersion"],
        api.version().to_string()
    );
    assert_eq!(object["kind"], "Pod");
    let mut silent = http.watch("/api/v1/pods?watch=1").await;
    api.apply(pod("x", "a", "web"));
    silent.expect("ADDED", "a").await;
}

#[tokio::test]
async fn a_watch_ends_in_good_order_when_its_time_is_up() {
    let (api, http) = server().await;
    let mut watch = http.watch("/api/v1/pods?watch=1&timeoutSeconds=1").await;
    assert_eq!(watch.line().await.unwrap(), None);
    assert_eq!(api.open_watches("pods"), 0);
}

#[tokio::test]
async fn a_field_selector_follows_a_pod_from_node_to_node() {
    let (api, http) = server().await;
    let on = |node: &str| {
        let mut pod = pod("x", "a", "web");
        pod["spec"]["nodeName"] = node.into();
        pod
    };
    let path = format!(
        "/api/v1/pods?watch=1&resourceVersion={}&fieldSelector=spec.nodeName%3Dn2",
        api.version()
    );
    let mut watch = http.watch(&path).await;
    api.apply(on("n1"));
    api.apply(on("n2"));
    watch.expect("ADDED", "a").await;
    api.apply(on("n3"));
    let left = watch.expect("DELETED", "a").await;
    assert_eq!(left["spec"]["nodeName"], "n2");
}

#[tokio::test]
async fn a_watch_ahead_of_the_server_waits_in_silence_if_so_set() {
    let options = Options {
        silent_ahead: true,
        bookmark_interval: Duration::from_millis(5),
        ..Options::default()
    };
    let api = KubeApi::start(options).await.unwrap();
    let http = Http::new(&api);
    // The namespace and the first Pod take the two versions that the watch believes to know.
    let path = format!(
        "/api/v1/pods?watch=1&allowWatchBookmarks=true&resourceVersion={}",
        api.version() + 2
    );
    let mut watch = http.watch(&path).await;
    api.apply(pod("x", "a", "web"));
    api.apply(pod("x", "b", "web"));
    watch.expect("ADDED", "b").await;
}
