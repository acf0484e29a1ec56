//! The runner itself: it must find what is wrong, and say what it did not look at.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

const GOOD: &str = r#"{"input":"a.b","output":"a_b"}"#;
const WRONG: &str = r#"{"input":"a-b","output":"a-b"}"#;

fn folder(file: &str, lines: &[&str]) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder can be made");
    fs::write(folder.path().join(file), lines.join("\n")).expect("its files can be written");
    folder
}

/// The lines that the program prints for a folder, and whether it was content.
fn run(folder: &TempDir) -> (Vec<String>, bool) {
    let program = env!("CARGO_BIN_EXE_periplus-conformance");
    let output = Command::new(program).arg(folder.path()).output();
    let output = output.expect("the program starts");
    let text = String::from_utf8(output.stdout).expect("the program prints UTF-8");
    (
        text.lines().map(str::to_owned).collect(),
        output.status.success(),
    )
}

#[test]
fn a_wrong_case_is_named_counted_and_fails_the_run() {
    let (lines, is_good) = run(&folder("kube-names.jsonl", &[GOOD, WRONG]));
    let failure = r#"FAIL kube-names.jsonl:2 a-b: expected name "a-b", got "a_b""#;
    assert!(lines.contains(&failure.to_owned()), "{lines:?}");
    assert_eq!(lines.last().unwrap(), "1 passed, 1 failed, 0 exceptions");
    assert!(!is_good);
}

#[test]
fn missing_files_are_skipped_loudly() {
    let (lines, is_good) = run(&folder("kube-names.jsonl", &[GOOD]));
    assert!(lines.contains(&"SKIP regex.jsonl: the folder has no such file".to_owned()));
    assert_eq!(lines.last().unwrap(), "1 passed, 0 failed, 0 exceptions");
    assert!(is_good);
}

#[test]
fn a_folder_without_cases_fails() {
    let (lines, is_good) = run(&TempDir::new().unwrap());
    assert_eq!(lines.last().unwrap(), "0 passed, 0 failed, 0 exceptions");
    assert!(!is_good);
}

#[test]
fn an_exception_that_no_longer_applies_fails_the_run() {
    // A case by this name is expected to be accepted although Prometheus refuses it.
    let case = |yaml: &str, error: &str| {
        format!(
            r#"{{"name":"p-section-1144","yaml":"{yaml}","ok":false,"error":"{error}","error_kind":"validation"}}"#
        )
    };
    let met = case("", "unknown");
    let (lines, is_good) = run(&folder("config.jsonl", &[&met]));
    assert!(is_good, "{lines:?}");
    assert_eq!(lines.last().unwrap(), "0 passed, 0 failed, 1 exceptions");
    let stale = case("scrape_configs: [{}]", "job_name is empty");
    let (lines, is_good) = run(&folder("config.jsonl", &[&stale]));
    assert!(!is_good);
    assert!(
        lines[lines.len() - 2].contains("listed as an exception"),
        "{lines:?}"
    );
}

#[test]
fn wrong_results_of_each_kind_are_found() {
    for (file, case) in [
        (
            "relabel.jsonl",
            r#"{"name":"n","rules":[{"target_label":"a","replacement":"x"}],"input":{},"keep":true,"output":{}}"#,
        ),
        (
            "relabel.jsonl",
            r#"{"name":"n","rules":[],"input":{},"keep":false,"output":null}"#,
        ),
        (
            "relabel-order.jsonl",
            r#"{"name":"n","rules":[],"input":{},"outcomes":[{"keep":true,"output":{"a":"b"}}],"sorted":0}"#,
        ),
        (
            "regex.jsonl",
            r#"{"group":"g","pattern":"a(","accepted":false,"error":"another","cases":[]}"#,
        ),
        (
            "regex.jsonl",
            r#"{"group":"g","pattern":"a","accepted":true,"cases":[{"value":"a","match":false,"groups":[]}]}"#,
        ),
        (
            "regex.jsonl",
            r#"{"group":"g","pattern":"(a)","accepted":true,"names":[""],"cases":[{"value":"a","match":true,"groups":["a",null]}]}"#,
        ),
        (
            "populate.jsonl",
            r#"{"name":"n","job":{"job_name":"j"},"group":{"source":"s","labels":{},"targets":[{}]},"targets":[{"discovered":{},"labels":null,"internal":null,"scrape_url":null,"dropped":false,"error":"no address"}]}"#,
        ),
        (
            "config.jsonl",
            r#"{"name":"n","yaml":"a: 1\n","ok":true,"error":null,"jobs":[]}"#,
        ),
        (
            "config.jsonl",
            r#"{"name":"n","yaml":"","ok":false,"error":"never said","error_kind":"validation"}"#,
        ),
        (
            "config.jsonl",
            r#"{"name":"n","yaml":"a: 1\n","ok":false,"error":"yaml: unmarshal errors:\n  line 2: field","error_kind":"type"}"#,
        ),
        (
            "config.jsonl",
            r#"{"name":"n","yaml":"scrape_configs: [{job_name: j}]","ok":true,"error":null,"jobs":[]}"#,
        ),
    ] {
        let (lines, is_good) = run(&folder(file, &[case]));
        assert!(!is_good, "{case}");
        assert_eq!(
            lines.last().unwrap(),
            "0 passed, 1 failed, 0 exceptions",
            "{case}"
        );
    }
}
