//! The host as a child process, and what a process has used, from `/proc`.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, bail};

/// `sysconf(_SC_CLK_TCK)`: the same on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;
/// How long the host may take until it listens.
const LONGEST_START: Duration = Duration::from_mins(1);

/// A running host. Dropping it ends the process.
pub(crate) struct Host {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// Another program with a log file. Dropping it ends the process.
pub(crate) struct Daemon {
    child: Child,
    name: &'static str,
    log: PathBuf,
}

/// What a process has used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Of all its threads, user and system together.
    pub(crate) cpu: Duration,
    /// Resident memory now.
    pub(crate) resident: u64,
    /// The most of it so far.
    pub(crate) peak: u64,
}

// === impl Host ===

impl Host {
    /// Starts the host and waits until it listens.
    pub(crate) fn start(binary: &Path, config: &Path, cache: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(binary);
        command
            .args(["run", "--listen", "127.0.0.1:0", "--admin-listen", "off"])
            .arg("--config")
            .arg(config);
        command.arg("--plugin-cache").arg(cache);
        command
            .env("PERIPLUS_LOG", "info")
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        let what = || format!("failed to start `{}`", binary.display());
        let mut child = command.spawn().with_context(what)?;
        let errors = child
            .stderr
            .take()
            .context("the child has no standard error")?;
        let (found, address) = mpsc::channel();
        std::thread::spawn(move || read_log(errors, &found));
        match address.recv_timeout(LONGEST_START) {
            Ok(Ok(address)) => Ok(Self { child, address }),
            Ok(Err(log)) => {
                let _ = child.kill();
                bail!("the host ended before it listened:\n{log}");
            }
            Err(_) => {
                let _ = child.kill();
                bail!("the host did not listen within {LONGEST_START:?}");
            }
        }
    }

    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(&self.child.id().to_string())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// === impl Daemon ===

impl Daemon {
    /// Starts a program; what it prints goes to `NAME.log` in a folder.
    pub(crate) fn start(
        name: &'static str,
        program: &Path,
        arguments: &[String],
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = std::fs::File::create(&log)?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null());
        command.stdout(file.try_clone()?).stderr(file);
        let what = || format!("failed to start `{}`", program.display());
        let child = command.spawn().with_context(what)?;
        Ok(Self { child, name, log })
    }

    /// Fails if it has ended, with what it said.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            bail!("{} has ended: {status}\n{log}", self.name);
        }
        Ok(())
    }

    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(&self.child.id().to_string())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Finds the address in the log, and reads on: a full pipe would hold up the host.
fn read_log(log: impl std::io::Read, found: &mpsc::Sender<Result<SocketAddr, String>>) {
    let mut all = String::new();
    let mut listening = false;
    for line in BufReader::new(log).lines().map_while(Result::ok) {
        if listening {
            continue;
        }
        let address = line
            .split_whitespace()
            .find_map(|word| word.strip_prefix("address="));
        if let Some(address) = address.and_then(|text| text.parse().ok()) {
            listening = true;
            let _ = found.send(Ok(address));
        }
        all.push_str(&line);
        all.push('\n');
    }
    if !listening {
        let _ = found.send(Err(all));
    }
}

// === impl Usage ===

impl Usage {
    /// The processor time since an earlier reading.
    pub(crate) fn cpu_since(&self, earlier: &Self) -> Duration {
        self.cpu.saturating_sub(earlier.cpu)
    }

    /// Of a process that has not begun.
    pub(crate) fn none() -> Self {
        Self {
            cpu: Duration::ZERO,
            resident: 0,
            peak: 0,
        }
    }

    /// Of this process.
    pub(crate) fn own() -> anyhow::Result<Self> {
        Self::of("self")
    }

    fn of(process: &str) -> anyhow::Result<Self> {
        let read = |file: &str| {
            let path = format!("/proc/{process}/{file}");
            std::fs::read_to_string(&path).with_context(|| format!("failed to read `{path}`"))
        };
        let stat = read("stat")?;
        // The name in parentheses may hold anything; utime and stime are the 12th and 13th behind.
        let behind = stat.rsplit_once(") ").context("`stat` has no name")?.1;
        let mut fields = behind.split(' ').skip(11);
        let mut ticks = || fields.next().and_then(|field| field.parse::<u64>().ok());
        let (user, system) = ticks().zip(ticks()).context("`stat` is too short")?;
        let status = read("status")?;
        let bytes = |key: &str| {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix(key))
                .unwrap_or_default();
            let kilobytes = line
                .split_whitespace()
                .next()
                .and_then(|text| text.parse::<u64>().ok());
            kilobytes.unwrap_or_default() * 1024
        };
        Ok(Self {
            cpu: Duration::from_secs_f64((user + system) as f64 / TICKS_PER_SECOND),
            resident: bytes("VmRSS:"),
            peak: bytes("VmHWM:"),
        })
    }
}

/// The time that all processors of the machine were busy, whoever kept them so.
pub(crate) fn machine_busy() -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string("/proc/stat").context("failed to read `/proc/stat`")?;
    let line = stat.lines().next().unwrap_or_default();
    let fields: Vec<u64> = line
        .split_whitespace()
        .skip(1)
        .map_while(|field| field.parse().ok())
        .collect();
    // user, nice, system, idle, iowait, irq, softirq: all but the two that wait.
    let ticks: u64 = [0, 1, 2, 5, 6].iter().filter_map(|i| fields.get(*i)).sum();
    Ok(Duration::from_secs_f64(ticks as f64 / TICKS_PER_SECOND))
}
