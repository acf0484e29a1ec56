//! What goes wrong on demand.

use std::time::Duration;

use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use periplus_kube_api::{Fault, Rule, Verb, WatchFault};
use serde_json::Value;

use crate::client::{names, pod, server};

#[tokio::test]
async fn a_status_code_comes_as_often_as_asked() {
    let (api, http) = server().await;
    let fault = Fault::Status {
        code: 429,
        retry_after: Some(3),
    };
    api.faults()
        .add(Rule::new(fault).verb(Verb::List).resource("pods").times(2));
    for expected in [429, 429, 200] {
        let response = http.send(Method::GET, "/api/v1/pods", &Value::Null).await;
        assert_eq!(response.status().as_u16(), expected);
        let wait = response
            .headers()
            .get("retry-after")
            .map(|v| v.to_str().unwrap().to_owned());
        assert_eq!(wait.as_deref(), (expected == 429).then_some("3"));
    }
    let codes: Vec<u16> = api.requests().iter().map(|r| r.status).collect();
    assert_eq!(codes, [429, 429, 200]);
}

#[tokio::test]
async fn running_watches_go_wrong_on_command() {
    let (api, http) = server().await;
    let open = async || {
        let mut watch = http.watch("/api/v1/pods?watch=1").await;
        api.apply(pod("x", "probe", &api.version().to_string()));
        watch.event().await;
        watch
    };
    let mut ended = open().await;
    api.faults().watches("pods", WatchFault::End);
    while let Some(line) = ended.line().await.unwrap() {
        assert!(line.contains("probe"));
    }
    let mut cut = open().await;
    api.faults().watches("pods", WatchFault::CutMidLine);
    let broken = loop {
        match cut.line().await {
            Ok(Some(_)) => {}
            other => break other,
        }
    };
    assert!(broken.is_err(), "the connection is cut, not closed");
    assert_eq!(
        cut.rest.as_ref(),
        br#"{"type":"MODIFIED","object":{"kind":"#
    );
    let mut garbage = open().await;
    api.faults().watches("pods", WatchFault::Line("{]".into()));
    while garbage.line().await.unwrap().unwrap() != "{]" {}
    api.faults().watches("pods", WatchFault::Error(410));
    let last = loop {
        let (kind, object) = garbage.event().await;
        if kind == "ERROR" {
            break object;
        }
    };
    assert_eq!(last["code"], 410);
}

#[tokio::test]
async fn a_watch_can_break_off_after_so_many_lines() {
    let (api, http) = server().await;
    let fault = Fault::Watch {
        after: 1,
        what: WatchFault::CutMidLine,
    };
    api.faults()
        .add(Rule::new(fault).verb(Verb::Watch).times(1));
    api.apply(pod("x", "a", "web"));
    api.apply(pod("x", "b", "web"));
    let mut watch = http.watch("/api/v1/pods?watch=1").await;
    watch.expect("ADDED", "a").await;
    assert!(watch.line().await.is_err());
    assert!(
        !watch.rest.is_empty(),
        "half of the second line had arrived"
    );
    let mut whole = http.watch("/api/v1/pods?watch=1").await;
    whole.expect("ADDED", "a").await;
    whole.expect("ADDED", "b").await;
}

#[tokio::test]
async fn a_stalled_watch_sends_nothing_and_stays_open() {
    let (api, http) = server().await;
    let mut watch = http.watch("/api/v1/pods?watch=1").await;
    api.apply(pod("x", "a", "web"));
    watch.expect("ADDED", "a").await;
    api.faults().watches("pods", WatchFault::Stall);
    api.apply(pod("x", "b", "web"));
    // A second watch that is told after the first proves that the first had its chance.
    let mut other = http.watch("/api/v1/pods?watch=1").await;
    other.expect("ADDED", "a").await;
    other.expect("ADDED", "b").await;
    assert_eq!(api.open_watches("pods"), 2);
    let silent = tokio::time::timeout(Duration::from_millis(50), watch.body.frame()).await;
    // Told before or after `b` was written, it may have sent `b`, and nothing else.
    if let Ok(frame) = silent {
        assert!(frame.expect("still open").is_ok());
    }
}

#[tokio::test]
async fn bodies_are_cut_slowed_and_replaced() {
    let (api, http) = server().await;
    api.apply(pod("x", "a", "web"));
    let cut = api
        .faults()
        .add(Rule::new(Fault::TruncateBody(20)).verb(Verb::List));
    let response = http.send(Method::GET, "/api/v1/pods", &Value::Null).await;
    assert!(response.into_body().collect().await.is_err());
    api.faults().remove(cut);

    let slow = Fault::SlowBody {
        chunk: 64,
        pause: Duration::from_millis(1),
    };
    api.faults().add(Rule::new(slow).times(1));
    assert_eq!(names(&http.get("/api/v1/pods").await.1), ["a"]);

    let half = Fault::Replace {
        namespace: "x".into(),
        name: "a".into(),
        json: r#"{"metadata":{"name":"half"}}"#.into(),
    };
    api.faults().add(Rule::new(half).times(2));
    assert_eq!(names(&http.get("/api/v1/pods").await.1), ["half"]);
    http.watch("/api/v1/pods?watch=1")
        .await
        .expect("ADDED", "half")
        .await;

    api.faults().add(Rule::new(Fault::ListVersion(7)).times(1));
    assert_eq!(
        http.get("/api/v1/pods").await.1["metadata"]["resourceVersion"],
        "7"
    );
    api.faults()
        .add(Rule::new(Fault::Body("<html>".into())).times(1));
    assert_eq!(http.get("/api/v1/pods").await.1, Value::Null);
    assert_eq!(http.get("/api/v1/pods").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_paused_server_comes_back_with_everything() {
    let (mut api, http) = server().await;
    api.apply(pod("x", "a", "web"));
    let mut watch = http.watch("/api/v1/pods?watch=1").await;
    watch.expect("ADDED", "a").await;
    api.pause().await;
    assert!(watch.line().await.is_err());
    let request = Request::get(format!("{}/api/v1/pods", api.url()))
        .body(Full::default())
        .unwrap();
    assert!(http.0.request(request).await.is_err());
    api.apply(pod("x", "b", "web"));
    api.resume().unwrap();
    assert_eq!(names(&http.get("/api/v1/pods").await.1), ["a", "b"]);
}

#[tokio::test]
async fn the_pages_of_a_list_may_never_end() {
    let (api, http) = server().await;
    api.apply(pod("x", "a", "web"));
    let endless = api.faults().add(Rule::new(Fault::EndlessPages));
    let mut path = "/api/v1/pods?limit=5".to_owned();
    for _ in 0..5 {
        let (_, page) = http.get(&path).await;
        assert_eq!(names(&page), ["a"]);
        let next = page["metadata"]["continue"].as_str().unwrap();
        path = format!("/api/v1/pods?limit=5&continue={next}");
    }
    api.faults().remove(endless);
    let (_, last) = http.get(&path).await;
    assert!(last["metadata"].get("continue").is_none());
}

#[tokio::test]
async fn a_watch_can_say_its_last_event_again() {
    let (api, http) = server().await;
    api.apply(pod("x", "a", "web"));
    let mut watch = http.watch("/api/v1/pods?watch=1").await;
    let first = watch.expect("ADDED", "a").await;
    api.faults().watches("pods", WatchFault::Repeat);
    assert_eq!(watch.expect("ADDED", "a").await, first);
}
