//! An explained configuration as YAML, with the origins as comments.

use std::io::{self, Write};

use serde_json::Value;

use super::explain::{Explained, ExplainedJob};

/// Where comments begin, unless the line is longer.
const COMMENTS: usize = 48;

/// Writes what belongs to no job, and the jobs.
pub(super) fn write(
    out: &mut impl Write,
    shared: &[(String, Explained)],
    jobs: &[ExplainedJob],
) -> io::Result<()> {
    for (key, explained) in shared {
        entry(out, "", key, explained)?;
    }
    if jobs.is_empty() {
        return writeln!(out, "jobs: []");
    }
    writeln!(out, "jobs:")?;
    for job in jobs {
        commented(out, "-", &job.origin)?;
        for (key, explained) in &job.settings {
            entry(out, "  ", key, explained)?;
        }
        lists(out, "discovery", &job.discovery)?;
        lists(out, "transformers", &job.transformers)?;
        if !job.rules.is_empty() {
            writeln!(out, "  relabel_configs:")?;
        }
        for rule in &job.rules {
            commented(out, "  -", &rule.origin)?;
            block(out, "    ", &rule.value)?;
        }
    }
    Ok(())
}

fn lists(out: &mut impl Write, name: &str, entries: &[(String, Explained)]) -> io::Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    writeln!(out, "  {name}:")?;
    for (key, explained) in entries {
        entry(out, "  - ", key, explained)?;
    }
    Ok(())
}

/// A key on a line of its own with its origin; its value beside it or below.
fn entry(out: &mut impl Write, indent: &str, key: &str, explained: &Explained) -> io::Result<()> {
    let text = text_of(&explained.value)?;
    let key = text_of(&key.into())?;
    let is_short = !text.contains('\n') && !text.starts_with("- ");
    if is_short && !matches!(&explained.value, Value::Object(members) if !members.is_empty()) {
        return commented(out, &format!("{indent}{key}: {text}"), &explained.origin);
    }
    commented(out, &format!("{indent}{key}:"), &explained.origin)?;
    let indent = format!("{}  ", " ".repeat(indent.len()));
    block(out, &indent, &explained.value)
}

fn block(out: &mut impl Write, indent: &str, value: &Value) -> io::Result<()> {
    for line in text_of(value)?.lines() {
        writeln!(out, "{indent}{line}")?;
    }
    Ok(())
}

fn commented(out: &mut impl Write, text: &str, origin: &str) -> io::Result<()> {
    writeln!(out, "{text:COMMENTS$}  # {origin}")
}

fn text_of(value: &Value) -> io::Result<String> {
    let text = serde_saphyr::to_string(value).map_err(io::Error::other)?;
    Ok(text.trim_end().to_owned())
}
