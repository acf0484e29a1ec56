use super::*;

const URL: &str = "http://h/sd";

fn addresses(body: &str) -> Vec<Vec<String>> {
    let groups = read(body.as_bytes(), URL).unwrap();
    let addresses = groups.iter().map(|group| {
        let targets = group.targets.iter();
        targets
            .map(|target| target.get("__address__").unwrap_or_default().to_owned())
            .collect()
    });
    addresses.collect()
}

#[test]
fn groups_carry_their_url_and_are_named_after_it() {
    let body = r#"[
        {"targets": ["127.0.0.1:9090"], "labels": {"__meta_datacenter": "bru1"}},
        {"targets": ["a:1", "b:1"], "labels": {"__meta_url": "other", "job": "", "ünï": "x"}},
        {}
    ]"#;
    let groups = read(body.as_bytes(), URL).unwrap();
    let sources: Vec<_> = groups.iter().map(|group| &*group.source).collect();
    assert_eq!(sources, ["http://h/sd:0", "http://h/sd:1", "http://h/sd:2"]);
    assert_eq!(groups[0].labels.get("__meta_datacenter"), Some("bru1"));
    for group in &groups {
        assert_eq!(group.labels.get("__meta_url"), Some(URL));
    }
    assert_eq!(groups[1].labels.get("job"), Some(""));
    assert_eq!(groups[1].labels.get("ünï"), Some("x"));
    assert_eq!(groups[1].targets.len(), 2);
}

#[test]
fn what_go_takes_for_nothing_is_nothing() {
    assert!(addresses("null").is_empty());
    assert!(addresses(" [] \n").is_empty());
    assert_eq!(
        addresses(r#"[{"Targets": null, "LABELS": null}]"#),
        [[""; 0]]
    );
    assert_eq!(addresses(r#"[{"TARGETS": ["a:1", null]}]"#), [["a:1", ""]]);
    let groups = read(br#"[{"labels": {"a": null}}]"#, URL).unwrap();
    assert_eq!(groups[0].labels.get("a"), Some(""));
    // The last of several wins, and what is no UTF-8 is replaced.
    let twice = r#"[{"targets": ["a:1"], "targets": ["b:1"]}]"#;
    assert_eq!(addresses(twice), [["b:1"]]);
    let groups = read(b"[{\"labels\": {\"a\": \"\xe2\x82x\"}}]", URL).unwrap();
    assert_eq!(groups[0].labels.get("a"), Some("\u{fffd}\u{fffd}x"));
}

#[test]
fn anything_else_is_refused() {
    for (body, reason) in [
        ("", "EOF"),
        ("[", "EOF"),
        ("<html>", "expected value"),
        ("{}", "invalid type: map"),
        ("7", "invalid type: integer"),
        (r#""x""#, "invalid type: string"),
        (r#"{"targets": []}"#, "invalid type: map"),
        ("[null]", "nil target group item found"),
        ("[[]]", "expected a target group"),
        ("[7]", "expected a target group"),
        (r#"[{"targets": "a:1"}]"#, "expected a sequence"),
        (r#"[{"targets": [1]}]"#, "expected a string"),
        (r#"[{"targets": [{}]}]"#, "expected a string"),
        (
            r#"[{"targets": ["a:1"], "labels": ["a"]}]"#,
            "expected a map",
        ),
        (r#"[{"labels": {"a": 1}}]"#, "expected a string"),
        (r#"[{"labels": {"a": {}}}]"#, "expected a string"),
        (
            r#"[{"labels": {"": "x"}}]"#,
            "\"\" is not a valid label name",
        ),
        (r#"[{"label": {}}]"#, "unknown field `label`"),
        (r#"[{"target": ["a"]}]"#, "unknown field `target`"),
        ("[] []", "trailing characters"),
        (r#"[{"targets": ["\ud800"]}]"#, "end of hex escape"),
    ] {
        let error = read(body.as_bytes(), URL).unwrap_err().to_string();
        assert!(error.contains(reason), "{body}: {error}");
    }
}

#[test]
fn nesting_does_not_overflow_the_stack() {
    let deep = "[".repeat(1_000_000);
    assert!(read(deep.as_bytes(), URL).is_err());
    let deep = format!("[{{\"x\": {}", "[".repeat(1_000_000));
    assert!(read(deep.as_bytes(), URL).is_err());
}

proptest::proptest! {
    #[test]
    fn no_bytes_break_the_reader(bytes: Vec<u8>) {
        let _ = read(&bytes, URL);
    }

    #[test]
    fn no_document_that_looks_like_a_list_breaks_the_reader(
        text in r#"\[(\{"(targets|LABELS|x)": ?(null|\[("a"|1|null),?\]|\{"(|a)": ?("b"|2)\})\},?|null|\\u[0-9a-f]{4}){0,4}\]?"#
    ) {
        if let Ok(groups) = read(text.as_bytes(), URL) {
            for group in groups {
                assert_eq!(group.labels.get("__meta_url"), Some(URL));
            }
        }
    }
}
