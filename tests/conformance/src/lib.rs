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
use serde::Deserialize;
use serde_json::Value;

pub use exceptions::{Exception, exceptions};
use suite::{Form, Mismatch};
pub use suite::{SUITES, Suite};

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
            Some(text) => {
                let cases = cases(suite, &text, folder)
                    .with_context(|| format!("failed to read `{}`", suite.file))?;
                report.check(suite, &cases);
            }
            None => report.missing.push(suite.file.to_owned()),
        }
    }
    Ok(report)
}

/// The cases of a file with the lines, or places in the list, at which they stand.
fn cases(suite: &Suite, text: &str, folder: &Path) -> anyhow::Result<Vec<(usize, Value)>> {
    match suite.form {
        Form::Lines => text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.is_empty())
            .map(|(at, line)| {
                let case = serde_json::from_str(line);
                Ok((at + 1, case.with_context(|| format!("line {}", at + 1))?))
            })
            .collect(),
        Form::Manifest => {
            let folder = folder.join(suite.file).canonicalize()?;
            let folder = folder.parent().context("a file lies in a folder")?;
            let Manifest { mut files } = serde_json::from_str(text)?;
            for case in &mut files {
                case.insert("folder".to_owned(), folder.to_string_lossy().into());
            }
            let numbered = files.into_iter().enumerate();
            Ok(numbered
                .map(|(at, case)| (at + 1, Value::Object(case)))
                .collect())
        }
    }
}

/// What a folder of test files says about itself.
#[derive(Deserialize)]
struct Manifest {
    files: Vec<serde_json::Map<String, Value>>,
}

// === impl Report ===

impl Report {
    /// The exceptions that were met: file, reason and the names of the cases.
    pub fn excepted_by_reason(&self) -> Vec<(&str, &'static str, Vec<&str>)> {
        let mut reasons: Vec<(&str, &'static str, Vec<&str>)> = Vec::new();
        for (failure, reason) in &self.excepted {
            let (file, name) = (failure.file.as_str(), failure.name.as_str());
            match reasons
                .iter_mut()
                .find(|it| (it.0, it.1) == (file, *reason))
            {
                Some((_, _, names)) => names.push(name),
                None => reasons.push((file, reason, vec![name])),
            }
        }
        reasons
    }

    fn check(&mut self, suite: &Suite, cases: &[(usize, Value)]) {
        for (line, case) in cases {
            let name = suite::name_of(case);
            let exception = exceptions::reason(suite.file, &name);
            let failure = |mismatch| Failure {
                file: suite.file.to_owned(),
                line: *line,
                name: name.clone(),
                mismatch,
            };
            match ((suite.check)(case), exception) {
                (Ok(()), None) => self.passed += 1,
                (Ok(()), Some(reason)) => {
                    let stale = format!("is as recorded now, but listed as an exception: {reason}");
                    self.failures.push(failure(stale));
                }
                (Err(Mismatch(mismatch)), Some(reason)) => {
                    self.excepted.push((failure(mismatch), reason));
                }
                (Err(Mismatch(mismatch)), None) => self.failures.push(failure(mismatch)),
            }
        }
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
