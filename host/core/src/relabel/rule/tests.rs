//! Validation, case by case.

use super::*;

fn rule(yaml: &str, scheme: NameScheme) -> Result<Rule, String> {
    let raw: RawRule = serde_json::from_str(yaml).unwrap();
    Rule::new(&raw, scheme).map_err(|error| error.to_string())
}

#[test]
fn refusals_have_upstreams_texts() {
    for (written, error) in [
        (r#"{"action":null}"#, "relabel action cannot be empty"),
        (r#"{"action":""}"#, "unknown relabel action \"\""),
        (r#"{"action":"Nope"}"#, "unknown relabel action \"Nope\""),
        (
            r#"{"source_labels":["a",""]}"#,
            "\"\" is not a valid label name",
        ),
        (
            r#"{"regex":"a(","target_label":"x"}"#,
            "error parsing regexp: missing closing ): `^(?s:a()$`",
        ),
        (
            r#"{"action":"hashmod","target_label":"x"}"#,
            "relabel configuration for hashmod requires non-zero modulus",
        ),
        (
            "{}",
            "relabel configuration for replace action requires 'target_label' value",
        ),
        (
            r#"{"action":"UpperCase"}"#,
            "relabel configuration for uppercase action requires 'target_label' value",
        ),
        (
            r#"{"action":"lowercase","target_label":"x","replacement":"$2"}"#,
            "'replacement' can not be set for lowercase action",
        ),
        (
            r#"{"action":"labelmap","replacement":""}"#,
            "\"\" is invalid 'replacement' for labelmap action",
        ),
        (
            r#"{"action":"keepequal","target_label":"x","regex":"(.*)"}"#,
            "keepequal action requires only 'source_labels' and `target_label`, and no other fields",
        ),
        (
            r#"{"action":"dropequal","target_label":"x","separator":","}"#,
            "dropequal action requires only 'source_labels' and `target_label`, and no other fields",
        ),
        (
            r#"{"action":"labeldrop","source_labels":[]}"#,
            "labeldrop action requires only 'regex', and no other fields",
        ),
        (
            r#"{"action":"labelkeep","separator":null}"#,
            "labelkeep action requires only 'regex', and no other fields",
        ),
    ] {
        assert_eq!(
            rule(written, NameScheme::Utf8).unwrap_err(),
            error,
            "{written}"
        );
    }
}

#[test]
fn rules_that_upstream_accepts_are_accepted() {
    for written in [
        r#"{"target_label":"x"}"#,
        r#"{"target_label":"${3}","action":"lowercase"}"#,
        r#"{"target_label":"-${3}"}"#,
        r#"{"action":"labelmap"}"#,
        r#"{"action":"keepequal","target_label":"x","separator":";","replacement":"$1"}"#,
        r#"{"action":"labeldrop","regex":null,"source_labels":null}"#,
        r#"{"action":"HashMod","modulus":18446744073709551615,"target_label":"x"}"#,
    ] {
        assert_eq!(rule(written, NameScheme::Utf8).err(), None, "{written}");
    }
}

#[test]
fn legacy_targets_are_words_and_references() {
    for template in [
        "label",
        "label${1}",
        "${1}label",
        "${1}",
        "$1",
        "asd$2asd",
        "_${1}_",
        "foo${bar}foo",
        "a1",
    ] {
        assert!(is_valid_legacy_template(template), "{template}");
    }
    for template in [
        "",
        "-label",
        "${",
        "$",
        "${}",
        "foo${",
        "-foo${1}bar-",
        "bar.foo${1}bar",
        "1a",
        "0${3}",
    ] {
        assert!(!is_valid_legacy_template(template), "{template}");
    }
}

#[test]
fn legacy_names_are_checked_in_their_scheme() {
    let error = rule(
        r#"{"action":"uppercase","target_label":"${3}"}"#,
        NameScheme::Legacy,
    );
    assert_eq!(
        error.unwrap_err(),
        "\"${3}\" is invalid 'target_label' for uppercase action"
    );
    let error = rule(r#"{"target_label":"a-b"}"#, NameScheme::Legacy);
    assert_eq!(
        error.unwrap_err(),
        "\"a-b\" is invalid 'target_label' for replace action"
    );
}
