//! A real Prometheus: running it, and reading its targets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use reqwest::Client;
use serde::Deserialize;

use crate::process::{Process, reload, wait_until};
use crate::sides::Side;

/// Label names and values.
pub type Labels = BTreeMap<String, String>;

/// One Prometheus server.
#[derive(Debug)]
pub struct Prometheus {
    /// Which side it is.
    pub side: Side,
    config: PathBuf,
    url: String,
    process: Process,
    client: Client,
}

/// What a server shows of its targets, in an order of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Targets {
    /// Those that it would scrape.
    pub active_targets: Vec<Active>,
    /// Those that its relabel rules dropped.
    pub dropped_targets: Vec<Dropped>,
}

/// A target that is scraped.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Active {
    /// The job.
    pub scrape_pool: String,
    /// Before relabeling, the job's defaults included.
    pub discovered_labels: Labels,
    /// After relabeling, without those that begin with two underscores.
    pub labels: Labels,
    /// Where it would be scraped.
    pub scrape_url: String,
    /// How often.
    pub scrape_interval: String,
    /// For how long at most.
    pub scrape_timeout: String,
}

/// A target that is not scraped.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dropped {
    /// The job.
    pub scrape_pool: String,
    /// Before relabeling, the job's defaults included.
    pub discovered_labels: Labels,
}

#[derive(Deserialize)]
struct Answer {
    data: Targets,
}

const START: Duration = Duration::from_mins(1);

/// The label that `http_sd` adds by itself.
const OWN_LABEL: &str = "__meta_url";

// === impl Prometheus ===

impl Prometheus {
    /// Starts a server with this configuration, which looks at its discovery ten times a second.
    pub async fn start(
        side: Side,
        program: &Path,
        directory: &Path,
        port: u16,
        config: &str,
    ) -> anyhow::Result<Self> {
        let often = ["--scrape.discovery-reload-interval=100ms"];
        Self::start_with(side, program, directory, port, config, &often).await
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Starts a server with this configuration and further flags.
    pub async fn start_with(
        side: Side,
        program: &Path,
        directory: &Path,
        port: u16,
        config: &str,
        further: &[&str],
    ) -> anyhow::Result<Self> {
        let file = directory.join(format!("prometheus-{}.yml", side.name()));
        std::fs::write(&file, config)?;
        let mut flags = vec![
            format!("--config.file={}", file.display()),
            format!(
                "--storage.tsdb.path={}",
                directory.join(side.name()).display()
            ),
            format!("--web.listen-address=127.0.0.1:{port}"),
            "--web.enable-lifecycle".to_owned(),
            "--storage.tsdb.retention.time=1h".to_owned(),
            "--log.level=warn".to_owned(),
        ];
        flags.extend(further.iter().map(|flag| (*flag).to_owned()));
        let name = format!("prometheus-{}", side.name());
        let process = Process::start(&name, program, &flags, directory)?;
        let client = Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .build()?;
        let url = format!("http://127.0.0.1:{port}");
        let mut server = Self {
            side,
            config: file,
            url,
            process,
            client,
        };
        let ready = format!("{}/-/ready", server.url);
        wait_until(START, &name, async || {
            server.process.check()?;
            let answer = server.client.get(&ready).send().await;
            Ok(answer.is_ok_and(|a| a.status().is_success()))
        })
        .await?;
        Ok(server)
    }

    /// Makes it read a new configuration.
    pub async fn reload(&self, config: &str) -> anyhow::Result<()> {
        reload(
            &self.client,
            &self.url,
            self.side.name(),
            &self.config,
            config,
        )
        .await
    }

    /// Its targets now, less the label that `http_sd` adds, in order.
    pub async fn targets(&mut self) -> anyhow::Result<Targets> {
        self.process.check()?;
        let url = format!("{}/api/v1/targets?state=any", self.url);
        let answer = self.client.get(url).send().await;
        let answer = answer.with_context(|| format!("{} did not answer", self.side.name()))?;
        let mut targets = answer.json::<Answer>().await?.data;
        targets
            .active_targets
            .iter_mut()
            .for_each(|t| drop(t.discovered_labels.remove(OWN_LABEL)));
        targets
            .dropped_targets
            .iter_mut()
            .for_each(|t| drop(t.discovered_labels.remove(OWN_LABEL)));
        targets.active_targets.sort();
        targets.dropped_targets.sort();
        Ok(targets)
    }

    /// How many targets of each job it discovers, those included that it does not show: of several that
    /// are equal after relabeling it shows one, and invalid ones not at all.
    pub async fn discovered(&self) -> anyhow::Result<BTreeMap<String, usize>> {
        let text = self
            .client
            .get(format!("{}/metrics", self.url))
            .send()
            .await?
            .text()
            .await?;
        Ok(text.lines().filter_map(discovered_line).collect())
    }

    /// Ends it.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.process.stop().await
    }
}

/// `prometheus_sd_discovered_targets{config="JOB",name="scrape"} 3`
fn discovered_line(line: &str) -> Option<(String, usize)> {
    let rest = line.strip_prefix("prometheus_sd_discovered_targets{config=\"")?;
    let (job, count) = rest.split_once("\",name=\"scrape\"} ")?;
    Some((
        job.replace("\\\"", "\"").replace("\\\\", "\\"),
        count.parse().ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_discovered_targets_is_read_from_the_metrics() {
        let line = r#"prometheus_sd_discovered_targets{config="a/\"b\"",name="scrape"} 12"#;
        assert_eq!(discovered_line(line), Some(("a/\"b\"".into(), 12)));
        assert_eq!(
            discovered_line("prometheus_sd_discovered_targets{config=\"x\",name=\"notify\"} 1"),
            None
        );
    }
}
