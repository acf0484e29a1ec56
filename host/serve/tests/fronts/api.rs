//! `/api/v1/...` and the page.

use std::time::SystemTime;

use periplus_discovery::PluginStatus;
use serde_json::{Value, json};

use crate::support::{Host, Setup, drop_rule, group, job, rule};

/// One job with an active and a dropped target, and one that is not known yet.
async fn host() -> Host {
    let host = Host::start();
    let rules = [
        drop_rule("__meta_zone", "moon"),
        rule(json!({"source_labels": ["__meta_zone"], "target_label": "zone"})),
        rule(json!({"target_label": "__param_module", "replacement": "tcp"})),
    ];
    host.apply([job("pods", &rules), job("waiting", &[])]).await;
    let targets = [
        ("10.0.0.1:80", "east"),
        ("10.0.0.9:80", "moon"),
        ("bad/address", "east"),
    ];
    host.deliver("pods", &[group("a", &targets)]).await;
    host.until("pods", |snapshot| snapshot.known).await;
    host
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

#[tokio::test]
async fn targets_have_the_shape_of_prometheus() {
    let answer = host().await.get("/api/v1/targets").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    insta::assert_snapshot!("api-targets", pretty(&answer.json()));
}

#[tokio::test]
async fn targets_are_filtered_by_state_and_pool() {
    let host = host().await;
    let sizes = async |query: &str| {
        let data = host.get(&format!("/api/v1/targets?{query}")).await.json()["data"].take();
        let length = |key: &str| data[key].as_array().unwrap().len();
        (
            length("activeTargets"),
            length("droppedTargets"),
            data["droppedTargetCounts"].clone(),
        )
    };
    let counts = json!({"pods": 1, "waiting": 0});
    assert_eq!(sizes("").await, (1, 1, counts.clone()));
    assert_eq!(sizes("state=any").await, (1, 1, counts.clone()));
    assert_eq!(sizes("state=ACTIVE").await, (1, 0, Value::Null));
    assert_eq!(sizes("state=dropped").await, (0, 1, counts.clone()));
    assert_eq!(sizes("state=nonsense").await, (0, 0, Value::Null));
    assert_eq!(sizes("scrapePool=pods").await, (1, 1, counts.clone()));
    assert_eq!(sizes("scrapePool=waiting").await, (0, 0, counts.clone()));
    assert_eq!(sizes("scrapePool=&state=active").await, (1, 0, Value::Null));
}

#[tokio::test]
async fn copies_of_a_target_are_listed_once() {
    let host = Host::start();
    let groups = [
        group("a", &[("10.0.0.1:80", "east")]),
        group("b", &[("10.0.0.1:80", "west")]),
    ];
    host.serve(job("pods", &[]), &groups).await;
    let data = host.get("/api/v1/targets").await.json()["data"].take();
    assert_eq!(data["activeTargets"].as_array().unwrap().len(), 1);
    assert_eq!(
        host.get("/sd/pods").await.json().as_array().unwrap().len(),
        1
    );
    let status = host.get("/api/v1/status/jobs").await.json();
    assert_eq!(status["data"]["jobs"][0]["final"], 1);
    assert_eq!(status["data"]["jobs"][0]["transformed"], 2);
}

#[tokio::test]
async fn scrape_pools_are_sorted_by_name() {
    let host = Host::start();
    host.apply(["b", "c", "a"].map(|name| job(name, &[]))).await;
    assert_eq!(
        host.get("/api/v1/scrape_pools").await.text(),
        r#"{"status":"success","data":{"scrapePools":["a","b","c"]}}"#,
    );
}

#[tokio::test]
async fn providers_tell_what_they_wait_for_and_why_they_fail() {
    let host = host().await;
    let updates = host.updates("waiting").await;
    updates.waiting_for(Some("list of `pods`: 403".into()));
    updates.failure("the answer was 403");
    host.until("waiting", |job| {
        job.missing.iter().any(|what| what.contains("403"))
    })
    .await;
    let mut providers = host.get("/api/v1/providers").await.json()["data"]["providers"].take();
    let of = |providers: &Value, job: &str| {
        let list = providers.as_array().unwrap();
        list.iter()
            .find(|provider| provider["jobs"] == json!([job]))
            .unwrap()
            .clone()
    };
    let waiting = of(&providers, "waiting");
    assert_eq!(waiting["waiting_for"], "list of `pods`: 403");
    assert_eq!(waiting["last_error"]["message"], "the answer was 403");
    assert_eq!(waiting["synced"], false);
    assert_eq!(waiting["state"], "failing");
    let pods = of(&providers, "pods");
    assert_eq!((&pods["groups"], &pods["targets"]), (&json!(1), &json!(3)));
    assert_eq!(pods["synced"], true);
    assert_eq!(
        pods["name"].as_str().unwrap().split('/').next(),
        Some("told")
    );
    providers.take();
}

#[tokio::test]
async fn plugins_tell_why_a_newer_file_was_not_taken() {
    let plugin = PluginStatus {
        name: "sockets".into(),
        version: Some("0.1.0".into()),
        digest: Some("ab".repeat(32)),
        source: "file:sockets.wasm".into(),
        mechanisms: vec!["sockets".into()],
        state: "running".into(),
        reason: Some("the new file is not a component".into()),
        loaded_at: Some(SystemTime::UNIX_EPOCH),
        ..PluginStatus::default()
    };
    let host = Host::with(Setup {
        plugins: vec![plugin],
        ..Setup::default()
    });
    let answer = host.get("/api/v1/plugins").await.json();
    insta::assert_snapshot!("api-plugins", pretty(&answer));
}

#[tokio::test]
async fn status_tells_version_start_and_what_is_missing() {
    let host = host().await;
    assert_eq!(
        host.get("/api/v1/status/buildinfo").await.text(),
        r#"{"status":"success","data":{"version":"1.2.3"}}"#,
    );
    let info = host.get("/api/v1/status/runtimeinfo").await.json()["data"].take();
    assert_eq!(info["startTime"], "1970-01-01T00:00:00Z");
    assert_eq!(info["configFile"], "periplus.yml");
    assert_eq!(info["ready"], false);
    assert!(
        info["missing"][0]
            .as_str()
            .unwrap()
            .starts_with("waiting: ")
    );
}

#[tokio::test]
async fn job_statuses_count_each_stage() {
    let host = host().await;
    let jobs = host.get("/api/v1/status/jobs").await.json()["data"]["jobs"].take();
    let pods = &jobs[0];
    assert_eq!(pods["name"], "pods");
    assert_eq!(pods["known"], true);
    let numbers = ["groups", "discovered", "transformed", "final", "invalid"];
    assert_eq!(
        numbers.map(|key| pods[key].as_u64().unwrap()),
        [1, 3, 3, 1, 1]
    );
    assert_eq!(
        pods["invalidExample"],
        "\"bad/address\" is not a valid hostname"
    );
    assert_eq!(jobs[1]["known"], false);
}

#[tokio::test]
async fn job_statuses_say_what_the_scraper_will_refuse() {
    let host = Host::start();
    let mut limited = job("pods", &[]);
    limited.limits.targets = 1;
    limited.limits.value_length = 12;
    host.apply([limited]).await;
    let targets = [("10.0.0.1:80", "east"), ("10.100.100.100:80", "east")];
    host.deliver("pods", &[group("a", &targets)]).await;
    host.until("pods", |snapshot| snapshot.known).await;
    let job = host.get("/api/v1/status/jobs").await.json()["data"]["jobs"][0].take();
    assert_eq!(job["targetLimit"], 1);
    assert_eq!(job["overTargetLimit"], true);
    assert_eq!(job["overLabelLimits"], 1);
    let example = job["overLabelLimitsExample"].as_str().unwrap();
    assert!(
        example.starts_with("label_value_length_limit exceeded (label name: instance"),
        "{example}"
    );
    let list = host.get("/sd/pods").await.json();
    assert_eq!(list.as_array().unwrap().len(), 2, "all are served");
}

#[tokio::test]
async fn page_of_jobs_links_to_their_lists() {
    let host = Host::start();
    host.apply([job("a/<script>alert(1)</script>", &[]), job("b c", &[])])
        .await;
    let answer = host.get("/jobs").await;
    assert_eq!(answer.status, 200);
    let page = answer.text();
    assert!(page.contains("a/&lt;script&gt;"));
    assert!(page.contains("href=\"/sd/b%20c\""), "{page}");
    assert!(page.contains("not known yet"));
    let link = page
        .split("href=\"")
        .find(|part| part.starts_with("/sd/a/"))
        .unwrap();
    let path = link.split('"').next().unwrap();
    // The link leads to the job: it is known of, if not yet known.
    assert_eq!(host.get(path).await.status, 503, "{path}");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_json_errors() {
    let host = host().await;
    let answer = host.get("/api/v2/targets").await;
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.text(),
        r#"{"status":"error","errorType":"not_found","error":"no such path `/api/v2/targets`; `/` lists what there is"}"#,
    );
    for path in [
        "/",
        "/sd/pods",
        "/api/v1/targets",
        "/metrics",
        "/-/healthy",
        "/-/ready",
    ] {
        let answer = host.ask("POST", path, &[("host", "localhost")]).await;
        assert_eq!(answer.status, 405, "{path}");
        assert_eq!(answer.header("allow"), "GET,HEAD", "{path}");
        assert_eq!(answer.json()["status"], "error", "{path}");
    }
    for path in ["/", "/sd/pods", "/api/v1/targets", "/metrics", "/nonsense"] {
        assert_eq!(
            host.get(path).await.header("x-content-type-options"),
            "nosniff",
            "{path}"
        );
    }
}
