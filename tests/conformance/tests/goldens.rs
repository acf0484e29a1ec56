//! The recorded cases kept beside this crate.

use std::collections::HashSet;
use std::path::Path;

use periplus_conformance::{Report, SUITES, exceptions, run};

fn report() -> Report {
    run(&Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens")).expect("the cases can be read")
}

#[test]
fn recorded_cases_have_their_recorded_results() {
    let report = report();
    let failures: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    assert_eq!(failures, Vec::<String>::new());
    assert_eq!(report.missing, Vec::<String>::new());
    assert_eq!(
        report.passed + report.excepted.len(),
        3000 + 90 + 1050 + 600 + 150 + 1510 + 8
    );
}

#[test]
fn every_exception_of_a_file_that_is_here_is_met() {
    let report = report();
    let met: HashSet<(&str, &str)> = report
        .excepted
        .iter()
        .map(|(failure, _)| (failure.file.as_str(), failure.name.as_str()))
        .collect();
    for exception in exceptions() {
        assert!(SUITES.iter().any(|suite| suite.file == exception.file));
        assert!(!exception.reason.is_empty(), "{:?}", exception.names);
        // Upstream's own files are not kept here.
        if exception.file.starts_with("config-testdata/") {
            continue;
        }
        for name in exception.names {
            let case = (exception.file, *name);
            assert!(met.contains(&case), "{case:?} is no exception");
        }
    }
}

#[test]
fn no_case_is_an_exception_for_two_reasons() {
    let mut seen = HashSet::new();
    for exception in exceptions() {
        for name in exception.names {
            assert!(seen.insert((exception.file, name)), "{name} stands twice");
        }
    }
}
