//! The stream of changes, read by a reader that keeps what a real one would.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use futures::StreamExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{Host, group, job, rule};

const SECOND: Duration = Duration::from_secs(1);

/// A reader of JSON lines: applies groups when a version comes.
struct Reader {
    body: BodyDataStream,
    buffer: Vec<u8>,
    staged: Vec<Value>,
    groups: BTreeMap<String, Value>,
    version: String,
    snapshots: usize,
}

impl Reader {
    async fn new(host: &Host, path: &str) -> Self {
        Self::with(host, path, &[]).await
    }

    async fn with(host: &Host, path: &str, headers: &[(&str, &str)]) -> Self {
        Self {
            body: open(host, path, headers).await,
            buffer: Vec::new(),
            staged: Vec::new(),
            groups: BTreeMap::new(),
            version: String::new(),
            snapshots: 0,
        }
    }

    /// The next event; none at the end.
    async fn event(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            self.buffer
                .extend_from_slice(&self.body.next().await?.unwrap());
        }
    }

    /// Reads up to the next version; how many groups came before it.
    async fn version(&mut self) -> usize {
        loop {
            let event = self.event().await.expect("the stream has ended");
            match event["type"].as_str().unwrap() {
                "heartbeat" => {}
                "version" => {
                    event["version"]
                        .as_str()
                        .unwrap()
                        .clone_into(&mut self.version);
                    break;
                }
                _ => self.staged.push(event),
            }
        }
        let mut count = 0;
        for event in std::mem::take(&mut self.staged) {
            if event["type"] == "snapshot" {
                self.groups.clear();
                self.snapshots += 1;
                continue;
            }
            count += 1;
            let name = event["group"].as_str().unwrap().to_owned();
            if event["targets"].as_array().unwrap().is_empty() {
                assert!(self.groups.remove(&name).is_some(), "it was not there");
            } else {
                self.groups.insert(name, event["targets"].clone());
            }
        }
        count
    }

    fn addresses(&self) -> Vec<String> {
        let targets = self.groups.values().flat_map(|it| it.as_array().unwrap());
        let mut all: Vec<String> = targets
            .map(|it| it["targets"][0].as_str().unwrap().to_owned())
            .collect();
        all.sort();
        all
    }
}

async fn open(host: &Host, path: &str, headers: &[(&str, &str)]) -> BodyDataStream {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    let response = host.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    response.into_body().into_data_stream()
}

fn zoned() -> periplus_config::Job {
    job(
        "pods",
        &[rule(
            json!({"source_labels": ["__meta_zone"], "target_label": "zone"}),
        )],
    )
}

async fn host() -> Host {
    let host = Host::start();
    let groups = [
        group("a", &[("a:1", "east")]),
        group("b", &[("b:1", "west"), ("b:2", "west")]),
    ];
    host.serve(zoned(), &groups).await;
    host
}

#[tokio::test(start_paused = true)]
async fn stream_is_a_snapshot_and_then_changes() {
    let host = host().await;
    let mut reader = Reader::new(&host, "/api/v1/watch/pods").await;
    assert_eq!(reader.version().await, 2);
    assert_eq!(reader.addresses(), ["a:1", "b:1", "b:2"]);
    let list = host.get("/sd/pods").await.json();
    let targets = reader.groups.values().flat_map(|it| it.as_array().unwrap());
    assert!(
        targets
            .clone()
            .all(|target| list.as_array().unwrap().contains(target))
    );

    let updates = host.updates("pods").await;
    updates.apply(group("c", &[("c:1", "east")]));
    assert_eq!(reader.version().await, 1);
    assert_eq!(reader.addresses(), ["a:1", "b:1", "b:2", "c:1"]);
    updates.apply(group("b", &[("b:2", "west")]));
    assert_eq!(reader.version().await, 1);
    updates.apply(group("a", &[]));
    assert_eq!(reader.version().await, 1);
    assert_eq!(reader.addresses(), ["b:2", "c:1"]);
    assert_eq!(reader.snapshots, 1);
}

#[tokio::test(start_paused = true)]
async fn server_sent_events_carry_the_version_as_their_id() {
    let host = host().await;
    let accept = [("accept", "text/event-stream")];
    let mut body = open(
        &host,
        "/api/v1/watch/pods?match=%7Binstance%3D%22a:1%22%7D",
        &accept,
    )
    .await;
    let piece = body.next().await.unwrap().unwrap();
    let text = std::str::from_utf8(&piece).unwrap();
    let events: Vec<&str> = text.split_terminator("\n\n").collect();
    assert_eq!(events[0], "event: snapshot\ndata: {\"type\":\"snapshot\"}");
    assert!(
        events[1].starts_with("event: group\ndata: {\"type\":\"group\",\"group\":\""),
        "{text}"
    );
    assert!(
        events[1].contains("\"targets\":[{\"targets\":[\"a:1\"]"),
        "{text}"
    );
    let (id, rest) = events[2]
        .strip_prefix("id: ")
        .unwrap()
        .split_once('\n')
        .unwrap();
    assert_eq!(
        rest,
        format!("event: version\ndata: {{\"type\":\"version\",\"version\":\"{id}\"}}")
    );
    assert_eq!(events.len(), 3);
    assert_eq!(
        body.next().await.unwrap().unwrap(),
        ":\n\n",
        "a sign of life"
    );
}

#[tokio::test(start_paused = true)]
async fn reader_that_comes_back_gets_what_it_missed() {
    let host = host().await;
    let mut reader = Reader::new(&host, "/api/v1/watch/pods").await;
    reader.version().await;
    let (version, groups) = (reader.version.clone(), reader.groups.clone());
    drop(reader);
    host.updates("pods")
        .await
        .apply(group("c", &[("c:1", "east")]));
    host.until("pods", |job| job.groups.len() == 3).await;
    let from = format!("/api/v1/watch/pods?from={version}");
    let last_id = [("last-event-id", version.as_str())];
    for (path, headers) in [(&*from, &[][..]), ("/api/v1/watch/pods", &last_id)] {
        let mut reader = Reader::with(&host, path, headers).await;
        reader.groups = groups.clone();
        assert_eq!(reader.version().await, 1, "only the change");
        assert_eq!(reader.snapshots, 0);
        assert_eq!(reader.addresses(), ["a:1", "b:1", "b:2", "c:1"]);
        // It has everything now: the next event is a sign of life.
        let event = reader.event().await.unwrap();
        assert_eq!(event["type"], "heartbeat");
    }
    // A version of another view, an unknown one, and one that was forgotten begin anew.
    for path in [
        format!("/api/v1/watch/pods?from={version}&stage=discovered"),
        "/api/v1/watch/pods?from=nonsense".to_owned(),
        "/api/v1/watch/pods?from=1-00000000000000000000000000000007-00000000".to_owned(),
    ] {
        let mut reader = Reader::new(&host, &path).await;
        reader.version().await;
        assert_eq!(reader.snapshots, 1, "{path}");
        assert_eq!(reader.addresses().len(), 4);
    }
    tokio::time::sleep(300 * SECOND).await;
    let mut reader = Reader::new(&host, &from).await;
    reader.version().await;
    assert_eq!(
        reader.snapshots, 1,
        "states are remembered for a while only"
    );
}

#[tokio::test(start_paused = true)]
async fn slow_reader_skips_states_and_ends_with_the_newest() {
    let host = Host::start();
    let zone = "x".repeat(500);
    let groups: Vec<_> = (0..1000)
        .map(|n| group(&format!("{n:04}"), &[(&format!("10.0.0.1:{n}"), &zone)]))
        .collect();
    host.serve(zoned(), &groups).await;
    let mut reader = Reader::new(&host, "/api/v1/watch/pods").await;
    // It has taken the beginning of the snapshot when everything changes many times.
    assert_eq!(reader.event().await.unwrap()["type"], "snapshot");
    let updates = host.updates("pods").await;
    for round in 0..50 {
        let address = format!("10.0.0.2:{round}");
        updates.apply(group("0000", &[(&address, "y")]));
        updates.apply(group("0999", &[(&address, "z")]));
        host.until("pods", |job| {
            let shown = |result: &periplus_discovery::GroupResult| {
                let row = result.discovered().group().targets[0].clone();
                row.get("__address__") == Some(&address)
            };
            job.groups.values().filter(|it| shown(it)).count() == 2
        })
        .await;
    }
    reader.version().await;
    assert_eq!(
        reader.groups.len(),
        1000,
        "the state of the beginning, whole"
    );
    assert!(reader.addresses().contains(&"10.0.0.1:999".to_owned()));
    assert_eq!(reader.version().await, 2, "fifty states became one");
    let mut ends: Vec<String> = reader.addresses();
    ends.retain(|address| address.starts_with("10.0.0.2:"));
    assert_eq!(ends, ["10.0.0.2:49", "10.0.0.2:49"]);
}

#[tokio::test(start_paused = true)]
async fn change_that_the_view_does_not_show_is_not_told() {
    let host = host().await;
    let mut reader = Reader::new(
        &host,
        "/api/v1/watch/pods?shard=0/1&match=%7Bzone%3D%22west%22%7D",
    )
    .await;
    reader.version().await;
    assert_eq!(reader.addresses(), ["b:1", "b:2"]);
    let updates = host.updates("pods").await;
    updates.apply(group("a", &[("a:9", "east")]));
    host.until("pods", |job| job.groups.len() == 2).await;
    let event = reader.event().await.unwrap();
    assert_eq!(event["type"], "heartbeat");
    updates.apply(group("a", &[("a:9", "west")]));
    assert_eq!(reader.version().await, 1);
    assert_eq!(reader.addresses(), ["a:9", "b:1", "b:2"]);
}

#[tokio::test(start_paused = true)]
async fn removed_job_becomes_empty_and_comes_back_whole() {
    let host = host().await;
    let mut reader = Reader::new(&host, "/api/v1/watch/pods").await;
    reader.version().await;
    host.apply([job("other", &[])]).await;
    reader.version().await;
    assert_eq!((reader.addresses().len(), reader.snapshots), (0, 2));
    host.apply([zoned()]).await;
    tokio::time::sleep(SECOND).await;
    host.deliver("pods", &[group("a", &[("a:1", "east")])])
        .await;
    reader.version().await;
    assert_eq!(reader.addresses(), ["a:1"]);
}

#[tokio::test(start_paused = true)]
async fn stream_that_cannot_begin_says_why() {
    let host = Host::start();
    assert_eq!(host.get("/api/v1/watch/pods").await.status, 503);
    host.apply([job("pods", &[])]).await;
    assert_eq!(host.get("/api/v1/watch/pods").await.status, 503);
    assert_eq!(host.get("/api/v1/watch/never").await.status, 404);
    for query in [
        "shard=3/3",
        "stage=raw",
        "match=x",
        "since=1",
        "names=ascii",
    ] {
        let answer = host.get(&format!("/api/v1/watch/pods?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
    }
}
