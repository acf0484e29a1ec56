//! `periplus config`: what a configuration means, and what belongs on the scraper beside it.

use serde_json::{Value, json};

use crate::lab::{Ended, Lab};

const CONFIG: &str = "\
global:
  scrape_interval: 30s
  sample_limit: 5000
scrape_configs:
- job_name: team/web
  scrape_timeout: 5s
  params: {module: [a, b], token: [hunter2]}
  basic_auth: {username: u, password: hunter2}
  proxy_url: http://me:hunter2@proxy:3128
  tls_config: {ca_file: ca.pem}
  metric_relabel_configs: [{action: labeldrop, regex: tmp}]
  static_configs:
  - targets: [a:1]
    labels: {env: 'yes'}
  kubernetes_sd_configs:
  - {role: pod, api_server: 'https://k:6443', bearer_token: hunter2}
  relabel_configs:
  - {source_labels: [app], target_label: job}
- job_name: plain
  relabel_configs: [{action: labeldrop, regex: job}]
";

async fn command(lab: &Lab, words: &[&str]) -> Ended {
    let mut all = vec!["config"];
    all.extend(words);
    all.push("--config");
    lab.command(&all, &[]).await
}

async fn explained(lab: &Lab, words: &[&str]) -> Value {
    let mut all = vec!["explain", "--format", "json"];
    all.extend(words);
    let ended = command(lab, &all).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.shown(lab)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_part_is_told_with_the_line_that_it_comes_from() {
    let lab = Lab::new(CONFIG);
    let all = explained(&lab, &[]).await;
    assert_eq!(all["jobs"].as_array().unwrap().len(), 2);
    let job = &explained(&lab, &["team/web"]).await["jobs"][0];
    assert_eq!(job["origin"], "DIR/prometheus.yml:5");
    for (key, value, origin) in [
        ("scrape_interval", json!("30s"), "DIR/prometheus.yml:2"),
        ("scrape_timeout", json!("5s"), "DIR/prometheus.yml:6"),
        ("metrics_path", json!("/metrics"), "default"),
        ("sample_limit", json!(5000), "DIR/prometheus.yml:3"),
        ("proxy_url", json!("<secret>"), "DIR/prometheus.yml:9"),
        (
            "basic_auth",
            json!({"username": "u", "password": "<secret>"}),
            "DIR/prometheus.yml:8",
        ),
    ] {
        let expected = json!({ "value": value, "origin": origin });
        assert_eq!(job["settings"][key], expected, "{key}");
    }
    let mechanisms: Vec<_> = job["discovery"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| json!([it["mechanism"], it["origin"]]))
        .collect();
    assert_eq!(
        mechanisms,
        [
            json!(["kubernetes", "DIR/prometheus.yml:16"]),
            json!(["static", "DIR/prometheus.yml:13"]),
        ]
    );
    assert_eq!(
        job["relabel_configs"],
        json!([{
            "value": {
                "action": "replace", "source_labels": ["app"], "separator": ";",
                "regex": "(.*)", "target_label": "job", "replacement": "$1",
            },
            "origin": "DIR/prometheus.yml:18",
        }])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_text_for_people_is_yaml_that_says_the_same() {
    let lab = Lab::new(CONFIG);
    let ended = command(&lab, &["explain"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let text = ended.shown(&lab);
    let read: Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(read["jobs"][0]["scrape_interval"], "30s");
    assert_eq!(
        read["jobs"][0]["discovery"][1]["static"][0]["labels"]["env"],
        "yes"
    );
    assert_eq!(read["jobs"][1]["relabel_configs"][0]["action"], "labeldrop");
    assert!(text.contains("# DIR/prometheus.yml:2\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_shown_by_neither_unless_asked_for() {
    let lab = Lab::new(CONFIG);
    for words in [
        &["explain"][..],
        &["explain", "--format", "json"],
        &["scraper", "team/web"],
    ] {
        let ended = command(&lab, words).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stdout.contains("<secret>"), "{}", ended.stdout);
        assert!(!ended.stdout.contains("hunter2"), "{}", ended.stdout);
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    }
    let ended = command(&lab, &["scraper", "team/web", "--with-secrets"]).await;
    assert_eq!(
        ended.stdout.matches("hunter2").count(),
        3,
        "{}",
        ended.stdout
    );
    assert!(!ended.stdout.contains("<secret>"), "{}", ended.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scraper_keeps_what_final_targets_cannot_say() {
    let lab = Lab::new(CONFIG);
    let words = [
        "scraper",
        "team/web",
        "--url",
        "https://periplus.example/base/",
    ];
    let ended = command(&lab, &words).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let read: Value = serde_saphyr::from_str(&ended.stdout).unwrap();
    assert_eq!(
        read["scrape_configs"],
        json!([{
            "job_name": "team/web",
            "scrape_timeout": "5s",
            "params": {"module": ["a", "b"], "token": "<secret>"},
            "basic_auth": {"username": "u", "password": "<secret>"},
            "proxy_url": "<secret>",
            "tls_config": {"ca_file": "ca.pem"},
            "metric_relabel_configs": [{"action": "labeldrop", "regex": "tmp"}],
            "scrape_interval": "30s",
            "sample_limit": 5000,
            "http_sd_configs": [{
                "url": "https://periplus.example/base/sd/team%2Fweb",
                "refresh_interval": "15s",
            }],
        }])
    );
    assert!(
        ended
            .stdout
            .contains("relabel_configs[0] can leave targets without `job`"),
        "{}",
        ended.stdout
    );
    let ended = command(&lab, &["scraper", "plain"]).await;
    let read: Value = serde_saphyr::from_str(&ended.stdout).unwrap();
    let rules = &read["scrape_configs"][0]["relabel_configs"];
    assert_eq!(*rules, json!([{"action": "labeldrop", "regex": "job"}]));
    let ended = command(&lab, &["scraper", "plain", "--url", "mailto:a"]).await;
    assert!(ended.stderr.contains("is no URL of a server"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_take_away_what_scrapers_fill_in_are_warned_about() {
    let lab = Lab::new(CONFIG);
    let checked = lab.check(&[]).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let text = checked.shown(&lab);
    for expected in [
        "warning: DIR/prometheus.yml:18:28: scrape_configs[0].relabel_configs[0].target_label: \
         targets can be without `job` here",
        "hint: an expression that matches no empty value, such as `(.+)`",
        "warning: DIR/prometheus.yml:20:41: scrape_configs[1].relabel_configs[0].regex: \
         targets are without `job` here",
        "hint: `periplus config scraper` prints a section that removes it",
    ] {
        assert!(text.contains(expected), "no `{expected}` in:\n{text}");
    }
}
