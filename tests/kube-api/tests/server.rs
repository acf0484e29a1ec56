//! The stand-in as a client sees it, over plain HTTP.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use periplus_kube_api::load::{Churn, Load, Step};
use periplus_kube_api::{Fault, KubeApi, Options, Rule, Verb, WatchFault};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(10);

struct Http(Client<HttpConnector, Full<Bytes>>, String);

impl Http {
    fn new(api: &KubeApi) -> Self {
        Self(
            Client::builder(TokioExecutor::new()).build_http(),
            api.url(),
        )
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> http::Response<Incoming> {
        let text = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let kind = match method {
            Method::PATCH => "application/merge-patch+json",
            _ => "application/json",
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.1))
            .header("content-type", kind)
            .body(Full::from(text))
            .unwrap();
        tokio::time::timeout(PATIENCE, self.0.request(request))
            .await
            .unwrap()
            .unwrap()
    }

    async fn json(&self, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        let response = self.send(method, path, body).await;
        let code = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (code, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.json(Method::GET, path, &Value::Null).await
    }

    async fn watch(&self, path: &str) -> Watch {
        let response = self.send(Method::GET, path, &Value::Null).await;
        assert_eq!(response.status(), StatusCode::OK);
        Watch {
            body: response.into_body(),
            rest: BytesMut::new(),
        }
    }
}

struct Watch {
    body: Incoming,
    rest: BytesMut,
}

impl Watch {
    /// The next line; `Ok(None)` at an orderly end, an error if the connection was cut.
    async fn line(&mut self) -> Result<Option<String>, hyper::Error> {
        loop {
            if let Some(end) = self.rest.iter().position(|b| *b == b'\n') {
                let line = self.rest.split_to(end + 1);
                return Ok(Some(String::from_utf8(line[..end].to_vec()).unwrap()));
            }
            match tokio::time::timeout(PATIENCE, self.body.frame())
                .await
                .expect("a line in time")
            {
                Some(Ok(frame)) => self.rest.extend_from_slice(&frame.into_data().unwrap()),
                Some(Err(error)) => return Err(error),
                None => return Ok(None),
            }
        }
    }

    async fn event(&mut self) -> (String, Value) {
        let line = self.line().await.unwrap().expect("an event");
        let mut event: Value = serde_json::from_str(&line).unwrap();
        (
            event["type"].as_str().unwrap().to_owned(),
            event["object"].take(),
        )
    }

    async fn expect(&mut self, kind: &str, name: &str) -> Value {
        let (got, object) = self.event().await;
        assert_eq!(
            (got.as_str(), object["metadata"]["name"].as_str()),
            (kind, Some(name))
        );
        object
    }
}

fn pod(namespace: &str, name: &str, app: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
           "metadata": {"namespace": namespace, "name": name, "labels": {"app": app}},
           "spec": {"nodeName": "n1"}, "status": {"phase": "Running", "podIP": "10.0.0.1"}})
}

async fn server() -> (KubeApi, Http) {
    let api = KubeApi::start(Options::default()).await.unwrap();
    let http = Http::new(&api);
    (api, http)
}

fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap();
    items
        .iter()
        .map(|i| i["metadata"]["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn pages_of_a_list_are_of_one_moment() {
    let (api, http) = server().await;
    for name in ["a", "b", "c", "d", "e"] {
        api.apply(pod("x", name, "web"));
    }
    let (_, first) = http.get("/api/v1/pods?limit=2").await;
    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(first["metadata"]["remainingItemCount"], 3);
    assert_eq!(first["kind"], "PodList");
    assert!(
        first["items"][0].get("kind").is_none(),
        "items of a list carry no kind"
    );
    api.delete("v1/pods", "x", "c");
    api.apply(pod("x", "bb", "web"));
    let token = first["metadata"]["continue"].as_str().unwrap();
    let (_, second) = http
        .get(&format!("/api/v1/pods?limit=2&continue={token}"))
        .await;
    assert_eq!(names(&second), ["c", "d"]);
    assert_eq!(
        first["metadata"]["resourceVersion"],
        second["metadata"]["resourceVersion"]
    );
    let token = second["metadata"]["continue"].as_str().unwrap();
    let (_, third) = http
        .get(&format!("/api/v1/pods?limit=2&continue={token}"))
        .await;
    assert_eq!(names(&third), ["e"]);
    assert!(third["metadata"].get("continue").is_none());
}

#[tokio::test]
async fn a_page_after_compaction_is_gone_and_can_be_continued_without_consistency() {
    let (api, http) = server().await;
    for name in ["a", "b", "c"] {
        api.apply(pod("x", name, "web"));
    }
    let (_, first) = http.get("/api/v1/pods?limit=1").await;
    api.compact();
    api.delete("v1/pods", "x", "b");
    let token = first["metadata"]["continue"].as_str().unwrap();
    let (code, status) = http
        .get(&format!("/api/v1/pods?limit=5&continue={token}"))
        .await;
    assert_eq!(
        (code.as_u16(), status["reason"].as_str()),
        (410, Some("Expired"))
    );
    let token = status["metadata"]["continue"].as_str().unwrap();
    let (_, rest) = http
        .get(&format!("/api/v1/pods?limit=5&continue={token}"))
        .await;
    assert_eq!(names(&rest), ["c"]);
}

#[tokio::test]
async fn lists_select_by_namespace_label_and_field() {
    let (api, http) = server().await;
    api.apply(pod("x", "a", "web"));
    api.apply(pod("y", "b", "db"));
    for (path, expected) in [
        ("/api/v1/namespaces/x/pods", vec!["a"]),
        ("/api/v1/pods?labelSelector=app%3Ddb", vec!["b"]),
        ("/api/v1/pods?fieldSelector=metadata.name%3Da", vec!["a"]),
        ("/api/v1/pods?resourceVersion=0&limit=1", vec!["a", "b"]),
        ("/api/v1/namespaces", vec!["x", "y"]),
    ] {
        assert_eq!(names(&http.get(path).await.1), expected, "{path}");
    }
    assert_eq!(
        http.get("/api/v1/pods?fieldSelector=spec.x%3D1")
            .await
            .0
            .as_u16(),
        400
    );
    assert_eq!(http.get("/api/v1/nothings").await.0.as_u16(), 404);
}

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
    watch.expect("DELETED", "a").await;
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
async fn initial_events_are_refused_as_old_servers_do() {
    let (_api, http) = server().await;
    let path = "/api/v1/pods?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
    let (code, status) = http.get(path).await;
    assert_eq!(
        (code.as_u16(), status["reason"].as_str()),
        (422, Some("Invalid"))
    );
}

#[tokio::test]
async fn writes_over_http_follow_the_rules_of_the_server() {
    let (api, http) = server().await;
    let path = "/api/v1/namespaces/x/pods";
    let (code, created) = http.json(Method::POST, path, &pod("x", "a", "web")).await;
    assert_eq!(code.as_u16(), 201);
    assert_eq!(
        created["status"]["phase"], "Pending",
        "a new Pod has no status of the client's"
    );
    assert_eq!(
        http.json(Method::POST, path, &pod("x", "a", "web"))
            .await
            .0
            .as_u16(),
        409
    );

    let one = "/api/v1/namespaces/x/pods/a";
    let status = json!({"status": {"phase": "Running"}, "metadata": {"labels": {"app": "no"}}});
    let (_, patched) = http
        .json(Method::PATCH, &format!("{one}/status"), &status)
        .await;
    assert_eq!(patched["status"]["phase"], "Running");
    assert_eq!(patched["metadata"]["labels"]["app"], "web");

    let mut replaced = pod("x", "a", "db");
    replaced["metadata"]["resourceVersion"] = created["metadata"]["resourceVersion"].clone();
    assert_eq!(
        http.json(Method::PUT, one, &replaced).await.0.as_u16(),
        409,
        "it has changed since"
    );
    replaced["metadata"]["resourceVersion"] = patched["metadata"]["resourceVersion"].clone();
    replaced["status"] = json!({"phase": "Failed"});
    let (_, replaced) = http.json(Method::PUT, one, &replaced).await;
    assert_eq!(replaced["metadata"]["uid"], created["metadata"]["uid"]);
    assert_eq!(replaced["status"]["phase"], "Running");

    let version = api.version();
    let same = json!({"metadata": {"labels": {"app": "db"}}});
    http.json(Method::PATCH, one, &same).await;
    assert_eq!(
        api.version(),
        version,
        "a write that changes nothing is none"
    );
    assert_eq!(
        http.json(Method::DELETE, one, &Value::Null)
            .await
            .0
            .as_u16(),
        200
    );
    assert_eq!(http.get(one).await.0.as_u16(), 404);
}

#[tokio::test]
async fn a_recreated_object_has_another_uid() {
    let (api, _http) = server().await;
    api.apply(pod("x", "a", "web"));
    let first = api.get("v1/pods", "x", "a").unwrap();
    api.delete("v1/pods", "x", "a");
    api.apply(pod("x", "a", "web"));
    assert_ne!(
        api.get("v1/pods", "x", "a").unwrap()["metadata"]["uid"],
        first["metadata"]["uid"]
    );
}

#[tokio::test]
async fn a_token_is_asked_for_if_one_is_set() {
    let options = Options {
        token: Some("secret".into()),
        ..Options::default()
    };
    let api = KubeApi::start(options).await.unwrap();
    let http = Http::new(&api);
    assert_eq!(http.get("/api/v1/pods").await.0.as_u16(), 401);
    assert!(api.kubeconfig().contains("secret"));
    let request = Request::get(format!("{}/api/v1/pods", api.url()))
        .header("authorization", "Bearer secret")
        .body(Full::default())
        .unwrap();
    assert_eq!(
        http.0.request(request).await.unwrap().status(),
        StatusCode::OK
    );
}

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
async fn one_namespace_can_be_forbidden() {
    let (api, http) = server().await;
    api.apply(pod("x", "a", "web"));
    let id = api.forbid_namespace("x");
    let (code, status) = http.get("/api/v1/namespaces/x/pods").await;
    assert_eq!(code.as_u16(), 403);
    let message = status["message"].as_str().unwrap();
    assert!(
        message.contains("cannot list resource \"pods\""),
        "{message}"
    );
    assert_eq!(http.get("/api/v1/namespaces/y/pods").await.0.as_u16(), 200);
    api.faults().remove(id);
    assert_eq!(http.get("/api/v1/namespaces/x/pods").await.0.as_u16(), 200);
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
async fn big_lists_are_compressed_for_those_who_ask() {
    let (api, http) = server().await;
    Load {
        pods: 20,
        ..Load::default()
    }
    .fill(&api);
    let request = Request::get(format!("{}/api/v1/pods", api.url()))
        .header("accept-encoding", "gzip")
        .body(Full::default())
        .unwrap();
    let response = http.0.request(request).await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let plain = http.send(Method::GET, "/api/v1/pods", &Value::Null).await;
    assert!(plain.headers().get("content-encoding").is_none());
}

#[tokio::test]
async fn discovery_names_what_there_is() {
    let (_api, http) = server().await;
    assert!(
        http.get("/version").await.1["gitVersion"]
            .as_str()
            .unwrap()
            .starts_with("v1.")
    );
    let (_, groups) = http.get("/apis").await;
    let text = groups.to_string();
    assert!(
        text.contains("discovery.k8s.io") && text.contains("networking.k8s.io"),
        "{text}"
    );
    let (_, core) = http.get("/api/v1").await;
    assert!(
        core["resources"]
            .as_array()
            .unwrap()
            .iter()
            .any(|r| r["name"] == "pods")
    );
}

#[tokio::test]
async fn the_same_seed_gives_the_same_churn_within_bounds() {
    let load = Load {
        pods: 20,
        nodes: 2,
        namespaces: 2,
        seed: 9,
    };
    let mut runs = Vec::new();
    for _ in 0..2 {
        let (api, _http) = server().await;
        load.fill(&api);
        let mut churn = Churn::new(load);
        let mut steps: Vec<Step> = Vec::new();
        for _ in 0..300 {
            steps.push(churn.step(&api));
            let count = api.names("v1/pods").len();
            assert!((16..=24).contains(&count), "{count} Pods");
        }
        runs.push((steps, api.names("v1/pods")));
    }
    assert_eq!(runs[0], runs[1]);
    for kind in [Step::Created(0), Step::Changed(0), Step::Deleted(0)] {
        let same = |s: &Step| std::mem::discriminant(s) == std::mem::discriminant(&kind);
        assert!(runs[0].0.iter().any(same), "{kind:?} happens");
    }
}
