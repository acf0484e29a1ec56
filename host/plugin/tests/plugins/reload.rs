//! Files that change while their plugins run.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::lab::{Lab, VERSION, hostile, hostile_version, row, until, within};

const NEXT: &str = "hostile-version-0002";

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_live_within_two_seconds_and_loses_no_target() {
    let lab = Lab::hostile(|_| {}).await;
    let running = lab.run_mode("ok");
    running.until_label("__meta_hostile_version", VERSION).await;
    let before = lab.status().digest;
    let bytes = hostile_version(NEXT);
    let written = Instant::now();
    std::fs::write(lab.home.path().join("hostile.wasm"), bytes).unwrap();
    within(async {
        loop {
            assert_eq!(running.now().len(), 2, "a target was lost");
            let groups = running.probe.groups();
            if groups
                .values()
                .all(|g| g.labels.get("__meta_hostile_version") == Some(NEXT))
            {
                break;
            }
            running.probe.changed().await;
        }
    })
    .await;
    // The promise is two seconds; a machine that builds beside the test gets some more.
    assert!(
        written.elapsed() < Duration::from_secs(10),
        "{:?}",
        written.elapsed()
    );
    until(|| lab.status().digest != before).await;
    assert_eq!(lab.status().reason, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_written_in_pieces_is_taken_when_it_is_whole() {
    let lab = Lab::hostile(|_| {}).await;
    let running = lab.run_mode("ok");
    running.until_label("__meta_hostile_version", VERSION).await;
    let bytes = hostile_version(NEXT);
    let mut file = File::create(lab.home.path().join("hostile.wasm")).unwrap();
    for piece in bytes.chunks(bytes.len() / 5) {
        file.write_all(piece).unwrap();
        file.sync_all().unwrap();
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    running.until_label("__meta_hostile_version", NEXT).await;
    assert_eq!(lab.status().reason, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_leaves_the_old_one_running_and_says_why() {
    let lab = Lab::hostile(|_| {}).await;
    let running = lab.run_every("hostile", json!({"mode": "ok"}), Duration::from_secs(1));
    running.until_label("__meta_hostile_version", VERSION).await;
    let digest = lab.status().digest;
    let path = lab.home.path().join("hostile.wasm");
    std::fs::write(&path, wat::parse_str("(module)").unwrap()).unwrap();
    let failure = running.failure().await;
    assert!(failure.contains("changed file was not taken"), "{failure}");
    assert!(failure.contains("core module"), "{failure}");
    let status = lab.status();
    assert!(status.reason.unwrap().contains("core module"));
    assert_eq!((status.digest, status.state.as_str()), (digest, "running"));
    assert_eq!(running.now().len(), 2);
    // Good bytes again, and all is well.
    std::fs::write(&path, hostile()).unwrap();
    until(|| lab.status().reason.is_none()).await;
    within(
        running
            .probe
            .wait_until(|probe| probe.status().last_error.is_none()),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_first_refresh_fails_is_not_taken() {
    let lab = Lab::hostile(|_| {}).await;
    let running = lab.run_mode("ok");
    running.until_label("__meta_hostile_version", VERSION).await;
    // The same component, whose manifest asks for a field that the section does not have.
    let mut bytes = hostile();
    let required = br#""required": ["mode"]"#;
    let at = bytes
        .windows(required.len())
        .position(|w| w == required)
        .unwrap();
    bytes[at..at + required.len()].copy_from_slice(br#""required": ["none"]"#);
    std::fs::write(lab.home.path().join("hostile.wasm"), bytes).unwrap();
    let failure = running.failure().await;
    assert!(
        failure.contains("not taken") && failure.contains("none"),
        "{failure}"
    );
    assert_eq!(running.now().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_changes_nothing() {
    let lab = Lab::hostile(|_| {}).await;
    let running = lab.run_mode("ok");
    running.until_label("__meta_hostile_version", VERSION).await;
    std::fs::remove_file(lab.home.path().join("hostile.wasm")).unwrap();
    until(|| {
        lab.status()
            .reason
            .is_some_and(|reason| reason.contains("failed to read"))
    })
    .await;
    assert_eq!(running.now().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_grant_reaches_the_running_instance() {
    let lab = Lab::new();
    let secret = lab.home.path().join("secret");
    std::fs::write(&secret, "a:1").unwrap();
    let mut config = lab.entry("hostile.wasm", &hostile());
    lab.load(std::slice::from_ref(&config)).await.unwrap();
    let path = secret.to_str().unwrap().to_owned();
    let running = lab.run("hostile", json!({"mode": "file", "path": path}));
    assert!(running.failure().await.contains("not granted"));
    config.allow.files = vec![path];
    lab.load(&[config]).await.unwrap();
    assert_eq!(running.addresses().await, ["a:1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_transformer_raises_its_generation() {
    let lab = Lab::hostile(|_| {}).await;
    let transformer = lab.transformer("hostile", json!({"mode": "ok"}));
    let rows = [row(&[("wanted", "yes")])];
    let answers = transformer.transform(&rows).await.unwrap();
    assert_eq!(answers[0][0].get("version"), Some(VERSION));
    let mut generation = transformer.generation();
    generation.borrow_and_update();
    std::fs::write(lab.home.path().join("hostile.wasm"), hostile_version(NEXT)).unwrap();
    within(generation.changed()).await.unwrap();
    let answers = transformer.transform(&rows).await.unwrap();
    assert_eq!(answers[0][0].get("version"), Some(NEXT));
    assert_eq!(lab.status().reason, None);
}
