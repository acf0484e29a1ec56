//! `--state-dir`: what was known is served after a start, until the source answers.

use std::fs;

use periplus_kube_api::KubeApi;

use crate::cluster::{cluster, pod, pods_job};
use crate::lab::Lab;
use crate::running::Running;

const BOTH: &[&str] = &["10.0.0.1:8080", "10.0.0.2:8080"];

fn config(api: &KubeApi) -> String {
    format!("scrape_configs:{}", pods_job(api, &[]))
}

/// A cluster with two Pods that a host has seen, and the host's state.
async fn seen() -> (KubeApi, Lab, String) {
    let api = cluster().await;
    api.apply(pod("team-a", "web-1", "10.0.0.1"));
    api.apply(pod("team-b", "web-2", "10.0.0.2"));
    let lab = Lab::new(&config(&api));
    let folder = lab.path("state").display().to_string();
    let host = lab.run(&["--state-dir", &folder]).await;
    host.until_addresses("pods", BOTH).await;
    stop(host).await;
    (api, lab, folder)
}

async fn stop(mut host: Running) {
    host.signal("TERM").await;
    assert!(host.ended().await.success(), "{}", host.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_beside_a_dead_server_serves_what_was_known() {
    let (mut api, lab, folder) = seen().await;
    api.pause().await;
    api.delete("v1/pods", "team-b", "web-2");
    let host = lab.run(&["--state-dir", &folder]).await;
    host.until_addresses("pods", BOTH).await;
    let answer = host.get("/sd/pods").await;
    assert!(answer.header("periplus-stale-since").starts_with("20"));
    assert_eq!(host.get("/-/ready").await.status, 200);
    let job = &host.get("/api/v1/status/jobs").await.json()["data"]["jobs"][0];
    assert!(job["staleSince"].is_string(), "{job}");
    let metrics = host.get("/metrics").await.text();
    assert!(metrics.contains("periplus_discovery_stale_since_timestamp_seconds{config=\"pods\"}"));
    api.resume().unwrap();
    host.until_job("the Pod that is left alone", "pods", |it| {
        assert_eq!(it.status, 200);
        assert!(it.addresses().contains(BOTH[0]), "{}", it.text());
        it.addresses().len() == 1
    })
    .await;
    let fresh = host
        .until_job("no stale targets", "pods", |it| {
            !it.headers.contains_key("periplus-stale-since")
        })
        .await;
    assert_eq!(fresh.addresses().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn state_that_cannot_be_read_is_set_aside() {
    let (mut api, lab, folder) = seen().await;
    let state = || fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path());
    for file in state() {
        let bytes = fs::read(&file).unwrap();
        fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    }
    api.pause().await;
    let host = lab.run(&["--state-dir", &folder]).await;
    host.until_logged(&["State not readable"]).await;
    assert_eq!(host.get("/sd/pods").await.status, 503);
    assert!(state().all(|file| file.extension().is_some_and(|it| it == "corrupt")));
    api.resume().unwrap();
    host.until_addresses("pods", BOTH).await;
    stop(host).await;
    assert_eq!(state().count(), 2, "the new state beside the broken one");
}

#[tokio::test(flavor = "multi_thread")]
async fn state_that_is_too_old_is_not_served() {
    let (mut api, lab, folder) = seen().await;
    api.pause().await;
    let host = lab
        .run(&["--state-dir", &folder, "--max-stale-age", "1ms"])
        .await;
    let answer = host.get("/sd/pods").await;
    assert_eq!(answer.status, 503, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_folder_that_cannot_be_used_is_named() {
    let lab = Lab::new("scrape_configs: []");
    lab.write("file", "no folder");
    let path = lab.path("file").display().to_string();
    let ended = lab.run_in_vain(&["--state-dir", &path]).await;
    let said = format!("failed to open `--state-dir {path}`");
    assert!(ended.stderr.contains(&said), "{}", ended.stderr);
}
