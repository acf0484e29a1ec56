//! The recorded cases kept beside this crate.

use std::path::Path;

use periplus_conformance::{EXCEPTIONS, SUITES, run};

#[test]
fn recorded_cases_have_their_recorded_results() {
    let report = run(&Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens")).unwrap();
    let failures: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    assert_eq!(failures, Vec::<String>::new());
    assert_eq!(report.missing, Vec::<String>::new());
    assert_eq!(
        report.passed + report.excepted.len(),
        3000 + 90 + 1050 + 600 + 150
    );
}

#[test]
fn every_exception_is_of_a_known_suite_and_they_are_few() {
    assert!(EXCEPTIONS.len() < 10);
    for exception in &EXCEPTIONS {
        assert!(
            SUITES.iter().any(|suite| suite.file == exception.file),
            "{}",
            exception.file
        );
        assert!(!exception.reason.is_empty(), "{}", exception.name);
    }
}
