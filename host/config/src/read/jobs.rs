//! `scrape_configs` of the file itself and of those that it includes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use periplus_core::relabel::Rule;

use super::global::Global;
use super::{Context, job, quoted};
use crate::config::Job;
use crate::origin::JobOrigin;
use crate::yaml::Value;

/// Bytes that the compiled expressions of all jobs may take.
const MAX_EXPRESSIONS: usize = 128 << 20;

/// The jobs of all files, in the order in which they are read; their names are unique over all.
pub(super) struct Jobs<'a> {
    global: &'a Global,
    names: HashMap<String, First>,
    pub(super) list: Vec<Arc<Job>>,
    pub(super) origins: Vec<JobOrigin>,
    /// Bytes of compiled expressions so far.
    expressions: usize,
}

/// Where a name stands first.
struct First {
    /// The included file; `None` for the main one.
    included: Option<PathBuf>,
    line: usize,
}

// === impl Jobs ===

impl<'a> Jobs<'a> {
    pub(super) fn new(global: &'a Global) -> Self {
        Self {
            global,
            names: HashMap::new(),
            list: Vec::new(),
            origins: Vec::new(),
            expressions: 0,
        }
    }

    /// Reads the `scrape_configs` of the main file.
    pub(super) fn read(&mut self, value: &Value<'_>, context: &Context<'_>) {
        self.read_list(value, context, None);
    }

    /// Reads the `scrape_configs` of an included file, whose relative paths begin at its own folder.
    pub(super) fn read_included(&mut self, root: &Value<'_>, file: &Path, context: &Context<'_>) {
        let Some(mut fields) = root.fields() else {
            return;
        };
        let context = Context {
            directory: file.parent().unwrap_or(Path::new("")),
            ..*context
        };
        if let Some(value) = fields.take("scrape_configs") {
            self.read_list(&value, &context, Some(file));
        }
        fields.finish();
    }

    fn read_list(&mut self, value: &Value<'_>, context: &Context<'_>, included: Option<&Path>) {
        value.list("[]*config.ScrapeConfig", |item| {
            if self.expressions > MAX_EXPRESSIONS {
                // Said already; what would be compiled now would only take more.
                return None;
            }
            let mut job = job::read(&item, self.global, context)?;
            self.check_name(&job.name, &item, included);
            self.count_expressions(&job, &item);
            // Paths of keys are those of one file; the file's name makes them unique.
            let prefix = included.map(key_prefix).unwrap_or_default();
            for section in &mut job.sections {
                section.key_path.insert_str(0, &prefix);
            }
            for transformer in &mut job.transformers {
                transformer.key_path.insert_str(0, &prefix);
            }
            self.origins.push(JobOrigin {
                file: item.report.file().to_path_buf(),
                line: item.mark().line,
                key_path: format!("{prefix}{}", item.path),
            });
            self.list.push(Arc::new(job));
            Some(())
        });
    }

    fn count_expressions(&mut self, job: &Job, item: &Value<'_>) {
        let of_job = job.relabel_rules.iter().map(Rule::memory);
        self.expressions += of_job.clone().sum::<usize>();
        if self.expressions <= MAX_EXPRESSIONS {
            return;
        }
        let largest = of_job.enumerate().max_by_key(|(_, memory)| *memory);
        let (index, memory) = largest.unwrap_or_default();
        item.key("relabel_configs").error_with(
            format!(
                "the expressions of the rules so far take {} MiB when compiled, more than {} MiB",
                self.expressions >> 20,
                MAX_EXPRESSIONS >> 20
            ),
            format!(
                "that of relabel_configs[{index}] takes {} MiB here: write `+` or `*` for counted \
                 repetitions such as `\\pL{{1000}}`",
                memory >> 20
            ),
        );
    }

    fn check_name(&mut self, name: &str, item: &Value<'_>, included: Option<&Path>) {
        let line = item.mark().line;
        let first = First {
            included: included.map(Path::to_path_buf),
            line,
        };
        let Some(known) = self.names.get(name).filter(|_| !name.is_empty()) else {
            self.names.insert(name.to_owned(), first);
            return;
        };
        let mut message = format!(
            "found multiple scrape configs with job name {}",
            quoted(name)
        );
        let mut hint = format!("the first one is on line {}", known.line);
        if included.is_some() {
            let place = known
                .included
                .as_ref()
                .map_or_else(|| "main config file".to_owned(), |file| absolute(file));
            message = format!("{message}, first found in {place}");
            hint = format!("{hint} of that file: give one of them another name");
        }
        item.key("job_name").error_with(message, hint);
    }
}

/// What the paths of keys in an included file begin with.
pub(crate) fn key_prefix(file: &Path) -> String {
    format!("{}: ", file.display())
}

fn absolute(file: &Path) -> String {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf());
    quoted(&file.to_string_lossy())
}
