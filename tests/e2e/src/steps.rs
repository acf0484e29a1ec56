//! The explanation of a target equals what Prometheus' own API of relabel steps says for the same rules.
//!
//! Both run the same jobs: one for each of many recorded rule lists, with the recorded labels on its only
//! target. What relabeling starts from is read from Periplus and handed to Prometheus.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use flate2::read::MultiGzDecoder;
use reqwest::{Client, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::periplus::Periplus;
use crate::process::{free_port, wait_until};
use crate::prometheus::{Labels, Prometheus};
use crate::runner::Setup;
use crate::say;
use crate::sides::Side;

const ADDRESS: &str = "__address__";
/// At least so many cases must be compared, or the test proves nothing.
const FEWEST: usize = 200;

const START: Duration = Duration::from_mins(1);

/// A recorded rule list with a target.
#[derive(Deserialize)]
struct Case {
    name: String,
    rules: Value,
    input: Labels,
}

/// What one rule did.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Step {
    output: Labels,
    keep: bool,
}

#[derive(Deserialize)]
struct Steps {
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Explained {
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    start: Labels,
    #[serde(flatten)]
    steps: Steps,
}

#[derive(Deserialize)]
struct Pools {
    #[serde(rename = "scrapePools")]
    pools: Vec<String>,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

/// Compares every `nth` recorded case.
///
/// # Errors
/// If a case differs, or too few can be compared.
pub async fn run(setup: &Setup, cases: &Path, nth: usize) -> anyhow::Result<()> {
    let cases = read(cases)?;
    let cases: Vec<&Case> = cases
        .iter()
        .step_by(nth)
        .filter(|case| is_static(case))
        .collect();
    ensure!(
        cases.len() >= FEWEST,
        "only {} cases can be compared",
        cases.len()
    );
    let jobs: Vec<Value> = cases.iter().map(|case| job(case)).collect();
    let config = json!({"scrape_configs": jobs}).to_string();
    let directory = &setup.directory;
    let periplus = Periplus::start(&setup.periplus, directory, free_port()?, &config).await?;
    let prometheus = Prometheus::start(
        Side::Direct,
        &setup.prometheus,
        directory,
        free_port()?,
        &config,
    )
    .await?;
    let client = Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(10))
        .build()?;
    let pools = format!("{}/api/v1/scrape_pools", prometheus.url());
    wait_until(START, "Prometheus' scrape pools", async || {
        let known: Answer<Pools> = ask(&client, &pools, &[]).await?;
        Ok(known.data.pools.len() == cases.len())
    })
    .await?;
    let mut compared = 0;
    for case in &cases {
        let explained: Answer<Explained> = ask(
            &client,
            &format!("{}/api/v1/explain", periplus.url()),
            &[("job", &case.name), ("target", address(case))],
        )
        .await
        .with_context(|| format!("explaining {}", case.name))?;
        let [target] = &explained.data.targets[..] else {
            bail!("{}: {} targets", case.name, explained.data.targets.len());
        };
        let start = serde_json::to_string(&target.start)?;
        let expected: Answer<Steps> = ask(
            &client,
            &format!("{}/api/v1/targets/relabel_steps", prometheus.url()),
            &[("scrapePool", &case.name), ("labels", &start)],
        )
        .await
        .with_context(|| format!("relabel steps of {}", case.name))?;
        let (ours, theirs) = (&target.steps.steps, &expected.data.steps);
        ensure!(
            ours == theirs,
            "{}: from {start}\nPeriplus:   {ours:?}\nPrometheus: {theirs:?}",
            case.name
        );
        compared += ours.len();
    }
    say(&format!(
        "ok      explain: {compared} steps of {} rule lists as Prometheus' relabel steps",
        cases.len()
    ));
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Vec<Case>> {
    let packed = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let mut text = String::new();
    MultiGzDecoder::new(&packed[..]).read_to_string(&mut text)?;
    let cases = text.lines().map(serde_json::from_str);
    Ok(cases.collect::<Result<_, _>>()?)
}

/// Whether a static target can have these labels: addresses are checked when a configuration is read.
fn is_static(case: &Case) -> bool {
    let has_rules = case.rules.as_array().is_some_and(|rules| !rules.is_empty());
    let address = address(case);
    has_rules && !address.is_empty() && !address.contains('/')
}

fn address(case: &Case) -> &str {
    case.input
        .get(ADDRESS)
        .map_or("10.0.0.1:80", String::as_str)
}

fn job(case: &Case) -> Value {
    let mut labels = case.input.clone();
    labels.remove(ADDRESS);
    json!({
        "job_name": case.name,
        "scrape_interval": "1h",
        "static_configs": [{"targets": [address(case)], "labels": labels}],
        "relabel_configs": case.rules,
    })
}

async fn ask<T: serde::de::DeserializeOwned>(
    client: &Client,
    url: &str,
    query: &[(&str, &str)],
) -> anyhow::Result<T> {
    let url = Url::parse_with_params(url, query)?;
    let answer = client.get(url).send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "{status}: {text}");
    Ok(serde_json::from_str(&text)?)
}
