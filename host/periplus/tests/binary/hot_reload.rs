//! A `.wasm` that changes while the host runs.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::net::TcpListener;

use crate::lab::{Lab, edited, shipped_bytes};
use crate::running::{Answer, Running};

/// A label that the provider writes; edits change its last letter.
const LABEL: &str = "__meta_sockets_scope";

/// Job `local`, on a copy of the provider in the lab's folder.
async fn serving_sockets() -> (Lab, Running) {
    let lab = Lab::new(
        "
plugins:
  - source: file:sockets.wasm
    allow: {files: [/proc/net/tcp, /proc/net/tcp6]}
scrape_configs:
  - job_name: local
    sockets_sd_configs: [{refresh_interval: 1s}]
",
    );
    lab.write("sockets.wasm", shipped_bytes("sockets"));
    // A cache of its own: an edited plugin has to be compiled.
    let cache = lab.path("cache");
    let host = lab.run(&["--plugin-cache", cache.to_str().unwrap()]).await;
    (lab, host)
}

fn sockets_with(label: &str) -> Vec<u8> {
    edited(shipped_bytes("sockets"), LABEL, label)
}

const DISCOVERED: &str = "local?stage=discovered";

/// Waits until the target has a label of this name.
async fn until_label(host: &Running, address: &str, label: &str) {
    host.until_job(&format!("label `{label}`"), DISCOVERED, |answer| {
        let labels = (answer.status == 200).then(|| answer.labels(address));
        labels.flatten().is_some_and(|it| it.get(label).is_some())
    })
    .await;
}

fn reason(status: &Value) -> &str {
    status["reason"].as_str().unwrap_or_default()
}

fn failure(provider: &Value) -> &str {
    provider["last_error"]["message"]
        .as_str()
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_provider_is_live_within_two_seconds_and_no_target_is_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (lab, host) = serving_sockets().await;
    until_label(&host, &address, LABEL).await;
    let first = host.plugin("sockets").await["digest"].clone();
    let readings = host.read_steadily(&format!("/sd/{DISCOVERED}"));

    let mut fastest = Duration::MAX;
    let labels = [
        "__meta_sockets_scopf",
        "__meta_sockets_scopg",
        "__meta_sockets_scoph",
    ];
    for (index, label) in labels.into_iter().enumerate() {
        let edited = sockets_with(label);
        let began = Instant::now();
        // As builds do it, and as careful writers do it.
        if index == 0 {
            lab.write("sockets.wasm", edited);
        } else {
            lab.replace("sockets.wasm", edited);
        }
        until_label(&host, &address, label).await;
        fastest = fastest.min(began.elapsed());
    }
    // The fastest: other tests compile at the same time.
    assert!(fastest < Duration::from_secs(2), "it took {fastest:?}");

    let mut seen = Vec::new();
    for answer in readings.end().await {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let found = answer.labels(&address);
        let found = found.unwrap_or_else(|| panic!("lost `{address}`: {}", answer.text()));
        let mut labels = found.as_object().unwrap().keys();
        let label = labels.find(|it| it.starts_with("__meta_sockets_scop"));
        seen.push(label.unwrap().clone());
    }
    seen.dedup();
    assert_eq!(seen, [LABEL, labels[0], labels[1], labels[2]]);
    let plugin = host.plugin("sockets").await;
    assert_ne!(plugin["digest"], first);
    assert_eq!(
        (&plugin["reason"], &plugin["state"]),
        (&Value::Null, &"running".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_replacement_leaves_the_old_one_running_and_says_why() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (lab, host) = serving_sockets().await;
    until_label(&host, &address, LABEL).await;
    let readings = host.read_steadily(&format!("/sd/{DISCOVERED}"));

    let good = shipped_bytes("sockets");
    let broken = [
        ("damaged or truncated", good[..good.len() / 2].to_vec()),
        ("core module", wat::parse_str("(module)").unwrap()),
        ("exports nothing", wat::parse_str("(component)").unwrap()),
        (
            "mechanism `sockets` is gone from the new file",
            shipped_bytes("known_exporters"),
        ),
    ];
    for (expected, bytes) in broken {
        lab.replace("sockets.wasm", bytes);
        let provider = host
            .until_provider(expected, "sockets", |it| failure(it).contains(expected))
            .await;
        let plugin = host.plugin("sockets").await;
        for text in [failure(&provider), reason(&plugin)] {
            assert!(
                text.contains("was not taken") && text.contains("sockets.wasm"),
                "{text}"
            );
        }
        assert!(reason(&plugin).contains(expected), "{plugin}");
    }
    std::fs::remove_file(lab.path("sockets.wasm")).unwrap();
    host.until_provider("the missing file", "sockets", |it| {
        failure(it).contains("failed to read plugin")
    })
    .await;

    // The old one does not only stand there: it goes on discovering.
    let later = TcpListener::bind("127.0.0.1:0").await.unwrap();
    until_label(&host, &later.local_addr().unwrap().to_string(), LABEL).await;
    for answer in readings.end().await {
        assert_eq!(answer.status, 200);
        assert!(answer.labels(&address).is_some(), "{}", answer.text());
    }

    lab.replace("sockets.wasm", sockets_with("__meta_sockets_scopf"));
    until_label(&host, &address, "__meta_sockets_scopf").await;
    host.until_provider("no failure", "sockets", |it| it["last_error"].is_null())
        .await;
    assert_eq!(host.plugin("sockets").await["reason"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_whose_first_refresh_fails_is_not_taken_and_says_why() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (lab, host) = serving_sockets().await;
    until_label(&host, &address, LABEL).await;
    // It reads a file that is not granted.
    let bytes = edited(shipped_bytes("sockets"), "/proc/net/tcp", "/proc/net/udp");
    lab.replace("sockets.wasm", bytes);
    let provider = host
        .until_provider("the reason", "sockets", |it| {
            failure(it).contains("/proc/net/udp")
        })
        .await;
    assert!(failure(&provider).contains("not granted"), "{provider}");
    let plugin = host.plugin("sockets").await;
    assert!(reason(&plugin).contains("/proc/net/udp"), "{plugin}");
    until_label(&host, &address, LABEL).await;

    // It is tried again, and taken as soon as it works.
    let config = std::fs::read_to_string(lab.config()).unwrap();
    let granted = config.replace(
        "/proc/net/tcp,",
        "/proc/net/udp, /proc/net/udp6, /proc/net/tcp,",
    );
    lab.configure(&granted);
    assert_eq!(host.reload().await.status, 200);
    host.until("no reason", "/api/v1/plugins", |answer| {
        reason(&answer.json()["data"]["plugins"][0]).is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_transformer_is_live_and_a_broken_one_is_not() {
    let lab = Lab::new(
        "
plugins:
  - source: file:known_exporters.wasm
scrape_configs:
  - job_name: j
    static_configs: [{targets: [a:6443]}]
    transformers: [{plugin: known-exporters}]
",
    );
    let good = shipped_bytes("known_exporters");
    lab.write("known_exporters.wasm", &good);
    let host = lab.run(&[]).await;
    let named = |name: &'static str| {
        move |answer: &Answer| {
            let labels = (answer.status == 200).then(|| answer.labels("a:6443"));
            labels.flatten().is_some_and(|it| it["exporter"] == name)
        }
    };
    host.until_job("a name", "j", named("kube-apiserver")).await;

    let readings = host.read_steadily("/sd/j");
    let next = edited(good.clone(), "kube-apiserver", "kube-APISERVER");
    lab.replace("known_exporters.wasm", next);
    host.until_job("the new name", "j", named("kube-APISERVER"))
        .await;
    lab.replace("known_exporters.wasm", &good[..good.len() / 2]);
    host.until("the reason", "/api/v1/plugins", |answer| {
        let text = answer.text();
        text.contains("damaged or truncated") && text.contains("known_exporters.wasm")
    })
    .await;
    host.until_job("the new name", "j", named("kube-APISERVER"))
        .await;
    for answer in readings.end().await {
        let names = [
            named("kube-apiserver")(&answer),
            named("kube-APISERVER")(&answer),
        ];
        assert!(names.contains(&true), "{} {}", answer.status, answer.text());
    }
}
