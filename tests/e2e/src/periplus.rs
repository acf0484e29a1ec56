//! Periplus as a process: running it, and reading its lists.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Client, StatusCode};
use serde::Deserialize;

use crate::process::{Process, free_port, reload, wait_until};
use crate::prometheus::Labels;
use crate::sides::list_url;

/// A running Periplus.
#[derive(Debug)]
pub struct Periplus {
    program: PathBuf,
    directory: PathBuf,
    flags: Vec<String>,
    config: PathBuf,
    url: String,
    admin_url: String,
    process: Process,
    client: Client,
}

/// One entry of a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub struct Entry {
    /// Addresses; Periplus gives each entry one.
    pub targets: Vec<String>,
    /// Everything else.
    #[serde(default)]
    pub labels: Labels,
}

/// What a request for a list brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum List {
    /// The whole list.
    Known(Vec<Entry>),
    /// Periplus says that it does not know yet, or is not there.
    Unknown,
}

const START: Duration = Duration::from_mins(1);

// === impl Periplus ===

impl Periplus {
    /// Starts it with this configuration.
    pub async fn start(
        program: &Path,
        directory: &Path,
        port: u16,
        config: &str,
    ) -> anyhow::Result<Self> {
        Self::start_with(program, directory, port, config, &[]).await
    }

    /// Starts it with this configuration and further flags.
    pub async fn start_with(
        program: &Path,
        directory: &Path,
        port: u16,
        config: &str,
        further: &[&str],
    ) -> anyhow::Result<Self> {
        let file = directory.join("periplus.yml");
        std::fs::write(&file, config)?;
        let admin = free_port()?;
        let mut flags: Vec<String> = [
            "run",
            "--config",
            &file.display().to_string(),
            "--listen",
            &format!("127.0.0.1:{port}"),
            "--admin-listen",
            &format!("127.0.0.1:{admin}"),
            "--plugin-cache",
            &directory.join("plugin-cache").display().to_string(),
        ]
        .map(str::to_owned)
        .to_vec();
        flags.extend(further.iter().map(|flag| (*flag).to_owned()));
        let process = Process::start("periplus", program, &flags, directory)?;
        let client = Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .build()?;
        let mut periplus = Self {
            program: program.to_owned(),
            directory: directory.to_owned(),
            flags,
            config: file,
            url: format!("http://127.0.0.1:{port}"),
            admin_url: format!("http://127.0.0.1:{admin}"),
            process,
            client,
        };
        periplus.healthy().await?;
        Ok(periplus)
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Fails if it has ended.
    pub fn check(&mut self) -> anyhow::Result<()> {
        self.process.check()
    }

    /// Stops it and starts it again.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.process.stop().await?;
        self.process = Process::start("periplus", &self.program, &self.flags, &self.directory)?;
        self.healthy().await
    }

    /// Makes it read a new configuration.
    pub async fn reload(&self, config: &str) -> anyhow::Result<()> {
        reload(
            &self.client,
            &self.admin_url,
            "Periplus",
            &self.config,
            config,
        )
        .await
    }

    /// Ends it.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.process.stop().await
    }

    async fn healthy(&mut self) -> anyhow::Result<()> {
        let url = format!("{}/-/healthy", self.url);
        wait_until(START, "Periplus", async || {
            self.process.check()?;
            let answer = self.client.get(&url).send().await;
            Ok(answer.is_ok_and(|a| a.status().is_success()))
        })
        .await
    }
}

/// Reads a list of a job, from Periplus or a proxy before it.
pub async fn read_list(client: &Client, url: &str, job: &str, stage: &str) -> anyhow::Result<List> {
    let Ok(answer) = client.get(list_url(url, job, stage)).send().await else {
        return Ok(List::Unknown);
    };
    match answer.status() {
        StatusCode::OK => {}
        // Restarting, reloading, starting: it must not pretend to know, and does not.
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::BAD_GATEWAY | StatusCode::NOT_FOUND => {
            return Ok(List::Unknown);
        }
        code => bail!("Periplus answered {code} for job `{job}`"),
    }
    let Ok(bytes) = answer.bytes().await else {
        return Ok(List::Unknown);
    };
    let entries: Vec<Entry> = serde_json::from_slice(&bytes)
        .with_context(|| format!("the list of job `{job}` is not as `http_sd` has it"))?;
    Ok(List::Known(entries))
}
