//! Watches that ask for the current state first.

use std::io::Read;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use periplus_kube_api::{Fault, InitialFault, KubeApi, Options, Rule, Verb, WatchList};
use serde_json::Value;

use crate::client::{Http, PATIENCE, Watch, pod, server};

const PATH: &str = "/api/v1/pods?watch=true&sendInitialEvents=true\
                    &resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";

/// Names up to the bookmark that ends the initial events, and that bookmark.
async fn initial(watch: &mut Watch) -> (Vec<String>, Value) {
    let mut names = Vec::new();
    loop {
        let (kind, object) = watch.event().await;
        if kind == "BOOKMARK" {
            assert_eq!(
                object["metadata"]["annotations"]["k8s.io/initial-events-end"],
                "true"
            );
            return (names, object);
        }
        assert_eq!(kind, "ADDED");
        names.push(object["metadata"]["name"].as_str().unwrap().to_owned());
    }
}

async fn filled(names: &[&str]) -> (KubeApi, Http) {
    let (api, http) = server().await;
    for name in names {
        api.apply(pod("x", name, "web"));
    }
    (api, http)
}

#[tokio::test]
async fn the_state_comes_first_then_its_bookmark_then_changes() {
    let (api, http) = filled(&["b", "a"]).await;
    let mut watch = http.watch(PATH).await;
    let (names, bookmark) = initial(&mut watch).await;
    assert_eq!(names, ["a", "b"]);
    assert_eq!(bookmark["kind"], "Pod");
    assert_eq!(
        bookmark["metadata"]["resourceVersion"],
        api.version().to_string()
    );
    api.apply(pod("x", "c", "web"));
    watch.expect("ADDED", "c").await;
    api.delete("v1/pods", "x", "a");
    watch.expect("DELETED", "a").await;
}

#[tokio::test]
async fn an_expired_version_still_gets_the_state() {
    let (api, http) = filled(&["a"]).await;
    let version = api.version();
    api.compact();
    let path = format!("{PATH}&resourceVersion={version}");
    let (names, _) = initial(&mut http.watch(&path).await).await;
    assert_eq!(names, ["a"]);
}

#[tokio::test]
async fn a_version_from_the_future_is_an_error_event() {
    let (api, http) = filled(&["a"]).await;
    let path = format!("{PATH}&resourceVersion={}", api.version() + 1);
    let (kind, status) = http.watch(&path).await.event().await;
    assert_eq!(kind, "ERROR");
    assert_eq!(status["code"], 504);
    assert_eq!(
        status["details"]["causes"][0]["reason"],
        "ResourceVersionTooLarge"
    );
}

#[tokio::test]
async fn selections_and_no_bookmarks_hold_for_initial_events() {
    let (api, http) = filled(&["a"]).await;
    api.apply(pod("x", "b", "db"));
    let path = format!("{PATH}&labelSelector=app%3Ddb");
    let (names, _) = initial(&mut http.watch(&path).await).await;
    assert_eq!(names, ["b"]);
    let silent = PATH.replace("&allowWatchBookmarks=true", "");
    let mut watch = http.watch(&silent).await;
    watch.expect("ADDED", "a").await;
    watch.expect("ADDED", "b").await;
    api.apply(pod("x", "c", "db"));
    watch.expect("ADDED", "c").await;
}

#[tokio::test]
async fn without_initial_events_a_watch_begins_with_the_next_change() {
    let (api, http) = filled(&["a"]).await;
    let mut watch = http.watch(&PATH.replace("=true&res", "=false&res")).await;
    api.apply(pod("x", "b", "web"));
    watch.expect("ADDED", "b").await;
}

#[tokio::test]
async fn servers_with_the_feature_off_refuse_and_older_ones_ignore_it() {
    let (api, http) = filled(&["a"]).await;
    api.set_watch_list(WatchList::Refused);
    let (code, status) = http.get(PATH).await;
    assert_eq!(
        (code.as_u16(), status["reason"].as_str()),
        (422, Some("Invalid"))
    );
    assert_eq!(
        status["message"],
        "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents \
         is forbidden for watch unless the WatchList feature gate is enabled"
    );
    api.set_watch_list(WatchList::Ignored);
    let mut watch = http
        .watch(&format!("{PATH}&resourceVersion={}", api.version()))
        .await;
    api.apply(pod("x", "b", "web"));
    watch.expect("ADDED", "b").await;
    api.set_watch_list(WatchList::On);
    let (names, _) = initial(&mut http.watch(PATH).await).await;
    assert_eq!(names, ["a", "b"]);
}

#[tokio::test]
async fn servers_behind_one_address_may_disagree() {
    let (api, http) = filled(&["a"]).await;
    let other = Fault::WatchList(WatchList::Refused);
    api.faults()
        .add(Rule::new(other).initial_events(true).times(1));
    assert_eq!(http.get(PATH).await.0.as_u16(), 422);
    initial(&mut http.watch(PATH).await).await;
}

#[tokio::test]
async fn parameters_that_do_not_fit_are_refused() {
    let (_api, http) = server().await;
    for path in [
        "/api/v1/pods?watch=1&sendInitialEvents=true",
        "/api/v1/pods?watch=1&resourceVersionMatch=NotOlderThan",
        "/api/v1/pods?watch=1&sendInitialEvents=true&resourceVersionMatch=Exact",
        "/api/v1/pods?sendInitialEvents=true",
        "/api/v1/pods?resourceVersionMatch=NotOlderThan",
    ] {
        assert_eq!(http.get(path).await.0.as_u16(), 422, "{path}");
    }
}

#[tokio::test]
async fn initial_events_are_duplicated_shuffled_and_repeated_on_demand() {
    let all: Vec<String> = (10..30).map(|n| format!("p{n}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let (api, http) = filled(&all).await;
    let once = |what| {
        api.faults().add(Rule::new(Fault::Initial(what)).times(1));
    };
    once(InitialFault::Duplicated);
    let (names, _) = initial(&mut http.watch(PATH).await).await;
    let twice: Vec<&str> = all.iter().flat_map(|n| [*n, *n]).collect();
    assert_eq!(names, twice);

    once(InitialFault::Shuffled);
    let (mut names, _) = initial(&mut http.watch(PATH).await).await;
    assert_ne!(names, all);
    names.sort();
    assert_eq!(names, all);

    once(InitialFault::Twice);
    let mut watch = http.watch(PATH).await;
    assert_eq!(initial(&mut watch).await.0, all);
    assert_eq!(initial(&mut watch).await.0, all);
}

#[tokio::test]
async fn the_bookmark_can_stay_away_and_the_connection_end_before_it() {
    let options = Options {
        bookmark_interval: Duration::from_millis(5),
        ..Options::default()
    };
    let api = KubeApi::start(options).await.unwrap();
    let http = Http::new(&api);
    api.apply(pod("x", "a", "web"));
    let once = |what| {
        api.faults().add(Rule::new(Fault::Initial(what)).times(1));
    };
    once(InitialFault::NoBookmark);
    let mut watch = http.watch(PATH).await;
    let mut plain = http
        .watch("/api/v1/pods?watch=1&allowWatchBookmarks=true")
        .await;
    watch.expect("ADDED", "a").await;
    plain.expect("ADDED", "a").await;
    // By then, the other would have had bookmarks as well.
    for _ in 0..3 {
        assert_eq!(plain.event().await.0, "BOOKMARK");
    }
    api.apply(pod("x", "b", "web"));
    watch.expect("ADDED", "b").await;

    once(InitialFault::CutBeforeBookmark);
    let mut watch = http.watch(PATH).await;
    watch.expect("ADDED", "a").await;
    watch.expect("ADDED", "b").await;
    assert!(watch.line().await.is_err());
}

#[tokio::test]
async fn refusals_can_befall_these_watches_alone() {
    let (api, http) = filled(&["a"]).await;
    let busy = Fault::Busy {
        retry_after: Some(1),
    };
    let id = api
        .faults()
        .add(Rule::new(busy).verb(Verb::Watch).initial_events(true));
    for _ in 0..3 {
        let response = http.send(http::Method::GET, PATH, &Value::Null).await;
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()["retry-after"], "1");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "Too many requests, please try again later.\n");
    }
    http.watch("/api/v1/pods?watch=1")
        .await
        .expect("ADDED", "a")
        .await;
    assert_eq!(http.get("/api/v1/pods").await.0, StatusCode::OK);
    api.faults().remove(id);
    initial(&mut http.watch(PATH).await).await;
}

#[tokio::test]
async fn each_event_is_a_gzip_member_for_those_who_take_gzip() {
    let options = Options {
        gzip_watch_list: true,
        ..Options::default()
    };
    let api = KubeApi::start(options).await.unwrap();
    let http = Http::new(&api);
    for name in ["a", "b"] {
        api.apply(pod("x", name, "web"));
    }
    let request = Request::get(format!("{}{PATH}&timeoutSeconds=1", api.url()))
        .header("accept-encoding", "gzip")
        .body(Full::<Bytes>::default())
        .unwrap();
    let response = http.0.request(request).await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let body = tokio::time::timeout(PATIENCE, response.into_body().collect())
        .await
        .unwrap()
        .unwrap()
        .to_bytes();
    let members = body.windows(3).filter(|w| *w == [0x1f, 0x8b, 8]).count();
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(body.as_ref())
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text.lines().count(), members);
    assert!(members >= 3, "{text}");
    // Plain for who does not ask, and for a watch that goes on from a version.
    let plain = http.send(http::Method::GET, PATH, &Value::Null).await;
    assert!(plain.headers().get("content-encoding").is_none());
}
