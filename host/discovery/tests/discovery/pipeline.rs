//! Transformers between discovery and relabeling.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use periplus_config::{Job, OnError};
use periplus_core::LabelSet;
use periplus_core::target::Outcome;
use periplus_discovery::{Snapshot, Stage, Updates};

use crate::support::{
    Fake, Host, addresses, config, group, group_with, job, mock, served, sets, settle, transformer,
    with,
};

/// A job with one mock section and one transformer.
fn transformed(on_error: OnError) -> Job {
    let mut job = job("web", vec![mock("m")]);
    job.transformers = vec![transformer("t", on_error)];
    job
}

/// A host whose transformer adds `seen: yes` while the switch is on, and fails otherwise.
async fn switched(on_error: OnError, is_on: bool) -> (Host, Updates, Arc<AtomicBool>, Arc<Fake>) {
    let host = Host::start();
    let switch = Arc::new(AtomicBool::new(is_on));
    let fake = Fake::new({
        let switch = Arc::clone(&switch);
        move |row| {
            if switch.load(Ordering::SeqCst) {
                Ok(vec![with(row, "seen", "yes")])
            } else {
                Err("out of order".to_owned())
            }
        }
    });
    host.mocks.serve("t", fake.clone());
    host.apply(vec![transformed(on_error)]).await;
    let updates = host.mocks.updates("m").await;
    (host, updates, switch, fake)
}

/// Address and `seen` of each final target.
fn seen(snapshot: &Snapshot) -> Vec<(String, String)> {
    let served = served(snapshot, Stage::Final);
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let targets = served.as_array().unwrap().iter();
    targets
        .map(|t| (text(&t["targets"][0]), text(&t["labels"]["seen"])))
        .collect()
}

fn pair(address: &str, seen: &str) -> (String, String) {
    (address.to_owned(), seen.to_owned())
}

#[tokio::test(start_paused = true)]
async fn transformers_run_in_order_before_relabeling() {
    let host = Host::start();
    for (plugin, mark) in [("first", "1"), ("second", "2")] {
        let fake = Fake::new(move |row| {
            assert_eq!(row.get("job"), None, "no defaults of the job in rows");
            let order = format!("{}{mark}", row.get("order").unwrap_or_default());
            Ok(vec![with(row, "order", &order)])
        });
        host.mocks.serve(plugin, fake);
    }
    let mut web = job("web", vec![mock("m")]);
    web.transformers = vec![
        transformer("first", OnError::Keep),
        transformer("second", OnError::Keep),
    ];
    web.relabel_rules = vec![sets("relabelled", "yes")];
    host.apply(vec![web]).await;
    let updates = host.mocks.updates("m").await;
    updates.replace(vec![group_with("0", &[("env", "prod")], &["a:1"])]);
    let snapshot = host.wait_addresses("web", &["a:1"]).await;
    let labels = |stage| served(&snapshot, stage)[0]["labels"].clone();
    assert_eq!(
        labels(Stage::Discovered),
        serde_json::json!({"env": "prod"})
    );
    assert_eq!(
        labels(Stage::Transformed),
        serde_json::json!({"env": "prod", "order": "12"})
    );
    assert_eq!(labels(Stage::Final)["relabelled"], "yes");
    assert_eq!(labels(Stage::Final)["order"], "12");
}

#[tokio::test(start_paused = true)]
async fn rows_can_be_dropped_and_multiplied() {
    let host = Host::start();
    let fake = Fake::new(|row| {
        let address = row.get("__address__").unwrap_or_default();
        Ok(match address {
            "drop:1" => Vec::new(),
            "twice:1" => vec![row.clone(), with(row, "__address__", "twice:2")],
            _ => vec![row.clone()],
        })
    });
    host.mocks.serve("t", fake);
    host.apply(vec![transformed(OnError::Keep)]).await;
    let updates = host.mocks.updates("m").await;
    updates.replace(vec![
        group("0", &["drop:1", "twice:1", "as-is:1"]),
        group("1", &["drop:1"]),
    ]);
    let snapshot = host
        .wait_addresses("web", &["as-is:1", "twice:1", "twice:2"])
        .await;
    let results: Vec<_> = snapshot.groups.values().collect();
    let rows: Vec<u32> = results[0].targets.iter().map(|target| target.row).collect();
    assert_eq!(
        rows,
        [1, 1, 2],
        "each target knows the row that it comes from"
    );
    assert!(results[1].targets.is_empty());
    assert_eq!(results[1].segment(Stage::Final), "");
    assert_ne!(results[1].segment(Stage::Discovered), "");
}

#[tokio::test(start_paused = true)]
async fn one_change_costs_one_group() {
    let (host, updates, _, fake) = switched(OnError::Keep, true).await;
    let all = |address: &str| {
        let others = (0..50).map(|n| group(&n.to_string(), &["a:1", "b:1"]));
        others.chain([group("x", &[address])]).collect::<Vec<_>>()
    };
    updates.replace(all("x:1"));
    let before = host
        .wait("web", |snapshot| snapshot.groups.len() == 51)
        .await;
    assert_eq!(
        fake.take_calls(),
        [101],
        "all rows of a pass go in one call"
    );
    updates.replace(all("x:2"));
    let after = host
        .wait("web", |snapshot| {
            addresses(snapshot).contains(&"x:2".to_owned())
        })
        .await;
    assert_eq!(fake.take_calls(), [1], "unchanged groups go no further");
    let kept = before.groups.iter().filter(|(key, result)| {
        after
            .groups
            .get(*key)
            .is_some_and(|other| Arc::ptr_eq(result, other))
    });
    assert_eq!(kept.count(), 50);
    updates.replace(all("x:2"));
    settle().await;
    assert_eq!(fake.take_calls(), [0; 0]);
    assert_eq!(host.now("web").version, after.version);
}

#[tokio::test(start_paused = true)]
async fn on_error_keep_leaves_the_last_good_result() {
    let (host, updates, switch, fake) = switched(OnError::Keep, true).await;
    updates.replace(vec![group("0", &["a:1"])]);
    host.wait_addresses("web", &["a:1"]).await;
    switch.store(false, Ordering::SeqCst);
    updates.apply_all([group("0", &["b:1"]), group("1", &["c:1"])]);
    settle().await;
    assert_eq!(seen(&host.now("web")), [pair("a:1", "yes")]);
    // It is asked again by itself.
    switch.store(true, Ordering::SeqCst);
    let healed = host.wait_addresses("web", &["b:1", "c:1"]).await;
    assert_eq!(seen(&healed), [pair("b:1", "yes"), pair("c:1", "yes")]);
    fake.take_calls();
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(
        fake.take_calls(),
        [0; 0],
        "what has healed is not asked again"
    );
}

#[tokio::test(start_paused = true)]
async fn on_error_keep_lets_go_of_groups_that_vanish() {
    let (host, updates, switch, _) = switched(OnError::Keep, true).await;
    updates.replace(vec![group("0", &["a:1"]), group("1", &["b:1"])]);
    host.wait_addresses("web", &["a:1", "b:1"]).await;
    switch.store(false, Ordering::SeqCst);
    updates.apply_all([group("0", &["c:1"]), group("1", &[])]);
    host.wait_addresses("web", &["a:1"]).await;
    updates.apply(group("0", &[]));
    host.wait_addresses("web", &[]).await;
    switch.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert!(
        addresses(&host.now("web")).is_empty(),
        "a vanished group came back"
    );
}

#[tokio::test(start_paused = true)]
async fn on_error_pass_leaves_rows_unchanged_and_on_error_drop_drops_them() {
    for (on_error, expected) in [
        (OnError::Pass, vec![pair("b:1", ""), pair("c:1", "")]),
        (OnError::Drop, Vec::new()),
    ] {
        let (host, updates, switch, _) = switched(on_error, true).await;
        updates.replace(vec![group("0", &["a:1"])]);
        host.wait_addresses("web", &["a:1"]).await;
        switch.store(false, Ordering::SeqCst);
        updates.apply_all([group("0", &["b:1"]), group("1", &["c:1"])]);
        host.wait("web", |snapshot| seen(snapshot) == expected)
            .await;
        switch.store(true, Ordering::SeqCst);
        let all = [pair("b:1", "yes"), pair("c:1", "yes")];
        host.wait("web", |snapshot| seen(snapshot) == all).await;
    }
}

#[tokio::test(start_paused = true)]
async fn new_job_whose_transformer_fails_is_not_known_instead_of_empty() {
    let (host, updates, switch, _) = switched(OnError::Keep, false).await;
    updates.replace(vec![group("0", &["a:1"])]);
    settle().await;
    let snapshot = host.now("web");
    assert!(!snapshot.known);
    assert_eq!(snapshot.missing, ["transformer `t` failed: out of order"]);
    switch.store(true, Ordering::SeqCst);
    host.wait_addresses("web", &["a:1"]).await;
}

#[tokio::test(start_paused = true)]
async fn reload_onto_a_failing_transformer_keeps_what_was_served() {
    let (host, updates, switch, _) = switched(OnError::Keep, false).await;
    host.apply(vec![job("web", vec![mock("m")])]).await;
    updates.replace(vec![group("0", &["a:1"])]);
    host.wait_addresses("web", &["a:1"]).await;
    let mut changed = job("web", vec![mock("other")]);
    changed.transformers = vec![transformer("t", OnError::Keep)];
    host.apply(vec![changed]).await;
    host.mocks
        .updates("other")
        .await
        .replace(vec![group("0", &["b:1"])]);
    settle().await;
    let waiting = host.now("web");
    assert_eq!(addresses(&waiting), ["a:1"]);
    assert_eq!(waiting.missing, ["transformer `t` failed: out of order"]);
    switch.store(true, Ordering::SeqCst);
    host.wait_addresses("web", &["b:1"]).await;
}

#[tokio::test(start_paused = true)]
async fn changed_rules_apply_while_a_transformer_fails() {
    let (host, updates, switch, _) = switched(OnError::Keep, true).await;
    updates.replace(vec![group("0", &["a:1"])]);
    host.wait_addresses("web", &["a:1"]).await;
    switch.store(false, Ordering::SeqCst);
    let mut changed = transformed(OnError::Keep);
    changed.relabel_rules = vec![sets("team", "sre")];
    host.apply(vec![changed]).await;
    let team =
        |snapshot: &Arc<Snapshot>| served(snapshot, Stage::Final)[0]["labels"]["team"] == "sre";
    let after = host.wait("web", team).await;
    assert_eq!(
        seen(&after),
        [pair("a:1", "yes")],
        "the last good rows went through new rules"
    );
}

#[tokio::test(start_paused = true)]
async fn fallback_is_what_is_served_at_the_switch_and_not_before() {
    let (host, updates, _, _) = switched(OnError::Keep, true).await;
    updates.replace(vec![group("0", &["a:1"])]);
    host.wait_addresses("web", &["a:1"]).await;
    host.mocks
        .serve("broken", Fake::new(|_| Err("never works".to_owned())));
    let mut changed = job("web", vec![mock("m"), mock("late")]);
    changed.transformers = vec![transformer("broken", OnError::Keep)];
    host.apply(vec![changed]).await;
    let late = host.mocks.updates("late").await;
    settle().await;
    // The new generation has failed already; the old one goes on.
    updates.apply(group("0", &["b:1"]));
    host.wait_addresses("web", &["b:1"]).await;
    late.replace(Vec::new());
    let switched = host
        .wait("web", |snapshot| snapshot.missing.is_empty())
        .await;
    assert_eq!(switched.job.sections.len(), 2);
    assert_eq!(seen(&switched), [pair("b:1", "yes")]);
}

#[tokio::test(start_paused = true)]
async fn new_generation_of_a_transformer_computes_the_job_again() {
    let (host, updates, switch, fake) = switched(OnError::Keep, true).await;
    updates.replace(vec![group("0", &["a:1"]), group("1", &["b:1"])]);
    host.wait_addresses("web", &["a:1", "b:1"]).await;
    assert_eq!(fake.take_calls(), [2]);
    // A group that is held back takes part, with its newest state.
    switch.store(false, Ordering::SeqCst);
    updates.apply(group("0", &["c:1"]));
    settle().await;
    fake.take_calls();
    switch.store(true, Ordering::SeqCst);
    fake.reload();
    host.wait_addresses("web", &["b:1", "c:1"]).await;
    assert_eq!(fake.take_calls(), [2]);
}

#[tokio::test(start_paused = true)]
async fn row_that_a_transformer_fails_on_holds_back_its_group_alone() {
    let host = Host::start();
    let fake = Fake::new(|row| match row.get("__address__") {
        Some("poison:1") => Err("cannot digest this".to_owned()),
        _ => Ok(vec![with(row, "seen", "yes")]),
    });
    host.mocks.serve("t", fake.clone());
    host.apply(vec![transformed(OnError::Drop)]).await;
    let updates = host.mocks.updates("m").await;
    let good = (0..200).map(|n| group(&n.to_string(), &[&format!("{n}:1")]));
    updates.replace(
        good.chain([group("p", &["poison:1", "beside:1"])])
            .collect(),
    );
    let snapshot = host.wait("web", |snapshot| snapshot.known).await;
    assert_eq!(addresses(&snapshot).len(), 200);
    let calls = fake.take_calls().len();
    assert!(calls < 30, "{calls} calls to find one group of 201");
}

#[tokio::test(start_paused = true)]
async fn broken_transformer_is_not_asked_for_every_group() {
    let (host, updates, _, fake) = switched(OnError::Pass, false).await;
    updates.replace(
        (0..500)
            .map(|n| group(&n.to_string(), &[&format!("{n}:1")]))
            .collect(),
    );
    host.wait("web", |snapshot| addresses(snapshot).len() == 500)
        .await;
    let calls = fake.take_calls().len();
    assert!(calls < 20, "{calls} calls");
}

#[tokio::test(start_paused = true)]
async fn transformer_that_answers_too_few_rows_has_failed() {
    struct Short;
    #[async_trait::async_trait]
    impl periplus_discovery::Transformer for Short {
        async fn transform(
            &self,
            rows: &[LabelSet],
        ) -> Result<Vec<Vec<LabelSet>>, periplus_discovery::TransformError> {
            Ok(rows.iter().skip(1).map(|row| vec![row.clone()]).collect())
        }
        fn generation(&self) -> tokio::sync::watch::Receiver<u64> {
            tokio::sync::watch::channel(0).1
        }
    }
    let host = Host::start();
    host.mocks.serve("t", Arc::new(Short));
    host.apply(vec![transformed(OnError::Keep)]).await;
    host.mocks
        .updates("m")
        .await
        .replace(vec![group("0", &["a:1"])]);
    let failed = |snapshot: &Arc<Snapshot>| {
        snapshot.missing == ["transformer `t` failed: answered 0 rows when asked about 1"]
    };
    host.wait("web", failed).await;
}

#[tokio::test(start_paused = true)]
async fn transformer_that_panics_has_failed_and_takes_nothing_else_along() {
    let host = Host::start();
    let fake = Fake::new(|row| {
        assert_ne!(
            row.get("__address__"),
            Some("panic:1"),
            "a mistake of the plugin host"
        );
        Ok(vec![row.clone()])
    });
    host.mocks.serve("t", fake);
    host.apply(vec![transformed(OnError::Drop)]).await;
    let updates = host.mocks.updates("m").await;
    updates.replace(vec![group("0", &["panic:1"]), group("1", &["ok:1"])]);
    host.wait_addresses("web", &["ok:1"]).await;
}

#[tokio::test(start_paused = true)]
async fn transformer_that_does_not_exist_is_reported() {
    let host = Host::start();
    let report = host
        .handle
        .apply(config(vec![transformed(OnError::Keep)]))
        .await;
    let expected = (
        "scrape_configs[0].transformers[t]",
        "no plugin is named `t`",
    );
    assert_eq!(
        report.failed_sections,
        [(expected.0.to_owned(), expected.1.to_owned())]
    );
    host.mocks
        .updates("m")
        .await
        .replace(vec![group("0", &["a:1"])]);
    settle().await;
    assert!(!host.now("web").known);
}

#[tokio::test(start_paused = true)]
async fn dropped_and_invalid_targets_are_known_but_not_served_as_final() {
    let host = Host::start();
    let mut web = job("web", vec![mock("m")]);
    web.relabel_rules = vec![crate::support::rule(
        serde_json::json!({"source_labels": ["__address__"], "regex": "drop.*", "action": "drop"}),
    )];
    host.apply(vec![web]).await;
    host.mocks
        .updates("m")
        .await
        .replace(vec![group("0", &["drop:1", "a/b", "ok:1"])]);
    let snapshot = host.wait_addresses("web", &["ok:1"]).await;
    let result = snapshot.groups.values().next().unwrap();
    assert_eq!(result.targets[0].outcome, Outcome::Dropped);
    assert!(matches!(&result.targets[1].outcome, Outcome::Invalid(why)
        if why == "\"a/b\" is not a valid hostname"));
    assert!(matches!(result.targets[2].outcome, Outcome::Active(_)));
    assert_eq!(
        served(&snapshot, Stage::Discovered)
            .as_array()
            .unwrap()
            .len(),
        3
    );
}

#[tokio::test(start_paused = true)]
async fn rules_visit_own_labels_before_those_of_the_group_as_upstream() {
    let host = Host::start();
    let mut web = job("web", vec![mock("m")]);
    web.relabel_rules = vec![crate::support::rule(serde_json::json!({
        "regex": "of_group|of_target", "replacement": "both", "action": "labelmap",
    }))];
    host.apply(vec![web]).await;
    let target = LabelSet::from_iter([("__address__", "a:1"), ("of_target", "target")]);
    host.mocks
        .updates("m")
        .await
        .replace(vec![Arc::new(periplus_core::TargetGroup {
            source: "0".into(),
            labels: LabelSet::from_iter([("of_group", "group")]),
            targets: vec![target],
        })]);
    let snapshot = host.wait_addresses("web", &["a:1"]).await;
    // In the order of names, the target's would be the last to be written.
    assert_eq!(
        served(&snapshot, Stage::Final)[0]["labels"]["both"],
        "group"
    );
}
