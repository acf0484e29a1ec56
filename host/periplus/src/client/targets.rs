//! `periplus targets`: what a host knows.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Deserialize;

use super::{ask, columns, plain, print};
use crate::args::TargetsArgs;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Targets {
    active_targets: Vec<Target>,
    dropped_targets: Vec<Target>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    scrape_pool: String,
    #[serde(default)]
    scrape_url: String,
    /// None of a dropped target.
    labels: Option<BTreeMap<String, String>>,
    discovered_labels: BTreeMap<String, String>,
}

/// Prints the targets of a host.
pub(crate) async fn targets(args: TargetsArgs) -> anyhow::Result<()> {
    let mut parameters = vec![("state", if args.dropped { "any" } else { "active" })];
    if let Some(job) = &args.job {
        parameters.push(("scrapePool", job));
    }
    let data = ask(&args.client, "/api/v1/targets", &parameters).await?;
    print(data, args.client.format, write)
}

fn write(out: &mut dyn Write, targets: &Targets) -> io::Result<()> {
    let Targets {
        active_targets,
        dropped_targets,
    } = targets;
    let mut rows = vec![["JOB", "STATE", "URL OR ADDRESS", "LABELS"].map(str::to_owned)];
    rows.extend(active_targets.iter().map(|target| target.row("active")));
    rows.extend(dropped_targets.iter().map(|target| target.row("dropped")));
    columns(out, 0, &rows)?;
    let (active, dropped) = (active_targets.len(), dropped_targets.len());
    writeln!(out, "\n{active} active, {dropped} dropped shown")
}

// === impl Target ===

impl Target {
    fn row(&self, state: &str) -> [String; 4] {
        let labels = self.labels.as_ref().unwrap_or(&self.discovered_labels);
        let labels = labels.iter();
        let labels: Vec<String> = labels
            .filter(|(name, _)| !name.starts_with("__") && *name != "job")
            .map(|(name, value)| format!("{}={value:?}", plain(name)))
            .collect();
        let address = self.discovered_labels.get("__address__");
        let place = if self.scrape_url.is_empty() {
            address.map_or("", String::as_str)
        } else {
            &self.scrape_url
        };
        [
            plain(&self.scrape_pool),
            state.to_owned(),
            plain(place),
            labels.join(" "),
        ]
    }
}
