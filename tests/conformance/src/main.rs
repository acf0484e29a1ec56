//! Checks a folder of recorded cases: one line per failing case, and a count at the end.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use periplus_conformance::Report;

/// Checks the recorded cases in a folder.
#[derive(Parser)]
struct Arguments {
    /// The folder with `relabel.jsonl` and its like, compressed by gzip or not.
    folder: PathBuf,
}

fn main() -> anyhow::Result<ExitCode> {
    let Arguments { folder } = Arguments::parse();
    let report = periplus_conformance::run(&folder)?;
    print(&report)?;
    let has_cases = report.passed + report.failures.len() + report.excepted.len() > 0;
    let is_good = report.failures.is_empty() && has_cases;
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn print(report: &Report) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for file in &report.missing {
        writeln!(out, "SKIP {file}: the folder has no such file")?;
    }
    for (file, reason, names) in report.excepted_by_reason() {
        writeln!(out, "EXCEPTION {file}: {reason}: {}", names.join(", "))?;
    }
    for failure in &report.failures {
        writeln!(out, "FAIL {failure}")?;
    }
    writeln!(
        out,
        "{} passed, {} failed, {} exceptions",
        report.passed,
        report.failures.len(),
        report.excepted.len()
    )
}
