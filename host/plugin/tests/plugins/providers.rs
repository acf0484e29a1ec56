//! Providers that work, and providers that do everything wrong.

use std::time::{Duration, Instant};

use periplus_config::PluginLimits;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::lab::{Lab, VERSION, http_grant, until, within};

/// A server that answers every request with a text.
async fn server(body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length";
            let _ = stream
                .write_all(format!("{head}: {}\r\n\r\n{body}", body.len()).as_bytes())
                .await;
        }
    });
    origin
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_refresh_is_full_and_publishes_groups() {
    let lab = Lab::hostile(|_| {}).await;
    let running = lab.run_every("hostile", json!({"mode": "ok"}), Duration::from_secs(1));
    running.until_label("__meta_hostile_version", VERSION).await;
    assert!(running.probe.groups().contains_key("full"));
    within(running.probe.wait_until(|probe| probe.status().synced)).await;
    // The next one is not: the source of the first is gone with it.
    within(
        running
            .probe
            .wait_until(|probe| probe.groups().contains_key("news")),
    )
    .await;
    assert!(!running.probe.groups().contains_key("full"));
}

/// The mode fails with a text, and the host goes on.
async fn fails_with(lab: &Lab, mode: &str, expected: &str) {
    let running = lab.run_mode(mode);
    let failure = running.failure().await;
    assert!(failure.contains(expected), "{mode}: {failure}");
    assert!(running.now().is_empty());
    assert!(!running.probe.status().synced);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_loops_is_stopped_by_its_cpu_budget() {
    let limits = PluginLimits {
        cpu: Some(Duration::from_millis(200)),
        ..Default::default()
    };
    let lab = Lab::hostile(|config| config.limits = limits).await;
    fails_with(&lab, "loop", "more than its 200ms of CPU time").await;
    assert!(lab.status().traps >= 1);
}

/// On one thread, where a guest that did not yield would stop everything.
#[tokio::test]
async fn a_guest_that_loops_lets_others_run() {
    let limits = PluginLimits {
        cpu: Some(Duration::from_mins(10)),
        ..Default::default()
    };
    let lab = Lab::hostile(|config| config.limits = limits).await;
    let looping = lab.run_mode("loop");
    let other = lab.run_mode("ok");
    assert_eq!(other.addresses().await, ["c:3", "a:1"]);
    assert!(looping.now().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_grows_is_stopped_by_its_memory_limit() {
    let limits = PluginLimits {
        memory: Some(16 << 20),
        ..Default::default()
    };
    let lab = Lab::hostile(|config| config.limits = limits).await;
    fails_with(&lab, "memory", "more than its limit of 16777216").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn traps_and_exits_cost_the_store_alone() {
    let lab = Lab::hostile(|_| {}).await;
    fails_with(&lab, "trap", "it trapped").await;
    fails_with(&lab, "stack", "it trapped").await;
    fails_with(&lab, "exit", "it trapped").await;
    assert_eq!(lab.run_mode("ok").addresses().await, ["c:3", "a:1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_waits_for_ever_is_stopped_by_its_wall_limit() {
    let limits = PluginLimits {
        wall: Some(Duration::from_millis(100)),
        ..Default::default()
    };
    let lab = Lab::hostile(|config| config.limits = limits).await;
    fails_with(&lab, "sleep", "did not return within 100ms").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_million_targets_are_refused() {
    let lab = Lab::hostile(|_| {}).await;
    let running = lab.run_mode("many");
    let failure = running.failure().await;
    assert!(failure.contains("limit"), "{failure}");
    let limits = PluginLimits {
        output: Some(1 << 30),
        memory: Some(1 << 30),
        ..Default::default()
    };
    let lab = Lab::hostile(|config| config.limits = limits).await;
    fails_with(
        &lab,
        "many",
        "with group `many` the targets pass the limit of 1000000",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_breaks_a_rule_is_refused_and_names_the_group() {
    let lab = Lab::hostile(|_| {}).await;
    fails_with(&lab, "twice", "update refused: group `g` is there twice").await;
    fails_with(
        &lab,
        "foreign-label",
        "group `g`: label `__param_target` is not among",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_lines_are_cut_and_the_update_counts() {
    let lab = Lab::hostile(|_| {}).await;
    for mode in ["flood", "print"] {
        assert_eq!(lab.run_mode(mode).addresses().await, ["c:3", "a:1"]);
    }
    let mut registry = prometheus_client::registry::Registry::default();
    lab.host.metrics().register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    let dropped = "periplus_plugin_log_lines_dropped_total{plugin=\"hostile\"} ";
    let dropped: u64 = text
        .lines()
        .find_map(|line| line.strip_prefix(dropped))
        .unwrap()
        .parse()
        .unwrap();
    assert!(dropped > 150_000, "{dropped}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wasi_has_nothing_behind_it() {
    let lab = Lab::hostile(|_| {}).await;
    let running = lab.run_mode("wasi");
    for name in ["files", "environment", "connect", "listen"] {
        running
            .until_label(&format!("__meta_hostile_{name}"), "false")
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_origin_of_the_section_needs_no_grant() {
    let origin = server("a:1").await;
    let lab = Lab::hostile(|_| {}).await;
    let running = lab.run("hostile", json!({"mode": "http", "url": origin}));
    assert_eq!(running.addresses().await, ["a:1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_of_the_schema_grants_nothing_and_the_refusal_has_the_line_to_add() {
    let lab = Lab::hostile(|_| {}).await;
    let failure = lab.run_mode("http-default").failure().await;
    assert!(
        failure.contains("`http://127.0.0.1:1` is not granted"),
        "{failure}"
    );
    assert!(
        failure.contains("allow: {http: [\"http://127.0.0.1:1\"]}"),
        "{failure}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_grant_opens_an_origin() {
    let lab =
        Lab::hostile(|config| config.allow.http = vec![http_grant("http://127.0.0.1:1")]).await;
    // Granted now: what fails is the connection, to a port where nobody listens.
    let failure = lab.run_mode("http-default").failure().await;
    assert!(failure.contains("failed to connect"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_read_by_grant_alone() {
    let lab = Lab::new();
    let granted = lab.home.path().join("granted");
    std::fs::write(&granted, "a:1").unwrap();
    let path = granted.to_str().unwrap().to_owned();
    let lab = Lab::hostile(|config| config.allow.files = vec![path.clone()]).await;
    let running = lab.run("hostile", json!({"mode": "file", "path": path}));
    assert_eq!(running.addresses().await, ["a:1"]);
    let refused = lab.run("hostile", json!({"mode": "file", "path": "/etc/hostname"}));
    let failure = refused.failure().await;
    assert!(
        failure.contains("`/etc/hostname` is not granted"),
        "{failure}"
    );
    assert!(
        failure.contains("allow: {files: [\"/etc/hostname\"]}"),
        "{failure}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_looked_up_by_grant_alone() {
    let lab = Lab::hostile(|config| config.allow.dns = vec!["localhost".into()]).await;
    let running = lab.run("hostile", json!({"mode": "dns", "url": "localhost"}));
    let addresses = running.addresses().await;
    assert_eq!(addresses[0], "127.0.0.1");
    assert!(
        addresses[1].contains("`SRV` are not offered"),
        "{addresses:?}"
    );
    let running = lab.run("hostile", json!({"mode": "dns", "url": "example.com"}));
    assert!(running.addresses().await[0].contains("`example.com` is not granted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_a_started_request_wakes_the_provider() {
    let origin = server("started:1").await;
    let lab = Lab::hostile(|_| {}).await;
    // The interval is an hour: only the answer can bring the second refresh.
    let running = lab.run("hostile", json!({"mode": "start", "url": origin}));
    assert_eq!(running.addresses().await, ["started:1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn configure_reaches_nothing() {
    let lab = Lab::hostile(|config| config.allow.files = vec!["/etc/*".into()]).await;
    fails_with(&lab, "configure-reach", "nothing outside may be reached").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_keeps_failing_is_quarantined() {
    let lab = Lab::hostile(|_| {}).await;
    let refused = lab.run_mode("configure-refuse");
    let trapped = lab.run_mode("configure-trap");
    for running in [&refused, &trapped] {
        within(running.probe.wait_until(|probe| {
            probe
                .status()
                .last_error
                .is_some_and(|(_, e)| e.contains("waits for a new file"))
        }))
        .await;
    }
    assert!(
        refused
            .failure()
            .await
            .contains("`/mode`: it does not like it")
    );
    assert_eq!(lab.status().state, "failing");
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_stay_when_the_guest_traps_and_come_back_full() {
    let lab = Lab::hostile(|_| {}).await;
    let config = json!({"mode": "trap-second"});
    let running = lab.run_every("hostile", config, Duration::from_secs(1));
    assert_eq!(running.addresses().await, ["c:3", "a:1"]);
    let failure = running.failure().await;
    assert!(failure.contains("it trapped"), "{failure}");
    assert_eq!(running.now(), ["c:3", "a:1"]);
    // A new store, whose first refresh is full again.
    within(
        running
            .probe
            .wait_until(|probe| probe.status().last_error.is_none()),
    )
    .await;
    assert!(running.probe.groups().contains_key("full"));
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_stay_when_the_source_is_unavailable() {
    let lab = Lab::hostile(|_| {}).await;
    let config = json!({"mode": "unavailable"});
    let running = lab.run_every("hostile", config, Duration::from_secs(1));
    assert_eq!(running.addresses().await, ["c:3", "a:1"]);
    assert_eq!(running.failure().await, "the source is down");
    assert_eq!(running.now(), ["c:3", "a:1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_published_before_the_first_complete_update() {
    let lab = Lab::hostile(|_| {}).await;
    let running = lab.run_every(
        "hostile",
        json!({"mode": "partial"}),
        Duration::from_secs(1),
    );
    assert_eq!(running.addresses().await, ["c:3", "a:1"]);
    assert!(!running.probe.groups().contains_key("partial"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lapse_keeps_the_group_and_counts_as_a_failure() {
    let lab = Lab::hostile(|_| {}).await;
    let running = lab.run_mode("lapse");
    let failure = running.failure().await;
    assert!(
        failure.contains("group `b` could not be read: b is away"),
        "{failure}"
    );
    assert_eq!(running.now(), ["a:2", "b:1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_a_guest_in_the_middle_of_a_call() {
    let limits = PluginLimits {
        cpu: Some(Duration::from_mins(10)),
        ..Default::default()
    };
    let lab = Lab::hostile(|config| config.limits = limits).await;
    let running = lab.run_mode("loop");
    until(|| lab.status().instances == 1).await;
    let stopped = Instant::now();
    drop(running);
    until(|| lab.status().instances == 0).await;
    assert!(stopped.elapsed() < Duration::from_secs(10));
}
