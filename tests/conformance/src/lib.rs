//! Conformance: what Prometheus does with recorded inputs, and whether this project does the same.
//!
//! A folder of cases holds one file per [`suite`], JSON objects a line, each an input with the
//! recorded result. [`run`] checks a whole folder; it knows nothing of how the cases were made, and
//! the code under test knows nothing of the cases.
//!
//! ```text
//! folder/NAME.jsonl[.gz] --lines--> suite::Suite --expected / got--> Report
//! ```

mod exceptions;
mod lines;
mod suite;

use std::fmt;
use std::path::Path;

use anyhow::Context as _;

pub use exceptions::{EXCEPTIONS, Exception};
use suite::Mismatch;
pub use suite::SUITES;

/// What became of a folder of cases.
#[derive(Debug, Default)]
pub struct Report {
    /// Cases with the recorded result.
    pub passed: usize,
    /// Cases with another one that are no exceptions.
    pub failures: Vec<Failure>,
    /// Cases with another one, with the reason why it stays.
    pub excepted: Vec<(Failure, &'static str)>,
    /// Files of suites that the folder does not have.
    pub missing: Vec<String>,
}

/// A case with another result than the recorded one.
#[derive(Debug)]
pub struct Failure {
    /// The suite's file name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What the case calls itself.
    pub name: String,
    /// What was recorded and what came out.
    pub mismatch: String,
}

/// Checks every suite whose file is in `folder`.
pub fn run(folder: &Path) -> anyhow::Result<Report> {
    let mut report = Report::default();
    for suite in &SUITES {
        match lines::read(folder, suite.file)? {
            Some(text) => report
                .check(suite, &text)
                .with_context(|| format!("failed to read `{}`", suite.file))?,
            None => report.missing.push(suite.file.to_owned()),
        }
    }
    Ok(report)
}

// === impl Report ===

impl Report {
    fn check(&mut self, suite: &suite::Suite, text: &str) -> anyhow::Result<()> {
        for (at, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.is_empty())
        {
            let case: serde_json::Value =
                serde_json::from_str(line).with_context(|| format!("line {}", at + 1))?;
            let Err(Mismatch(mismatch)) = (suite.check)(&case) else {
                self.passed += 1;
                continue;
            };
            let name = suite::name_of(&case);
            let failure = Failure {
                file: suite.file.to_owned(),
                line: at + 1,
                name,
                mismatch,
            };
            match exceptions::reason(&failure) {
                Some(reason) => self.excepted.push((failure, reason)),
                None => self.failures.push(failure),
            }
        }
        Ok(())
    }
}

// === impl Failure ===

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{} {}: {}",
            self.file, self.line, self.name, self.mismatch
        )
    }
}
