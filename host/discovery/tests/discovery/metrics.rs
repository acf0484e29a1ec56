//! What is counted, and under which name.

use std::time::{Duration, SystemTime};

use periplus_config::OnError;
use periplus_discovery::DiscoveryMetrics;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use crate::support::{
    Fake, Host, config, failing, files, fixed, group, job, mock, settle, transformer, within,
};

fn text(registry: &Registry) -> String {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
    text
}

/// The value of one series.
fn value(registry: &Registry, series: &str) -> Option<f64> {
    let text = text(registry);
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}

fn host() -> (Host, Registry) {
    let mut registry = Registry::default();
    let metrics = DiscoveryMetrics::register(&mut registry);
    (Host::start_with(metrics), registry)
}

#[tokio::test]
async fn names_and_kinds_are_these() {
    let (host, registry) = host();
    // A series of each metric: a file, a group that repeats, a transformer that fails.
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("t.json"), "[]").unwrap();
    host.mocks.serve("t", Fake::new(|_| Err("no".to_owned())));
    let mut web = job(
        "web",
        vec![mock("m"), files(&directory.path().join("t.json"))],
    );
    web.transformers = vec![transformer("t", OnError::Pass)];
    host.apply(vec![web]).await;
    let updates = host.mocks.updates("m").await;
    updates.replace(vec![group("0", &["a:1"])]);
    host.wait_addresses("web", &["a:1"]).await;
    updates.apply(group("0", &["b:1"]));
    host.wait_addresses("web", &["b:1"]).await;
    updates.apply(group("0", &["b:1"]));
    let again = r#"periplus_discovery_suppressed_groups_total{mechanism="mock"}"#;
    within(async {
        while value(&registry, again).is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    let text = text(&registry);
    let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let mut kinds: Vec<&str> = kinds.collect();
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        [
            "periplus_discovery_final_targets gauge",
            "periplus_discovery_providers gauge",
            "periplus_discovery_publish_latency_seconds histogram",
            "periplus_discovery_state_write_failures counter",
            "periplus_discovery_suppressed_groups counter",
            "periplus_pipeline_pass_duration_seconds histogram",
            "periplus_pipeline_refused_labels counter",
            "periplus_pipeline_relabelled_targets counter",
            "periplus_pipeline_transform_failures counter",
            "prometheus_sd_discovered_targets gauge",
            "prometheus_sd_failed_configs gauge",
            "prometheus_sd_file_mtime_seconds gauge",
            "prometheus_sd_file_read_errors counter",
            "prometheus_sd_file_scan_duration_seconds histogram",
            "prometheus_sd_file_watcher_errors counter",
            "prometheus_sd_http_failures counter",
            "prometheus_sd_last_update_timestamp_seconds gauge",
            "prometheus_sd_received_updates counter",
            "prometheus_sd_updates counter",
            "prometheus_sd_updates_delayed counter",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn failed_configs_tells_the_failures_of_the_last_reload() {
    let (host, registry) = host();
    let failing = ["1", "2", "3"].map(failing).to_vec();
    host.handle.apply(config(vec![job("web", failing)])).await;
    let series = r#"prometheus_sd_failed_configs{name="scrape"}"#;
    assert_eq!(value(&registry, series), Some(3.0));
    host.apply(vec![job("web", vec![fixed(&[&["a:1"]])])]).await;
    assert_eq!(value(&registry, series), Some(0.0));
}

#[tokio::test(start_paused = true)]
async fn series_of_a_removed_job_are_gone() {
    let (host, registry) = host();
    let one = || job("one", vec![fixed(&[&["a:1", "b:1"]])]);
    host.apply(vec![one(), job("two", vec![mock("m")])]).await;
    host.mocks
        .updates("m")
        .await
        .replace(vec![group("0", &["c:1"])]);
    host.wait_addresses("one", &["a:1", "b:1"]).await;
    host.wait_addresses("two", &["c:1"]).await;
    let targets = |job: &str| {
        let series = format!(r#"prometheus_sd_discovered_targets{{name="scrape",config="{job}"}}"#);
        value(&registry, &series)
    };
    assert_eq!((targets("one"), targets("two")), (Some(2.0), Some(1.0)));
    host.apply(vec![one()]).await;
    settle().await;
    assert_eq!((targets("one"), targets("two")), (Some(2.0), None));
    assert!(!text(&registry).contains(r#"config="two""#));
}

#[tokio::test(start_paused = true)]
async fn last_update_is_the_time_of_the_last_snapshot() {
    let seconds = || {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs_f64()
    };
    let (host, registry) = host();
    let before = seconds();
    host.apply(vec![job("web", vec![fixed(&[&["a:1"]])])]).await;
    host.wait_addresses("web", &["a:1"]).await;
    settle().await;
    let series = r#"prometheus_sd_last_update_timestamp_seconds{name="scrape",config="web"}"#;
    let at = value(&registry, series).unwrap();
    assert!(before <= at && at <= seconds(), "{before} {at}");
}

#[tokio::test(start_paused = true)]
async fn latency_is_measured_from_the_event_and_repeated_groups_are_counted() {
    let (host, registry) = host();
    host.apply(vec![job("web", vec![mock("m")])]).await;
    let updates = host.mocks.updates("m").await;
    updates.replace(Vec::new());
    settle().await;
    updates.observed_at(Instant::now());
    tokio::time::sleep(Duration::from_secs(2)).await;
    updates.apply(group("0", &["a:1"]));
    host.wait_addresses("web", &["a:1"]).await;
    settle().await;
    let sum = r#"periplus_discovery_publish_latency_seconds_sum{mechanism="mock"}"#;
    assert_eq!(value(&registry, sum), Some(2.0));
    updates.apply(group("0", &["a:1"]));
    settle().await;
    let again = r#"periplus_discovery_suppressed_groups_total{mechanism="mock"}"#;
    assert_eq!(value(&registry, again), Some(1.0));
    assert_eq!(
        value(
            &registry,
            r#"periplus_discovery_providers{mechanism="mock"}"#
        ),
        Some(1.0)
    );
    host.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_over_its_target_limit_is_flagged_and_served_whole() {
    let (host, registry) = host();
    let mut web = job("web", vec![mock("m")]);
    web.limits.targets = 2;
    host.apply(vec![web, job("free", vec![mock("m")])]).await;
    let updates = host.mocks.updates("m").await;
    updates.replace(vec![group("0", &["a:1", "b:1"])]);
    host.wait_addresses("web", &["a:1", "b:1"]).await;
    let over = r#"periplus_discovery_over_target_limit{config="web"}"#;
    let shown = r#"periplus_discovery_final_targets{config="web"}"#;
    assert_eq!(
        (value(&registry, over), value(&registry, shown)),
        (Some(0.0), Some(2.0))
    );
    // A copy counts once.
    updates.apply(group("1", &["a:1"]));
    settle().await;
    assert_eq!(
        (value(&registry, over), value(&registry, shown)),
        (Some(0.0), Some(2.0))
    );
    updates.apply(group("2", &["c:1"]));
    host.wait_addresses("web", &["a:1", "b:1", "c:1"]).await;
    assert_eq!(
        (value(&registry, over), value(&registry, shown)),
        (Some(1.0), Some(3.0))
    );
    updates.apply(group("0", &[]));
    settle().await;
    assert_eq!(
        (value(&registry, over), value(&registry, shown)),
        (Some(0.0), Some(2.0))
    );
    let free = r#"periplus_discovery_over_target_limit{config="free"}"#;
    assert_eq!(value(&registry, free), None);
    host.stop().await;
}
