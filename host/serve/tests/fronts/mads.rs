//! MADS: a scripted reader that behaves as `kuma_sd` of Prometheus.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use periplus_core::{LabelSet, TargetGroup};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tower::ServiceExt;

use crate::support::{Answer, Host, group, job, rule};

const TYPE: &str = "type.googleapis.com/kuma.observability.v1.MonitoringAssignment";
const SUFFIX: &str = "v3/discovery:monitoringassignments";
const SECOND: Duration = Duration::from_secs(1);

/// One client of one job, as in Prometheus' `discovery/xds`.
struct Reader {
    router: axum::Router,
    path: String,
    version: String,
    nonce: String,
    error: Option<Value>,
}

impl Reader {
    fn new(host: &Host, job: &str) -> Self {
        Self {
            router: host.router.clone(),
            path: format!("/mads/{job}/{SUFFIX}?fetch-timeout=2m"),
            version: String::new(),
            nonce: String::new(),
            error: None,
        }
    }

    fn request(&self) -> Value {
        let mut request = json!({
            "version_info": self.version, "response_nonce": self.nonce, "type_url": TYPE,
            "node": {"id": "prometheus-0"},
        });
        if let Some(error) = &self.error {
            request["error_detail"] = error.clone();
        }
        request
    }

    /// Sends one poll.
    fn send(&self) -> JoinHandle<Answer> {
        let (router, path) = (self.router.clone(), self.path.clone());
        tokio::spawn(post(router, path, self.request().to_string()))
    }

    /// Polls and keeps what comes; the targets if there is anything new.
    async fn poll(&mut self) -> Option<Vec<Value>> {
        let answer = self.send().await.unwrap();
        self.take(&answer)
    }

    fn take(&mut self, answer: &Answer) -> Option<Vec<Value>> {
        if answer.status == 304 {
            assert!(answer.body.is_empty());
            return None;
        }
        assert_eq!(answer.status, 200, "{}", answer.text());
        let response = answer.json();
        assert_eq!(response["type_url"], TYPE);
        self.version = text(&response["version_info"]);
        self.nonce = text(&response["nonce"]);
        let resources = response["resources"].as_array().unwrap().clone();
        let targets = resources.iter().flat_map(|resource| {
            assert_eq!(resource["@type"], TYPE);
            resource["targets"].as_array().unwrap().clone()
        });
        Some(targets.collect())
    }
}

async fn post(router: axum::Router, path: String, body: String) -> Answer {
    let request = Request::post(path).header("content-type", "application/json");
    let response = router
        .oneshot(request.body(Body::from(body)).unwrap())
        .await;
    let (head, body) = response.unwrap().into_parts();
    Answer {
        status: head.status,
        headers: head.headers,
        body: body.collect().await.unwrap().to_bytes(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn names(targets: &[Value]) -> Vec<&str> {
    targets
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect()
}

async fn host() -> Host {
    let host = Host::start();
    let zone = rule(json!({"source_labels": ["__meta_zone"], "target_label": "zone"}));
    host.serve(
        job("pods", &[zone]),
        &[group("a", &[("10.0.0.1:80", "east")])],
    )
    .await;
    host
}

async fn change(host: &Host, address: &str) {
    host.updates("pods")
        .await
        .apply(group("b", &[(address, "west")]));
}

#[tokio::test(start_paused = true)]
async fn targets_have_what_kuma_sd_reads() {
    let host = host().await;
    let mut reader = Reader::new(&host, "pods");
    let answer = reader.send().await.unwrap();
    assert_eq!(answer.header("content-type"), "application/json");
    let resource = &answer.json()["resources"][0];
    assert_eq!(
        (&resource["service"], &resource["mesh"]),
        (&json!("pods"), &json!("periplus"))
    );
    let expected = json!({
        "name": "10.0.0.1:80", "address": "10.0.0.1:80", "scheme": "http",
        "metrics_path": "/metrics", "labels": {"job": "pods", "zone": "east"},
    });
    assert_eq!(reader.take(&answer).unwrap(), [expected]);
}

#[tokio::test(start_paused = true)]
async fn poll_is_held_until_something_changes_or_time_is_up() {
    let host = host().await;
    let mut reader = Reader::new(&host, "pods");
    assert_eq!(reader.poll().await.unwrap().len(), 1);
    let started = Instant::now();
    assert_eq!(reader.poll().await, None);
    assert_eq!(started.elapsed().as_secs(), 120);

    let held = reader.send();
    tokio::time::sleep(30 * SECOND).await;
    assert!(!held.is_finished());
    let waiting = host.get("/metrics").await;
    assert!(waiting.text().contains("periplus_mads_polls_waiting 1\n"));
    change(&host, "10.0.0.2:80").await;
    let changed = Instant::now();
    let answer = held.await.unwrap();
    assert!(changed.elapsed() < SECOND, "{:?}", changed.elapsed());
    let targets = reader.take(&answer).unwrap();
    assert_eq!(names(&targets), ["10.0.0.1:80", "10.0.0.2:80"]);
    let waiting = host.get("/metrics").await;
    assert!(waiting.text().contains("periplus_mads_polls_waiting 0\n"));
}

#[tokio::test(start_paused = true)]
async fn change_that_the_reader_does_not_see_does_not_wake_it() {
    let host = host().await;
    let mut reader = Reader::new(&host, "pods");
    reader.poll().await.unwrap();
    let started = Instant::now();
    let held = reader.send();
    tokio::time::sleep(SECOND).await;
    // A group that shows the same once more.
    host.updates("pods")
        .await
        .apply(group("b", &[("10.0.0.1:80", "east")]));
    host.until("pods", |job| job.groups.len() == 2).await;
    assert_eq!(held.await.unwrap().status, 304);
    assert_eq!(started.elapsed().as_secs(), 120);
}

#[tokio::test(start_paused = true)]
async fn reader_that_does_not_say_how_long_is_never_held() {
    let host = host().await;
    let mut reader = Reader::new(&host, "pods");
    reader.path = format!("/mads/pods/{SUFFIX}");
    let started = Instant::now();
    assert!(reader.poll().await.is_some());
    assert_eq!(reader.poll().await, None);
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn hold_has_a_bound_of_its_own() {
    let host = host().await;
    let mut reader = Reader::new(&host, "pods");
    reader.path = format!("/mads/pods/{SUFFIX}?fetch-timeout=1d");
    reader.poll().await.unwrap();
    let started = Instant::now();
    assert_eq!(reader.poll().await, None);
    assert_eq!(started.elapsed().as_secs(), 240);
}

#[tokio::test(start_paused = true)]
async fn versions_are_those_of_every_replica() {
    let (one, other) = (host().await, host().await);
    let mut reader = Reader::new(&one, "pods");
    reader.poll().await.unwrap();
    reader.router = other.router.clone();
    assert_eq!(
        reader.poll().await,
        None,
        "the other replica knows the same"
    );
    change(&other, "10.0.0.2:80").await;
    other.until("pods", |job| job.groups.len() == 2).await;
    assert_eq!(reader.poll().await.unwrap().len(), 2);
    // One that lags behind answers with what it has, and not with nothing.
    reader.router = one.router.clone();
    assert_eq!(reader.poll().await.unwrap().len(), 1);
    for version in [
        "7",
        "nonsense",
        "1-00000000000000000000000000000000",
        "\u{0}",
    ] {
        reader.version = version.to_owned();
        assert_eq!(reader.poll().await.unwrap().len(), 1, "{version}");
    }
}

#[tokio::test(start_paused = true)]
async fn refused_answer_is_not_sent_again_but_the_next_one_is() {
    let host = host().await;
    let mut reader = Reader::new(&host, "pods");
    reader.poll().await.unwrap();
    let accepted = reader.version.clone();
    change(&host, "10.0.0.2:80").await;
    host.until("pods", |job| job.groups.len() == 2).await;
    reader.poll().await.unwrap();
    // It keeps the version before, and names the refused answer by its nonce.
    reader.version = accepted;
    reader.error = Some(json!({"code": 3, "message": "bad target"}));
    let held = reader.send();
    tokio::time::sleep(SECOND).await;
    assert!(!held.is_finished(), "the refused answer came again at once");
    change(&host, "10.0.0.3:80").await;
    let targets = reader.take(&held.await.unwrap()).unwrap();
    assert_eq!(names(&targets), ["10.0.0.1:80", "10.0.0.3:80"]);
    let metrics = host.get("/metrics").await;
    assert!(metrics.text().contains("periplus_mads_refused_total 1\n"));
}

#[tokio::test(start_paused = true)]
async fn job_that_is_not_known_is_waited_for_and_never_empty() {
    let host = Host::start();
    host.apply([job("pods", &[])]).await;
    let mut reader = Reader::new(&host, "pods");
    let started = Instant::now();
    let answer = reader.send().await.unwrap();
    assert_eq!(
        (answer.status.as_u16(), started.elapsed().as_secs()),
        (503, 10)
    );
    assert_eq!(answer.json()["errorType"], "unavailable");
    let held = reader.send();
    tokio::time::sleep(SECOND).await;
    host.deliver("pods", &[group("a", &[("10.0.0.1:80", "east")])])
        .await;
    let targets = reader.take(&held.await.unwrap()).unwrap();
    assert_eq!(names(&targets), ["10.0.0.1:80"]);
    assert_eq!(
        Reader::new(&host, "never").send().await.unwrap().status,
        404
    );

    // Without a hold there is no waiting.
    host.apply([job("pods", &[]), job("new", &[])]).await;
    let path = format!("/mads/new/{SUFFIX}");
    let started = Instant::now();
    assert_eq!(
        post(host.router.clone(), path, "{}".into()).await.status,
        503
    );
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn removed_job_wakes_its_readers_with_nothing() {
    let host = host().await;
    let mut reader = Reader::new(&host, "pods");
    reader.poll().await.unwrap();
    let held = reader.send();
    tokio::time::sleep(SECOND).await;
    let removed = Instant::now();
    host.apply([job("other", &[])]).await;
    assert_eq!(
        reader.take(&held.await.unwrap()).unwrap(),
        Vec::<Value>::new()
    );
    assert!(removed.elapsed() < SECOND);
    let held = reader.send();
    tokio::time::sleep(SECOND).await;
    assert!(!held.is_finished(), "nothing is told once");
    let zone = rule(json!({"source_labels": ["__meta_zone"], "target_label": "zone"}));
    host.apply([job("pods", &[zone])]).await;
    host.deliver("pods", &[group("a", &[("10.0.0.1:80", "east")])])
        .await;
    assert_eq!(reader.take(&held.await.unwrap()).unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn shards_are_parts_and_only_their_changes_are_told() {
    let host = Host::start();
    let all: Vec<String> = (0..60).map(|n| format!("10.0.0.{n}:80")).collect();
    let groups: Vec<_> = all.iter().map(|it| group(it, &[(it, "east")])).collect();
    host.serve(job("pods", &[]), &groups).await;
    let mut readers: Vec<Reader> = (0..3)
        .map(|n| Reader::new(&host, &format!("pods/shards/{n}-of-3")))
        .collect();
    let mut shared = Vec::new();
    for (index, reader) in readers.iter_mut().enumerate() {
        let targets = reader.poll().await.unwrap();
        let list = host.get(&format!("/sd/pods?shard={index}/3")).await.json();
        assert_eq!(targets.len(), list.as_array().unwrap().len());
        shared.extend(names(&targets).iter().map(|&name| name.to_owned()));
    }
    shared.sort();
    let mut sorted = all.clone();
    sorted.sort();
    assert_eq!(shared, sorted);
    let held: Vec<_> = readers.iter().map(Reader::send).collect();
    tokio::time::sleep(SECOND).await;
    host.updates("pods")
        .await
        .apply(group("new", &[("10.9.9.9:80", "moon")]));
    let mut told = 0;
    for held in held {
        told += usize::from(held.await.unwrap().status == 200);
    }
    assert_eq!(told, 1);
}

#[tokio::test(start_paused = true)]
async fn names_that_readers_would_confuse_are_left_out_and_counted() {
    let host = Host::start();
    let labels = [
        ("__address__", "a:1"),
        ("app.kubernetes.io/name", "slash"),
        ("app_kubernetes_io_name", "plain"),
        ("x-1", "dash"),
        ("x.1", "dot"),
        ("größe", "y"),
    ];
    let named = TargetGroup {
        source: "0".into(),
        labels: LabelSet::default(),
        targets: vec![LabelSet::from_iter(labels)],
    };
    host.serve(job("pods", &[]), &[named.into()]).await;
    let targets = Reader::new(&host, "pods").poll().await.unwrap();
    let expected =
        json!({"app_kubernetes_io_name": "plain", "x-1": "dash", "größe": "y", "job": "pods"});
    assert_eq!(targets[0]["labels"], expected);
    let metrics = host.get("/metrics").await;
    assert!(
        metrics
            .text()
            .contains("periplus_mads_label_collisions_total 2\n")
    );
}

#[tokio::test(start_paused = true)]
async fn many_readers_of_one_change_get_it_made_once() {
    let host = host().await;
    let mut reader = Reader::new(&host, "pods");
    reader.poll().await.unwrap();
    let held: Vec<_> = (0..200).map(|_| reader.send()).collect();
    tokio::time::sleep(SECOND).await;
    let built = |text: &str| {
        let mut lines = text.lines();
        let line = lines.find(|line| line.starts_with("periplus_http_bodies_built_total"));
        line.unwrap()
            .rsplit(' ')
            .next()
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    let before = built(host.get("/metrics").await.text());
    change(&host, "10.0.0.2:80").await;
    for held in held {
        assert_eq!(held.await.unwrap().status, 200);
    }
    assert_eq!(built(host.get("/metrics").await.text()), before + 1);
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_no_polls_are_refused() {
    let host = host().await;
    let path = format!("/mads/pods/{SUFFIX}");
    let cases = [
        (path.clone(), "", 400, "no discovery request"),
        (path.clone(), "[]x", 400, "no discovery request"),
        (
            path.clone(),
            r#"{"version_info": 7}"#,
            400,
            "no discovery request",
        ),
        (
            path.clone(),
            r#"{"type_url": "type.googleapis.com/envoy.api.v2.Cluster"}"#,
            400,
            "unknown resource type",
        ),
        (
            format!("{path}?fetch-timeout=soon"),
            "{}",
            400,
            "`fetch-timeout` is no duration",
        ),
        (
            format!("/mads/pods/shards/3-of-3/{SUFFIX}"),
            "{}",
            400,
            "shard 3 of 3 does not exist",
        ),
        (
            format!("/mads/pods/shards/x-of-3/{SUFFIX}"),
            "{}",
            400,
            "i-of-n",
        ),
        (
            "/mads/pods".to_owned(),
            "{}",
            404,
            "ask for `/mads/{job}/v3/",
        ),
        (format!("/mads/{SUFFIX}"), "{}", 404, "no such path"),
    ];
    for (path, body, status, text) in cases {
        let answer = post(host.router.clone(), path.clone(), body.to_owned()).await;
        assert_eq!(answer.status, status, "{path} {body}");
        assert!(
            answer.text().contains(text),
            "{path} {body}: {}",
            answer.text()
        );
    }
    let large = format!("{{\"version_info\":\"{}\"}}", "x".repeat(70_000));
    assert_eq!(
        post(host.router.clone(), path.clone(), large).await.status,
        413
    );
    assert_eq!(host.get(&path).await.status, 405);
    // What a newer client may send beside.
    let extra = r#"{"resource_names": [], "node": {"id": "x", "metadata": {}}, "error_detail": null, "versionInfo": "1"}"#;
    // And what vmagent sends.
    let vmagent = json!({
        "version_info": "", "node": {"id": "vmagent"}, "resource_names": null, "type_url": TYPE,
        "response_nonce": "",
    });
    for body in [extra.to_owned(), vmagent.to_string()] {
        let answer = post(host.router.clone(), path.clone(), body).await;
        assert_eq!(answer.status, 200);
    }
}
