//! Child processes: started with a log file each, stopped in good order, never left behind.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

/// A running child.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

/// Ports below the range that the kernel hands out by itself, so that nobody takes one in between.
static NEXT_PORT: AtomicU16 = AtomicU16::new(20_000);

/// How often conditions are looked at.
pub const POLL: Duration = Duration::from_millis(50);

/// How long a process may take to end when asked.
const PATIENCE: Duration = Duration::from_secs(15);

/// A port on loopback that nobody listens on and that this process has not given out before.
pub fn free_port() -> anyhow::Result<u16> {
    for _ in 0..5_000 {
        let port = NEXT_PORT.fetch_add(1, Ordering::Relaxed);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port on loopback")
}

/// Writes a new configuration and makes a server read it, as Prometheus and Periplus both do.
pub async fn reload(
    client: &reqwest::Client,
    url: &str,
    name: &str,
    file: &Path,
    config: &str,
) -> anyhow::Result<()> {
    std::fs::write(file, config)?;
    let answer = client.post(format!("{url}/-/reload")).send().await?;
    let code = answer.status();
    let text = answer.text().await.unwrap_or_default();
    anyhow::ensure!(code.is_success(), "{name} refused to reload: {text}");
    Ok(())
}

/// Waits until `condition` holds; the error is `what`, unless `condition` fails before.
pub async fn wait_until<F>(patience: Duration, what: &str, mut condition: F) -> anyhow::Result<()>
where
    F: AsyncFnMut() -> anyhow::Result<bool>,
{
    let deadline = Instant::now() + patience;
    while !condition().await? {
        if Instant::now() > deadline {
            bail!("waited {} s for {what}", patience.as_secs());
        }
        sleep(POLL).await;
    }
    Ok(())
}

// === impl Process ===

impl Process {
    /// Starts `program`; what it prints is appended to `NAME.log` in `directory`.
    pub fn start(
        name: &str,
        program: &Path,
        arguments: &[String],
        directory: &Path,
    ) -> anyhow::Result<Self> {
        let log = directory.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log)?;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("failed to start `{}`", program.display()))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
        })
    }

    /// Fails if it has ended, with the end of what it said.
    pub fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} has ended: {status}\n{}", self.name, self.last_words()),
        }
    }

    /// Asks it to end, and kills it if it does not.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let Some(pid) = self.child.id() else {
            return Ok(());
        };
        // Sending a signal takes unsafe code or a program; this is the program.
        Command::new("kill")
            .args(["-TERM", &pid.to_string()])
            .status()
            .await?;
        if tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .is_err()
        {
            self.child.kill().await?;
            bail!(
                "{} did not end within {} s of SIGTERM",
                self.name,
                PATIENCE.as_secs()
            );
        }
        Ok(())
    }

    /// The last lines of its log.
    pub fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = &lines[lines.len().saturating_sub(15)..];
        let named: Vec<String> = tail
            .iter()
            .map(|line| format!("    {}: {line}", self.name))
            .collect();
        named.join("\n")
    }
}
