//! The host as a process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::reader::{List, read};
use crate::sources::Sources;

/// What a start or a stop may take at most.
const PATIENCE: Duration = Duration::from_mins(1);
/// Lines that are kept of what a process said.
const LINES: usize = 40;

/// How the host is started.
pub(crate) struct Host {
    binary: PathBuf,
    config: PathBuf,
    state: PathBuf,
}

/// A host that runs; killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

// === impl Host ===

impl Host {
    pub(crate) fn new(binary: &Path, config: PathBuf, state: &Path) -> Self {
        Self {
            binary: binary.to_owned(),
            config,
            state: state.to_owned(),
        }
    }

    /// Starts it and waits until it serves.
    pub(crate) async fn start(&self) -> anyhow::Result<Running> {
        let mut child = Command::new(&self.binary)
            .args(["run", "--listen", "127.0.0.1:0", "--admin-listen", "off"])
            .arg("--config")
            .arg(&self.config)
            .arg("--state-dir")
            .arg(&self.state)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("failed to start `{}`", self.binary.display()))?;
        let log = Arc::default();
        let (sender, address) = oneshot::channel();
        let stderr = child.stderr.take().context("no standard error")?;
        tokio::spawn(follow(stderr, Arc::clone(&log), sender));
        let Ok(Ok(address)) = timeout(PATIENCE, address).await else {
            bail!("the host never served; it said:\n{}", text(&log));
        };
        Ok(Running {
            child,
            address,
            log,
        })
    }
}

/// Keeps the last lines, and tells the address that one of them names.
async fn follow(
    stderr: ChildStderr,
    log: Arc<Mutex<Vec<String>>>,
    address: oneshot::Sender<SocketAddr>,
) {
    let mut address = Some(address);
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let named = line.split_once(" Serving address=");
        let named = named.and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
        if let Some(named) = named
            && let Some(address) = address.take()
        {
            // Who asked may have given up.
            let _: Result<(), SocketAddr> = address.send(named);
        }
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() == LINES {
            log.remove(0);
        }
        log.push(line);
    }
}

fn text(log: &Mutex<Vec<String>>) -> String {
    log.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .join("\n")
}

// === impl Running ===

impl Running {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The last lines that it said.
    pub(crate) fn log(&self) -> String {
        text(&self.log)
    }

    /// Without a warning.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("failed to kill the host")
    }

    /// As an operator does.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.signal("TERM")?;
        let ended = timeout(PATIENCE, self.child.wait()).await;
        let status = ended.with_context(|| format!("the host did not stop:\n{}", self.log()))??;
        if !status.success() {
            bail!("the host stopped with {status}:\n{}", self.log());
        }
        Ok(())
    }

    pub(crate) fn reload(&self) -> anyhow::Result<()> {
        self.signal("HUP")
    }

    /// Waits until each job has exactly its targets, and none of them from disk.
    pub(crate) async fn until_whole(&self, sources: &Sources) -> anyhow::Result<()> {
        let client = reqwest::Client::new();
        for (job, path) in super::paths() {
            let expected = sources.expected(job);
            loop {
                let list = read(&client, self.address, &path).await;
                if let List::Known {
                    addresses,
                    is_stale: false,
                } = &list
                    && *addresses == expected
                {
                    break;
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    fn signal(&self, name: &str) -> anyhow::Result<()> {
        let id = self.child.id().context("the host has ended by itself")?;
        let sent = std::process::Command::new("kill")
            .arg(format!("-{name}"))
            .arg(id.to_string())
            .status();
        sent.context("failed to send a signal")?;
        Ok(())
    }
}
