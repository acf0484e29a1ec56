//! What a running host serves, from every kind of section at every stage.

use std::collections::BTreeSet;
use std::io::Read;
use std::time::{Duration, Instant};

use periplus_kube_api::KubeApi;
use periplus_kube_api::load::{Churn, Load};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::cluster::{addressed_pods, cluster, pod, pods_job};
use crate::lab::{Lab, shipped};
use crate::running::{Answer, Running};

/// Jobs `fixed/web`, `files`, `local` and `pods`. The transformer of `local` knows one port.
fn config(api: &KubeApi, known_port: u16) -> String {
    format!(
        "
plugins:
  - source: file:{sockets}
    allow: {{files: [/proc/net/tcp, /proc/net/tcp6]}}
  - source: file:{exporters}
scrape_configs:
  - job_name: fixed/web
    scheme: https
    static_configs:
      - targets: [a.example:1, b.example:2]
        labels: {{team: web, __meta_rack: r1}}
    relabel_configs:
      - source_labels: [__meta_rack]
        target_label: rack
      - source_labels: [__address__]
        regex: b.*
        action: drop
  - job_name: files
    file_sd_configs:
      - files: [targets/*.json]
  - job_name: local
    sockets_sd_configs:
      - refresh_interval: 1s
    transformers:
      - plugin: known-exporters
        config: {{exporters: {{{known_port}: mine}}}}
    relabel_configs:
      - source_labels: [__meta_sockets_scope]
        target_label: scope
{pods}",
        sockets = shipped("sockets").display(),
        exporters = shipped("known_exporters").display(),
        pods = pods_job(api, &[]),
    )
}

async fn serving(api: &KubeApi, known_port: u16) -> (Lab, Running) {
    let lab = Lab::new(&config(api, known_port));
    std::fs::create_dir(lab.path("targets")).unwrap();
    lab.write("targets/a.json", r#"[{"targets": ["file.example:1"]}]"#);
    let host = lab.run(&[]).await;
    (lab, host)
}

fn is_success(answer: &Answer) -> bool {
    answer.status == 200
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_section_is_served_at_every_stage() {
    let api = cluster().await;
    api.apply(pod("team-a", "web-0", "10.0.0.1"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = listener.local_addr().unwrap();
    let (_lab, host) = serving(&api, socket.port()).await;

    let ready = host.until("readiness", "/-/ready", is_success).await;
    assert_eq!(ready.text(), "Periplus is ready.\n");

    // Static: the rule drops one target and keeps the label that only the other stages show.
    let escaped = host.get("/sd/fixed%2Fweb").await;
    assert_eq!(
        escaped.json(),
        json!([{"targets": ["a.example:1"], "labels": {
            "__metrics_path__": "/metrics", "__scheme__": "https", "instance": "a.example:1",
            "job": "fixed/web", "rack": "r1", "team": "web",
        }}])
    );
    assert_eq!(host.get("/sd/fixed/web").await.body, escaped.body);
    for stage in ["discovered", "transformed"] {
        let answer = host.get(&format!("/sd/fixed/web?stage={stage}")).await;
        assert_eq!(answer.addresses().len(), 2);
        let labels = answer.labels("b.example:2").unwrap();
        assert_eq!(labels, json!({"__meta_rack": "r1", "team": "web"}));
    }

    host.until_addresses("files", &["file.example:1"]).await;
    let discovered = host.get("/sd/files?stage=discovered").await;
    let path = discovered.labels("file.example:1").unwrap()["__meta_filepath"].clone();
    assert!(path.as_str().unwrap().ends_with("targets/a.json"), "{path}");

    // Provider plugin, then transformer plugin, then rules.
    let address = socket.to_string();
    let labels = |answer: Answer| answer.labels(&address).unwrap_or_default();
    let discovered = labels(host.get("/sd/local?stage=discovered").await);
    assert_eq!(discovered["__meta_sockets_scope"], "loopback");
    assert_eq!(discovered.get("exporter"), None);
    let transformed = labels(host.get("/sd/local?stage=transformed").await);
    assert_eq!(transformed["exporter"], "mine");
    assert_eq!(transformed.get("scope"), None);
    let last = labels(host.get("/sd/local").await);
    assert_eq!(
        (&last["exporter"], &last["scope"], &last["job"]),
        (&json!("mine"), &json!("loopback"), &json!("local"))
    );
    assert_eq!(last.get("__meta_sockets_scope"), None);

    let pods = host.get("/sd/pods").await.labels("10.0.0.1:8080").unwrap();
    assert_eq!(pods["pod"], "team-a/web-0");
    let discovered = host.get("/sd/pods?stage=discovered").await;
    let discovered = discovered.labels("10.0.0.1:8080").unwrap();
    assert_eq!(discovered["__meta_kubernetes_pod_label_app"], "web-0");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_list_is_not_sent_again() {
    let lab = Lab::new("scrape_configs: [{job_name: j, static_configs: [{targets: [a:1]}]}]");
    let host = lab.run(&[]).await;
    let first = host.until_job("targets", "j", is_success).await;
    let etag = first.header("etag").to_owned();
    let again = host
        .request(Method::GET, "/sd/j")
        .header("if-none-match", &etag);
    let again = Answer::to(again).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), etag);

    let packed = host
        .request(Method::GET, "/sd/j")
        .header("accept-encoding", "gzip");
    let packed = Answer::to(packed).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert_ne!(packed.header("etag"), etag, "encodings are told apart");
    let mut unpacked = Vec::new();
    flate2::read::MultiGzDecoder::new(&*packed.body)
        .read_to_end(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, first.body);

    // Another process answers the same bytes under the same tag; another target changes both.
    let twin = lab.run(&[]).await;
    let same = twin.until_job("targets", "j", is_success).await;
    assert_eq!((same.header("etag"), &same.body), (&*etag, &first.body));
    lab.configure("scrape_configs: [{job_name: j, static_configs: [{targets: [b:1]}]}]");
    assert_eq!(host.reload().await.status, 200);
    host.until_addresses("j", &["b:1"]).await;
    let stale = host
        .request(Method::GET, "/sd/j")
        .header("if-none-match", &etag);
    let changed = Answer::to(stale).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), etag);
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_and_files_that_come_and_go_do_so_in_the_lists() {
    let api = cluster().await;
    let (lab, host) = serving(&api, 1).await;
    host.until("readiness", "/-/ready", is_success).await;

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let appeared = host
        .until_job("the socket", "local", |answer| {
            answer.labels(&address).is_some()
        })
        .await;
    // Its exporter is unknown, and it stays in the list.
    assert_eq!(appeared.labels(&address).unwrap().get("exporter"), None);
    drop(listener);
    host.until_job("no such socket", "local", |answer| {
        is_success(answer) && answer.labels(&address).is_none()
    })
    .await;

    lab.write("targets/b.json", r#"[{"targets": ["late.example:1"]}]"#);
    host.until_addresses("files", &["file.example:1", "late.example:1"])
        .await;
    // Half a file is no reason to forget what it said before; the next whole one counts.
    lab.write("targets/b.json", r#"[{"targets": ["la"#);
    host.until_provider("the failure", "file", |provider| {
        provider["last_error"]["message"]
            .as_str()
            .is_some_and(|text| text.contains("b.json"))
    })
    .await;
    host.until_addresses("files", &["file.example:1", "late.example:1"])
        .await;
    std::fs::remove_file(lab.path("targets/b.json")).unwrap();
    host.until_addresses("files", &["file.example:1"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_follow_the_churn() {
    let api = cluster().await;
    let load = Load {
        pods: 40,
        nodes: 2,
        namespaces: 3,
        seed: 7,
    };
    load.fill(&api);
    let lab = Lab::new(&format!("scrape_configs:{}", pods_job(&api, &[])));
    let host = lab.run(&[]).await;
    let mut churn = Churn::new(load);
    for _ in 0..4 {
        for _ in 0..25 {
            churn.step(&api);
        }
        let expected = addressed_pods(&api);
        assert!(expected.len() > 20);
        host.until_job("the Pods of the store", "pods", |answer| {
            is_success(answer) && names(&answer.json()) == expected
        })
        .await;
    }
}

fn names(list: &Value) -> BTreeSet<String> {
    let targets = list.as_array().unwrap().iter();
    targets
        .map(|target| target["labels"]["pod"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_waits_for_every_job_and_never_turns_back() {
    let mut api = cluster().await;
    api.apply(pod("team-a", "web-0", "10.0.0.1"));
    api.pause().await;
    let (_lab, host) = serving(&api, 1).await;
    let waiting = host
        .until("the only thing missing", "/-/ready", |answer| {
            answer.text().matches("\n- ").count() == 1
        })
        .await;
    assert_eq!(waiting.status, 503);
    assert!(waiting.text().contains("- pods: "), "{}", waiting.text());
    assert!(
        waiting.text().contains("list of `pods`"),
        "{}",
        waiting.text()
    );
    let unknown = host.get("/sd/pods").await;
    assert_eq!((unknown.status, unknown.header("retry-after")), (503, "5"));
    // What is known is served meanwhile.
    host.until_addresses("files", &["file.example:1"]).await;

    api.resume().unwrap();
    host.until("readiness", "/-/ready", is_success).await;
    host.until_addresses("pods", &["10.0.0.1:8080"]).await;
    api.pause().await;
    host.until_provider("the failure", "kubernetes", |provider| {
        provider["state"] == "failing"
    })
    .await;
    assert_eq!(host.get("/-/ready").await.status, 200);
    host.until_addresses("pods", &["10.0.0.1:8080"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_comes_at_its_timeout_and_names_what_is_missing() {
    let mut api = cluster().await;
    api.pause().await;
    let lab = Lab::new(&format!("scrape_configs:{}", pods_job(&api, &[])));
    let host = lab.run(&["--ready-timeout", "1s"]).await;
    assert_eq!(host.get("/-/ready").await.status, 503);
    let ready = host.until("readiness", "/-/ready", is_success).await;
    let text = ready.text();
    assert!(text.contains("does not know everything"), "{text}");
    assert!(text.contains("- pods: "), "{text}");
    // Never a false empty list.
    assert_eq!(host.get("/sd/pods").await.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_it_with_success_at_once() {
    let api = cluster().await;
    for signal in ["TERM", "INT"] {
        let (_lab, mut host) = serving(&api, 1).await;
        host.until("readiness", "/-/ready", is_success).await;
        let asked = Instant::now();
        host.signal(signal).await;
        assert_eq!(host.ended().await.code(), Some(0), "{}", host.log());
        assert!(asked.elapsed() < Duration::from_secs(5), "{}", host.log());
        host.until_logged(&["Stopped"]).await;
    }
}
