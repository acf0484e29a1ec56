//! From discovered labels to final targets, case by case.

use super::*;
use crate::name::NameScheme;
use crate::relabel::{RawRule, Rule};

fn set(json: &str) -> LabelSet {
    serde_json::from_str(json).unwrap()
}

fn defaults() -> ScrapeDefaults {
    ScrapeDefaults {
        job: "j".to_owned(),
        scrape_interval: PromDuration::from_secs(60),
        scrape_timeout: PromDuration::from_secs(10),
        metrics_path: "/metrics".to_owned(),
        scheme: "http".to_owned(),
        params: vec![
            ("a".to_owned(), vec!["1".to_owned(), "2".to_owned()]),
            ("none".to_owned(), Vec::new()),
        ],
        convert_classic_histograms_to_nhcb: true,
        always_scrape_classic_histograms: false,
        scrape_native_histograms: false,
    }
}

fn populated(labels: &str, rules: &str) -> Outcome {
    let raw: Vec<RawRule> = serde_json::from_str(rules).unwrap();
    let rules: Vec<Rule> = raw
        .iter()
        .map(|raw| Rule::new(raw, NameScheme::Utf8).unwrap())
        .collect();
    populate(
        populate_discovered(&set(labels), &defaults()),
        &Relabeler::new(&rules),
    )
}

fn active(labels: &str, rules: &str) -> FinalTarget {
    match populated(labels, rules) {
        Outcome::Active(target) => target,
        other => panic!("{other:?}"),
    }
}

#[test]
fn settings_fill_in_what_a_target_does_not_set() {
    let labels = set(r#"{"__address__":"a:1","job":"own","__param_a":"9","__scheme__":""}"#);
    let labels = populate_discovered(&labels, &defaults()).build();
    let expected = set(
        r#"{"__address__":"a:1","__always_scrape_classic_histograms__":"false",
            "__convert_classic_histograms_to_nhcb__":"true","__metrics_path__":"/metrics",
            "__param_a":"9","__scheme__":"http","__scrape_interval__":"1m",
            "__scrape_native_histograms__":"false","__scrape_timeout__":"10s","job":"own"}"#,
    );
    assert_eq!(labels, expected);
}

#[test]
fn what_cannot_be_scraped_is_refused_with_upstreams_text() {
    let rule = |label: &str, value: &str| {
        format!(r#"[{{"target_label":"{label}","replacement":"{value}"}}]"#)
    };
    for (label, value, error) in [
        (ADDRESS, "", "no address"),
        (ADDRESS, "a/b", "\"a/b\" is not a valid hostname"),
        (
            INTERVAL,
            "",
            "error parsing scrape interval: empty duration string",
        ),
        (
            INTERVAL,
            "5x",
            "error parsing scrape interval: unknown unit \"x\" in duration \"5x\"",
        ),
        (INTERVAL, "0s", "scrape interval cannot be 0"),
        (
            TIMEOUT,
            "5",
            "error parsing scrape timeout: not a valid duration string: \"5\"",
        ),
        (TIMEOUT, "0", "scrape timeout cannot be 0"),
        (
            TIMEOUT,
            "61s",
            "scrape timeout cannot be greater than scrape interval (\"61s\" > \"1m\")",
        ),
        (
            NATIVE_HISTOGRAMS,
            "yes",
            "error parsing scrape native histograms: strconv.ParseBool: parsing \"yes\": \
             invalid syntax",
        ),
    ] {
        let outcome = populated(r#"{"__address__":"a:1"}"#, &rule(label, value));
        assert_eq!(
            outcome,
            Outcome::Invalid(error.to_owned()),
            "{label} {value}"
        );
    }
    // A flag that is gone is no error.
    active(r#"{"__address__":"a:1"}"#, &rule(NATIVE_HISTOGRAMS, ""));
}

#[test]
fn a_dropped_target_is_not_checked() {
    let rules = r#"[{"source_labels":["x"],"regex":"y","action":"drop"}]"#;
    assert_eq!(populated(r#"{"x":"y"}"#, rules), Outcome::Dropped);
}

#[test]
fn meta_labels_go_and_the_instance_comes() {
    let target = active(
        r#"{"__address__":"a:1","__meta_x":"1","__tmp":"2","x":"3"}"#,
        "[]",
    );
    let public: LabelSet = target.public().collect();
    assert_eq!(public, set(r#"{"instance":"a:1","job":"j","x":"3"}"#));
    assert_eq!(target.labels.get("__meta_x"), None);
    assert_eq!(target.labels.get("__tmp"), Some("2"));
    assert!(target.internal().all(|(name, _)| name.starts_with("__")));
    assert_eq!(target.interval(), Some(PromDuration::from_secs(60)));
    assert_eq!(target.timeout(), Some(PromDuration::from_secs(10)));
    // One that a rule removed is filled in again.
    let rules = r#"[{"target_label":"instance","replacement":""}]"#;
    let target = active(r#"{"__address__":"a:1","instance":"own"}"#, rules);
    assert_eq!(target.labels.get(INSTANCE), Some("a:1"));
}

#[test]
fn urls_are_made_of_labels_and_parameters() {
    let address = r#"{"__address__":"a:1"}"#;
    for (rules, url) in [
        ("[]", "http://a:1/metrics?a=1&a=2"),
        (
            r#"[{"target_label":"__param_a","replacement":"x y"}]"#,
            "http://a:1/metrics?a=x+y&a=2",
        ),
        // Dropping the label does not drop the parameter.
        (
            r#"[{"regex":"__param_.*","action":"labeldrop"}]"#,
            "http://a:1/metrics?a=1&a=2",
        ),
        (
            r#"[{"target_label":"__param_none","replacement":"0"}]"#,
            "http://a:1/metrics?a=1&a=2&none=0",
        ),
        (
            r#"[{"target_label":"__scheme__","replacement":""}]"#,
            "//a:1/metrics?a=1&a=2",
        ),
        (
            r#"[{"target_label":"__metrics_path__","replacement":"p q"}]"#,
            "http://a:1/p%20q?a=1&a=2",
        ),
    ] {
        assert_eq!(
            active(address, rules).scrape_url(&defaults()),
            url,
            "{rules}"
        );
    }
}
