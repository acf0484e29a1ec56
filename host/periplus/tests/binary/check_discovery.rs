//! `periplus check discovery`: what a job finds and what its rules make of that, without serving.

use serde_json::{Value, json};

use crate::cluster::{cluster, pod, pods_job};
use crate::lab::{Ended, Lab, shipped};

const JOBS: &str = "\
scrape_config_files: [more.yml]
scrape_configs:
- job_name: web
  metrics_path: /m
  static_configs:
  - targets: [a:1, b:1, c:1]
    labels: {env: prod}
  - targets: [a:1]
    labels: {env: prod}
  relabel_configs:
  - {source_labels: [__address__], regex: c:1, target_label: __address__, replacement: http://c}
  - action: drop
    source_labels: [__address__]
    regex: b:1
";
const MORE: &str = "\
scrape_configs:
- job_name: more
  file_sd_configs: [{files: [found.json]}]
  relabel_configs: [{action: keep, source_labels: [keep], regex: yes}]
";
const FOUND: &str = r#"[{"targets": ["d:1"]}]"#;

fn lab() -> Lab {
    let lab = Lab::new(JOBS);
    lab.write("more.yml", MORE);
    lab.write("found.json", FOUND);
    lab
}

async fn check(lab: &Lab, options: &[&str]) -> Ended {
    lab.command(&["check", "discovery"], options).await
}

fn json_of(ended: &Ended) -> Value {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_are_told_before_and_after_with_what_became_of_them() {
    let lab = lab();
    let targets = json_of(&check(&lab, &["web", "--format", "json"]).await);
    let brief: Vec<Value> = targets
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            json!([
                it["discoveredLabels"]["__address__"],
                it["state"],
                it["source"]
            ])
        })
        .collect();
    assert_eq!(
        brief,
        [
            json!(["a:1", "active", "0"]),
            json!(["b:1", "dropped", "0"]),
            json!(["c:1", "invalid", "0"]),
            json!(["a:1", "copy", "1"]),
        ]
    );
    assert_eq!(targets[0]["scrapeUrl"], "http://a:1/m");
    assert_eq!(targets[0]["discoveredLabels"]["__metrics_path__"], "/m");
    assert_eq!(targets[0]["labels"]["instance"], "a:1");
    assert_eq!(targets[0]["labels"]["env"], "prod");
    let reason = targets[1]["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("dropped by relabel_configs[1] ("),
        "{reason}"
    );
    assert!(
        reason.ends_with("prometheus.yml:12), action drop"),
        "{reason}"
    );
    assert_eq!(targets[1]["labels"], json!({}));
    assert_eq!(targets[2]["error"], "\"http://c\" is not a valid hostname");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_shows_the_same_for_people() {
    let lab = lab();
    let ended = check(&lab, &["web"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for expected in [
        "STATE    BEFORE RELABELING",
        "active   __address__=\"a:1\"",
        "http://a:1/m",
        "dropped  __address__=\"b:1\"",
        "4 targets: 1 active, 1 dropped, 1 invalid, 1 copies",
    ] {
        assert!(
            ended.stdout.contains(expected),
            "no `{expected}` in:\n{}",
            ended.stdout
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_of_an_included_file_is_named_by_that_file() {
    let lab = lab();
    let targets = json_of(&check(&lab, &["more", "--format", "json"]).await);
    assert_eq!(targets[0]["mechanism"], "file");
    let reason = targets[0]["reason"].as_str().unwrap();
    assert!(reason.contains("relabel_configs[0] ("), "{reason}");
    assert!(reason.contains("more.yml:4), action keep"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_in_time_is_an_error_and_no_empty_list() {
    let mut api = cluster().await;
    api.apply(pod("team-a", "web-0", "10.0.0.1"));
    let lab = Lab::new(&format!("scrape_configs:{}", pods_job(&api, &[])));
    let found = json_of(&check(&lab, &["pods", "--format", "json"]).await);
    assert_eq!(found[0]["labels"]["instance"], "10.0.0.1:8080");

    api.pause().await;
    let ended = check(&lab, &["pods", "--timeout", "1s"]).await;
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stdout, "");
    assert!(
        ended.stderr.contains("job `pods` is not known after 1s"),
        "{}",
        ended.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_job_is_told_which_there_are() {
    let ended = check(&lab(), &["wbe"]).await;
    assert_eq!(ended.code, Some(1));
    let expected = "job `wbe` is not in the configuration; select one of `web`, `more`";
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    let broken = Lab::new("scrape_configs: [{job_name: a, scheem: x}]");
    let ended = check(&broken, &["a"]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(
        ended.stderr.contains("did you mean `scheme`?"),
        "{}",
        ended.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_find_and_edit_as_they_do_in_the_host() {
    // On a port that the table of exporters names, and on one that it does not.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let lab = Lab::new(&format!(
        "plugins:
  - source: file:{sockets}
    allow: {{files: [/proc/net/tcp, /proc/net/tcp6]}}
  - source: file:{exporters}
scrape_configs:
  - job_name: local
    sockets_sd_configs: [{{loopback: true, ports: {{include: [{port}]}}}}]
    static_configs: [{{targets: ['x:1']}}]
    transformers:
      - plugin: known-exporters
        config: {{exporters: {{{port}: mine}}, unknown: drop}}
",
        sockets = shipped("sockets").display(),
        exporters = shipped("known_exporters").display(),
    ));
    let targets = json_of(&check(&lab, &["local", "--format", "json"]).await);
    let targets = targets.as_array().unwrap();
    let of = |mechanism: &str| {
        let mut found = targets.iter().filter(|it| it["mechanism"] == mechanism);
        found
            .next()
            .unwrap_or_else(|| panic!("no target of {mechanism}: {targets:?}"))
    };
    let found = of("sockets");
    assert_eq!(found["state"], "active");
    assert_eq!(found["discoveredLabels"]["exporter"], "mine");
    let dropped = of("static");
    assert_eq!(dropped["state"], "dropped");
    assert_eq!(dropped["reason"], "dropped by a transformer");
    assert_eq!(dropped["discoveredLabels"]["__address__"], "x:1");
}
