//! Transformers that work, and transformers that do everything wrong.

use std::time::Duration;

use periplus_config::PluginLimits;
use serde_json::json;

use crate::lab::{Lab, VERSION, row, until};

#[tokio::test]
async fn edits_reach_the_rows_that_the_guest_asks_for() {
    let lab = Lab::hostile(|_| {}).await;
    let transformer = lab.transformer("hostile", json!({"mode": "ok"}));
    let wanted = row(&[("__address__", "a:1"), ("wanted", "yes")]);
    let other = row(&[("__address__", "b:1")]);
    let rows: Vec<_> = (0..600)
        .map(|i| {
            if i % 2 == 0 {
                wanted.clone()
            } else {
                other.clone()
            }
        })
        .collect();
    let answers = transformer.transform(&rows).await.unwrap();
    assert_eq!(answers.len(), rows.len());
    for (at, answer) in answers.iter().enumerate() {
        let version = answer[0].get("version");
        assert_eq!(version, (at % 2 == 0).then_some(VERSION), "row {at}");
        assert_eq!(answer[0].get("__address__"), rows[at].get("__address__"));
    }
}

#[tokio::test]
async fn a_guest_may_add_targets() {
    let lab = Lab::hostile(|_| {}).await;
    let transformer = lab.transformer("hostile", json!({"mode": "add"}));
    let wanted = row(&[("wanted", "yes")]);
    let answers = transformer
        .transform(std::slice::from_ref(&wanted))
        .await
        .unwrap();
    assert_eq!(
        answers,
        vec![vec![wanted, row(&[("copy", "1"), ("wanted", "yes")])]]
    );
}

/// The mode fails with a text, and a good transformer beside it does not notice.
async fn fails_with(lab: &Lab, mode: &str, expected: &str) {
    let transformer = lab.transformer("hostile", json!({"mode": mode}));
    let rows = [row(&[("wanted", "yes")])];
    // Twice: the second time in a new store, where the first was lost.
    for _ in 0..2 {
        let error = transformer.transform(&rows).await.unwrap_err().message;
        assert!(
            error.contains("transformer `hostile`") && error.contains(expected),
            "{error}"
        );
    }
}

#[tokio::test]
async fn whatever_a_guest_does_fails_its_batch_alone() {
    let limits = PluginLimits {
        cpu: Some(Duration::from_millis(200)),
        memory: Some(16 << 20),
        ..Default::default()
    };
    let lab = Lab::hostile(|config| config.limits = limits).await;
    fails_with(&lab, "loop", "more than its 200ms of CPU time").await;
    fails_with(&lab, "memory", "more than its limit of 16777216").await;
    fails_with(&lab, "trap", "it trapped").await;
    fails_with(&lab, "fail", "no answer today").await;
    fails_with(&lab, "bad-row", "names row 1 of 1").await;
    fails_with(&lab, "foreign", "`__address__` is not among").await;
    fails_with(&lab, "configure-refuse", "`/mode`: it does not like it").await;
    let good = lab.transformer("hostile", json!({"mode": "ok"}));
    let answers = good.transform(&[row(&[("wanted", "yes")])]).await.unwrap();
    assert_eq!(answers[0][0].get("version"), Some(VERSION));
}

#[tokio::test]
async fn a_transformer_reaches_nothing() {
    let lab = Lab::hostile(|config| {
        config.allow.http = vec![crate::lab::http_grant("http://127.0.0.1:1")];
    })
    .await;
    let config = json!({"mode": "reach", "url": "http://127.0.0.1:1/"});
    let answers = lab
        .transformer("hostile", config)
        .transform(&[row(&[("wanted", "yes")])])
        .await
        .unwrap();
    assert_eq!(
        answers[0][0].get("reach"),
        Some("a transformer reaches nothing outside")
    );
}

#[tokio::test]
async fn its_clock_stands_still_and_its_random_numbers_repeat() {
    let rows = [row(&[("wanted", "yes")])];
    let mut seen = Vec::new();
    for _ in 0..2 {
        let lab = Lab::hostile(|_| {}).await;
        let transformer = lab.transformer("hostile", json!({"mode": "clock"}));
        let answers = transformer.transform(&rows).await.unwrap();
        seen.push(answers[0][0].get("clock").unwrap().to_owned());
    }
    assert!(seen[0].starts_with("0 "), "{seen:?}");
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn equal_entries_share_one_instance() {
    let lab = Lab::hostile(|_| {}).await;
    let first = lab.transformer("hostile", json!({"mode": "ok"}));
    let second = lab.transformer("hostile", json!({"mode": "ok"}));
    let rows = [row(&[("wanted", "yes")])];
    first.transform(&rows).await.unwrap();
    second.transform(&rows).await.unwrap();
    assert_eq!(lab.status().instances, 1);
    drop((first, second));
    until(|| lab.status().instances == 0).await;
}
