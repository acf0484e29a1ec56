//! The plugins of this repository in this host.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::lab::{Lab, entry, row, shipped, within};

#[tokio::test(flavor = "multi_thread")]
async fn sockets_finds_a_socket_that_listens_and_one_that_comes() {
    let lab = Lab::new();
    let mut config = entry(&shipped("sockets.wasm"));
    config.allow.files = vec!["/proc/net/tcp".into(), "/proc/net/tcp6".into()];
    lab.load(&[config]).await.unwrap();
    let first = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let running = lab.run_every("sockets", json!({}), Duration::from_secs(1));
    let listed = |listener: &TcpListener| {
        let address = format!(":{}", listener.local_addr().unwrap().port());
        move |probe: &periplus_discovery::UpdatesProbe| {
            let groups = probe.groups();
            let mut targets = groups.values().flat_map(|group| &group.targets);
            targets.any(|t| t.get("__address__").is_some_and(|a| a.ends_with(&address)))
        }
    };
    within(running.probe.wait_until(listed(&first))).await;
    let second = TcpListener::bind("127.0.0.1:0").await.unwrap();
    within(running.probe.wait_until(listed(&second))).await;
    let gone = listed(&first);
    drop(first);
    within(running.probe.wait_until(|probe| !gone(probe))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_without_its_grant_says_which_line_to_add() {
    let lab = Lab::new();
    lab.load(&[entry(&shipped("sockets.wasm"))]).await.unwrap();
    let failure = lab.run("sockets", json!({})).failure().await;
    assert!(
        failure.contains("allow: {files: [\"/proc/net/tcp\"]}"),
        "{failure}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn json_http_reads_an_inventory_from_the_origin_of_its_section() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hosts", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let body =
            r#"{"hosts": [{"ip": "10.0.0.1", "rack": "a"}, {"ip": "10.0.0.2", "rack": "b"}]}"#;
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length";
            let _ = stream
                .write_all(format!("{head}: {}\r\n\r\n{body}", body.len()).as_bytes())
                .await;
        }
    });
    let lab = Lab::new();
    lab.load(&[entry(&shipped("json_http.wasm"))])
        .await
        .unwrap();
    let mechanism = lab.host.mechanisms().pop_first().unwrap();
    let running = lab.run(
        &mechanism,
        json!({"url": url, "items": "/hosts", "address": "{/ip}", "port": 9100, "labels": {"rack": "{/rack}"}}),
    );
    assert_eq!(
        running.addresses().await,
        ["10.0.0.1:9100", "10.0.0.2:9100"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn known_exporters_names_what_it_knows() {
    let lab = Lab::new();
    lab.load(&[entry(&shipped("known_exporters.wasm"))])
        .await
        .unwrap();
    let transformer = lab.transformer("known-exporters", json!({}));
    let rows = [
        row(&[("__address__", "10.0.0.1:9100")]),
        row(&[("__address__", "10.0.0.1:1")]),
    ];
    let answers = transformer.transform(&rows).await.unwrap();
    assert!(
        answers[0][0].iter().any(|(_, value)| value == "node"),
        "{answers:?}"
    );
    assert_eq!(answers[1], vec![rows[1].clone()]);
}
