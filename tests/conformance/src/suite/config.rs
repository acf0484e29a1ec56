//! `config.jsonl`: whole documents, whether they are accepted, and what their jobs become.
//!
//! Prometheus stops at the first objection of its own and names Go's types where a value does not
//! fit; this project tells everything that is wrong. So a refusal agrees if what Prometheus says is
//! among what we say: by its words, or by its lines where its words are of no use to anybody.

use std::collections::BTreeMap;
use std::path::Path;

use periplus_config::{
    Config, ConfigErrors, Diagnostic, Job, LoadOptions, Loaded, load_file, load_str,
};
use serde::Deserialize;
use serde_json::Value;

use super::{Mismatch, Outcome, expect, read};

/// How a mechanism that is known but served by nothing is refused. No plugin is loaded here, so this
/// says nothing about the document.
const NOT_SERVED: &str = "nobody serves the mechanism";

/// What Prometheus made of a document.
struct Verdict {
    /// The error; `None` if it was accepted.
    error: Option<String>,
    kind: Kind,
}

/// Whose objection an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// The YAML parser's.
    Syntax,
    /// That of the step from YAML to Go's types.
    Type,
    /// A check of Prometheus itself.
    Validation,
}

/// A job as resolved by Prometheus.
#[derive(Debug, PartialEq, Deserialize)]
struct RecordedJob {
    job_name: String,
    sd: Vec<String>,
    scrape_interval: String,
    scrape_timeout: String,
    metrics_path: String,
    scheme: String,
    params: BTreeMap<String, Vec<String>>,
}

/// Checks a document that is part of the case.
pub(super) fn check(case: &Value) -> Outcome {
    let text: String = read(case, "yaml")?;
    let kind: Option<Kind> = read(case, "error_kind")?;
    let verdict = Verdict {
        error: read(case, "error")?,
        kind: kind.unwrap_or(Kind::Validation),
    };
    expect("ok", &read::<bool>(case, "ok")?, &verdict.error.is_none())?;
    let load = |options: &LoadOptions| load_str(&text, Path::new("prometheus.yml"), options);
    let Some(config) = verdict.compare(load)? else {
        return Ok(());
    };
    let jobs: Vec<RecordedJob> = read(case, "jobs")?;
    let ours: Vec<RecordedJob> = config.jobs.iter().map(|job| RecordedJob::of(job)).collect();
    expect("jobs", &jobs, &ours)
}

/// Checks a file of a folder of test data, those that it includes with it.
pub(super) fn check_file(case: &Value) -> Outcome {
    let folder: String = read(case, "folder")?;
    let file: String = read(case, "file")?;
    let own: Option<String> = read(case, "error")?;
    let own = own.map(
        |error| match error.strip_prefix(&format!("parsing YAML file {file}: ")) {
            Some(error) => error.to_owned(),
            None => error,
        },
    );
    let included: Option<String> = read(case, "scrape_configs_error")?;
    let included = included.map(|error| error.replace("<DIR>", &folder));
    let error = own.or(included);
    let verdict = Verdict {
        kind: error.as_deref().map_or(Kind::Validation, Kind::of),
        error,
    };
    let path = Path::new(&folder).join(&file);
    verdict
        .compare(|options| load_file(&path, options))
        .map(drop)
}

// === impl Verdict ===

impl Verdict {
    /// Whether our verdict is the same; the configuration, if it is one.
    fn compare(
        &self,
        load: impl Fn(&LoadOptions) -> Result<Loaded, ConfigErrors>,
    ) -> Result<Option<std::sync::Arc<Config>>, Mismatch> {
        let options = |allow_missing| LoadOptions {
            allow_missing,
            ..LoadOptions::default()
        };
        // Mechanisms that nothing serves are allowed, but not those that Prometheus does not know
        // either, which only the strict reading refuses.
        let lenient = load(&options(true));
        let strict = load(&options(false)).err().map_or(Vec::new(), |it| it.0);
        let mut errors: Vec<Diagnostic> = strict;
        errors.retain(|error| !error.message.starts_with(NOT_SERVED));
        match lenient {
            Err(more) => errors.extend(more.0),
            Ok(loaded) if errors.is_empty() => {
                return match &self.error {
                    None => Ok(Some(loaded.config)),
                    Some(error) => Err(Mismatch(format!("expected {error:?}, got acceptance"))),
                };
            }
            Ok(_) => {}
        }
        match &self.error {
            None => Err(Mismatch(format!(
                "expected acceptance, got {}",
                shown(&errors)
            ))),
            Some(error) => self.compare_errors(error, &errors).map(|()| None),
        }
    }

    fn compare_errors(&self, expected: &str, errors: &[Diagnostic]) -> Outcome {
        if let Some(nowhere) = errors.iter().find(|error| error.line == 0) {
            return Err(Mismatch(format!("expected a line, got {nowhere}")));
        }
        let (file, words) = split_file(expected);
        let ours = || {
            errors
                .iter()
                .filter(|error| file.is_none_or(|file| file == error.file))
        };
        let agrees = match self.kind {
            Kind::Validation => {
                let words = words.strip_prefix("yaml: ").unwrap_or(words);
                ours().any(|error| error.message.contains(words))
            }
            // A complaint about bytes has no line at all.
            Kind::Syntax | Kind::Type => lines_of(words)
                .into_iter()
                .all(|line| ours().any(|error| error.line == line)),
        };
        if agrees {
            return Ok(());
        }
        Err(Mismatch(format!(
            "expected {expected:?}, got {}",
            shown(errors)
        )))
    }
}

// === impl Kind ===

impl Kind {
    fn of(error: &str) -> Self {
        let (_, words) = split_file(error);
        if words.starts_with("yaml: unmarshal errors:") {
            Self::Type
        } else if words.starts_with("yaml: line ") {
            Self::Syntax
        } else {
            Self::Validation
        }
    }
}

// === impl RecordedJob ===

impl RecordedJob {
    fn of(job: &Job) -> Self {
        let sections = job.sections.iter();
        Self {
            job_name: job.name.clone(),
            sd: sections.map(|it| it.mechanism.clone()).collect(),
            scrape_interval: job.defaults.scrape_interval.to_string(),
            scrape_timeout: job.defaults.scrape_timeout.to_string(),
            metrics_path: job.defaults.metrics_path.clone(),
            scheme: job.defaults.scheme.clone(),
            params: job.defaults.params.iter().cloned().collect(),
        }
    }
}

/// The included file that an error begins with, if it does, and the rest.
fn split_file(error: &str) -> (Option<&Path>, &str) {
    match error
        .strip_prefix('"')
        .and_then(|rest| rest.split_once("\": "))
    {
        Some((file, words)) if file.starts_with('/') => (Some(Path::new(file)), words),
        _ => (None, error),
    }
}

/// The lines that an error of the YAML library names.
fn lines_of(error: &str) -> Vec<usize> {
    let parts = error.split("line ").skip(1);
    parts
        .filter_map(|part| {
            let end = part.find(|c: char| !c.is_ascii_digit())?;
            part[end..]
                .starts_with(':')
                .then(|| part[..end].parse().ok())?
        })
        .collect()
}

fn shown(errors: &[Diagnostic]) -> String {
    let errors = errors
        .iter()
        .map(|error| format!("{}:{} {:?}", error.line, error.column, error.message));
    errors.collect::<Vec<_>>().join(", ")
}
