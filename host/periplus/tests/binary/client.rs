//! `periplus targets` and `periplus explain`: the API for people.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::lab::{Lab, shipped};
use crate::running::Running;

/// A job like the quickstart's: a source, a transformer, and rules that set, copy and drop.
async fn host() -> (Lab, Running) {
    let lab = Lab::new(&format!(
        "
plugins:
  - source: file:{}
scrape_configs:
  - job_name: web
    scrape_interval: 30s
    static_configs:
      - targets: [\"10.0.0.1:9100\", \"10.0.0.2:8080\", \"10.0.0.3:1\"]
        labels: {{team: storage, tier: \"\\u001b[31mred\"}}
    transformers:
      - plugin: known-exporters
    relabel_configs:
      - {{source_labels: [__address__], regex: \".*:1\", action: drop}}
      - {{source_labels: [exporter, __address__], separator: \"@\", target_label: instance}}
      - {{regex: tier, action: labeldrop}}
",
        shipped("known_exporters").display()
    ));
    let host = lab.run(&[]).await;
    host.until_addresses("web", &["10.0.0.1:9100", "10.0.0.2:8080"])
        .await;
    (lab, host)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_label_of_every_target_is_explained() {
    let (_lab, host) = host().await;
    let list = host.get("/sd/web").await.json();
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 2);
    for target in list {
        let address = target["targets"][0].as_str().unwrap();
        let answer = host
            .get(&format!("/api/v1/explain?job=web&target={address}"))
            .await;
        let explained = &answer.json()["data"]["targets"][0];
        let shown: BTreeMap<String, Value> =
            serde_json::from_value(target["labels"].clone()).unwrap();
        for (name, value) in shown {
            let history = explained["labels"][&name].as_array();
            let last = history.and_then(|it| it.last()).map(|it| &it["value"]);
            assert_eq!(last, Some(&value), "{name} of {address}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_told_where_a_label_comes_from() {
    let (lab, host) = host().await;
    let told = lab.ask(&host, &["explain", "web", "10.0.0.1:9100"]).await;
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    for line in [
        "web: http://10.0.0.1:9100/metrics",
        "from static, source 0",
        "  exporter             node                transformers known-exporters",
        "  instance             node@10.0.0.1:9100  rule 1",
        "  team                 storage             the group",
        "  __scrape_interval__  30s                 the job's settings",
        r#"rule 2  {"regex":"tier","action":"labeldrop"}"#,
    ] {
        assert!(
            told.stdout.lines().any(|it| it == line),
            "no `{line}` in\n{}",
            told.stdout
        );
    }
    assert!(
        !told.stdout.contains('\u{1b}'),
        "a label steers the terminal"
    );
    let dropped = lab.ask(&host, &["explain", "web", "10.0.0.3:1"]).await;
    assert!(
        dropped.stdout.starts_with("web: dropped by rule 0\n"),
        "{}",
        dropped.stdout
    );
    let json = lab
        .ask(&host, &["explain", "web", "10.0.0.3:1", "--format", "json"])
        .await;
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["targets"][0]["outcome"], json!("droppedByRule"));
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_are_listed() {
    let (lab, host) = host().await;
    let told = lab.ask(&host, &["targets", "web"]).await;
    let lines: Vec<&str> = told.stdout.lines().collect();
    assert!(
        lines[1].starts_with("web  active  http://10.0.0.1:9100/metrics"),
        "{lines:?}"
    );
    assert!(lines[1].contains(r#"team="storage""#), "{lines:?}");
    assert_eq!(lines.last(), Some(&"2 active, 0 dropped shown"));
    let all = lab.ask(&host, &["targets", "--dropped"]).await;
    assert!(
        all.stdout.ends_with("\n2 active, 1 dropped shown\n"),
        "{}",
        all.stdout
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_without_an_answer_says_why() {
    let (lab, host) = host().await;
    for (words, text) in [
        (
            &["explain", "none", "a"][..],
            "there is no job `none`; known jobs are `web`",
        ),
        (&["explain", "web", "a"], "job `web` has no target `a`"),
    ] {
        let told = lab.ask(&host, words).await;
        assert_eq!(told.code, Some(1));
        assert!(told.stderr.contains(text), "{}", told.stderr);
    }
    let url = host.url();
    drop(host);
    let told = lab
        .ask_at(&url.replace("//", "//user:secret@"), &["targets"])
        .await;
    assert_eq!(told.code, Some(1));
    assert!(
        told.stderr
            .contains("no answer from `http://user:xxxxx@127.0.0.1"),
        "{}",
        told.stderr
    );
    assert!(!told.stderr.contains("secret"), "{}", told.stderr);
}
