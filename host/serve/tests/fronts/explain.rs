//! Why a target has a label, and why it is not there.

use std::collections::BTreeMap;

use periplus_core::relabel::RawRule;
use serde_json::{Value, json};

use crate::support::{Host, drop_rule, group, job, rule};

fn rules() -> [RawRule; 3] {
    [
        drop_rule("__meta_zone", "moon"),
        rule(json!({"source_labels": ["__meta_zone"], "target_label": "zone"})),
        rule(json!({"regex": "job", "action": "labeldrop"})),
    ]
}

async fn host() -> Host {
    let host = Host::start();
    host.apply([job("pods", &rules()), job("waiting", &[])])
        .await;
    let targets = [
        ("10.0.0.1:80", "east"),
        ("10.0.0.9:80", "moon"),
        ("bad/address", "east"),
    ];
    let twin = [("10.0.0.1:80", "east")];
    host.deliver("pods", &[group("a", &targets), group("b", &twin)])
        .await;
    host.until("pods", |snapshot| snapshot.known).await;
    host
}

async fn explain(host: &Host, target: &str) -> Value {
    let answer = host
        .get(&format!("/api/v1/explain?job=pods&target={target}"))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["data"].take()
}

#[tokio::test]
async fn a_target_is_followed_from_its_source_to_its_end() {
    let data = explain(&host().await, "10.0.0.1:80").await;
    insta::assert_snapshot!("explain", serde_json::to_string_pretty(&data).unwrap());
}

#[tokio::test]
async fn a_target_that_is_not_served_says_why() {
    let host = host().await;
    let dropped = &explain(&host, "10.0.0.9:80").await["targets"][0];
    assert_eq!(dropped["outcome"], "droppedByRule");
    assert_eq!(dropped["rule"], 0);
    let keeps = dropped["steps"].as_array().unwrap().iter();
    assert_eq!(
        keeps.map(|step| &step["keep"]).collect::<Vec<_>>(),
        [false, false, false]
    );
    let invalid = &explain(&host, "bad/address").await["targets"][0];
    assert_eq!(invalid["outcome"], "invalid");
    assert_eq!(invalid["reason"], "\"bad/address\" is not a valid hostname");
}

/// What the explanation says of the last value of each final label is what the list shows.
#[tokio::test]
async fn every_label_of_every_target_is_explained() {
    let host = host().await;
    let list = host.get("/sd/pods").await.json();
    for target in list.as_array().unwrap() {
        let address = target["targets"][0].as_str().unwrap();
        let data = explain(&host, address).await;
        let targets = data["targets"].as_array().unwrap();
        let found = targets.iter().find(|it| it["outcome"] == "active").unwrap();
        let mut shown: BTreeMap<String, Value> =
            serde_json::from_value(target["labels"].clone()).unwrap();
        shown.insert("__address__".to_owned(), address.into());
        assert_eq!(found["finalLabels"], serde_json::to_value(&shown).unwrap());
        for (name, value) in shown {
            let history = found["labels"][&name].as_array();
            let last = history.and_then(|it| it.last());
            assert_eq!(last.map(|it| &it["value"]), Some(&value), "{name}");
        }
    }
}

#[tokio::test]
async fn questions_that_make_no_sense_say_what_to_ask() {
    let host = host().await;
    for (query, status, text) in [
        ("", 400, "name a job"),
        ("?job=pods", 400, "name a target"),
        ("?job=pods&target=", 400, "name a target"),
        ("?job=pods&target=a&target=b", 400, "more than once"),
        ("?job=pods&address=a", 400, "unknown parameter `address`"),
        (
            "?job=pods&target=10.9.9.9:1",
            404,
            "has no target `10.9.9.9:1`",
        ),
        ("?job=none&target=a", 404, "there is no job `none`"),
        ("?job=waiting&target=a", 503, "not known yet"),
    ] {
        let answer = host.get(&format!("/api/v1/explain{query}")).await;
        assert_eq!(answer.status, status, "{query}");
        assert!(answer.text().contains(text), "{query}: {}", answer.text());
    }
}
