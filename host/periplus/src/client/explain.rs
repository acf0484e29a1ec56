//! `periplus explain`: where each label of a target comes from, and why a target is not there.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Deserialize;
use serde_json::Value;

use super::{ask, columns, plain, print};
use crate::args::ExplainArgs;

#[derive(Deserialize)]
struct Explained {
    job: String,
    total: usize,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    mechanism: String,
    source: String,
    transformers: Vec<String>,
    steps: Vec<Step>,
    outcome: String,
    scrape_url: Option<String>,
    reason: Option<String>,
    rule: Option<usize>,
    final_labels: Option<BTreeMap<String, String>>,
    labels: BTreeMap<String, Vec<Change>>,
}

#[derive(Deserialize)]
struct Step {
    rule: Value,
    keep: bool,
}

#[derive(Deserialize)]
struct Change {
    by: String,
    value: String,
    rule: Option<usize>,
}

/// Prints the way of the targets that have an address.
pub(crate) async fn explain(args: ExplainArgs) -> anyhow::Result<()> {
    let parameters = [("job", args.job.as_str()), ("target", args.target.as_str())];
    let data = ask(&args.client, "/api/v1/explain", &parameters).await?;
    print(data, args.client.format, write)
}

fn write(out: &mut dyn Write, explained: &Explained) -> io::Result<()> {
    for (at, target) in explained.targets.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        target.write(out, &explained.job)?;
    }
    let more = explained.total - explained.targets.len();
    if more > 0 {
        writeln!(out, "\nand {more} more")?;
    }
    Ok(())
}

// === impl Target ===

impl Target {
    fn write(&self, out: &mut dyn Write, job: &str) -> io::Result<()> {
        writeln!(out, "{}: {}", plain(job), self.end())?;
        writeln!(
            out,
            "from {}, source {}",
            self.mechanism,
            plain(&self.source)
        )?;
        let (shown, rest): (Vec<_>, Vec<_>) = self.labels.iter().partition(|(name, _)| {
            let last = self.final_labels.as_ref();
            last.is_none_or(|last| last.contains_key(*name))
        });
        let rows = shown
            .into_iter()
            .flat_map(|(name, history)| self.rows(name, history));
        let heading = ["LABEL", "VALUE", "FROM"].map(str::to_owned);
        let rows: Vec<_> = [heading].into_iter().chain(rows).collect();
        columns(out, 2, &rows)?;
        if !rest.is_empty() {
            writeln!(out, "not in the final labels")?;
            let rows = rest
                .into_iter()
                .flat_map(|(name, history)| self.rows(name, history));
            columns(out, 2, &rows.collect::<Vec<_>>())?;
        }
        // Every rule after the one that dropped it drops it again.
        let kept = self.steps.iter().take_while(|step| step.keep).count();
        let rules = self.steps.iter().take(kept + 1).enumerate();
        let rules = rules.map(|(at, step)| {
            let verdict = if step.keep { "" } else { "drops it" };
            [
                format!("rule {at}"),
                step.rule.to_string(),
                verdict.to_owned(),
            ]
        });
        columns(out, 0, &rules.collect::<Vec<_>>())
    }

    fn end(&self) -> String {
        match (self.outcome.as_str(), self.rule) {
            ("active", _) => plain(self.scrape_url.as_deref().unwrap_or_default()),
            ("copy", _) => "a copy: another target has the same labels and URL".to_owned(),
            ("invalid", _) => format!(
                "invalid: {}",
                plain(self.reason.as_deref().unwrap_or_default())
            ),
            ("droppedByRule", Some(rule)) => format!("dropped by rule {rule}"),
            _ => format!("dropped by {}", self.transformers.join(", ")),
        }
    }

    /// One row for each value of a label.
    fn rows(&self, name: &str, history: &[Change]) -> impl Iterator<Item = [String; 3]> {
        let first = std::iter::once(plain(name));
        let names = first.chain(std::iter::repeat(String::new()));
        let rows = names.zip(history).map(|(name, change)| {
            let value = if change.value.is_empty() {
                "(removed)".to_owned()
            } else {
                plain(&change.value)
            };
            [name, value, self.from(change)]
        });
        rows.collect::<Vec<_>>().into_iter()
    }

    fn from(&self, change: &Change) -> String {
        match (change.by.as_str(), change.rule) {
            ("rule", Some(rule)) => format!("rule {rule}"),
            ("transformers", _) => format!("transformers {}", self.transformers.join(", ")),
            ("job_setting", _) => "the job's settings".to_owned(),
            ("address_as_instance", _) => "the address".to_owned(),
            (by, _) => format!("the {by}"),
        }
    }
}
