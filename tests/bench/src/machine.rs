//! What the figures were measured on.

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// The machine, as it describes itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processors: usize,
    pub(crate) model: String,
    pub(crate) memory_gigabytes: f64,
    pub(crate) kernel: String,
}

// === impl Machine ===

impl Machine {
    pub(crate) fn read() -> anyhow::Result<Self> {
        let cpus = read("/proc/cpuinfo")?;
        let model = value(&cpus, "model name").unwrap_or("unknown").to_owned();
        let memory = read("/proc/meminfo")?;
        let kilobytes = value(&memory, "MemTotal")
            .and_then(|text| text.split(' ').next()?.parse::<f64>().ok())
            .context("`/proc/meminfo` does not say how much there is")?;
        Ok(Self {
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            model,
            memory_gigabytes: (kilobytes / 1e5).round() / 10.0,
            kernel: kernel()?,
        })
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            processors,
            model,
            memory_gigabytes,
            kernel,
        } = self;
        write!(
            f,
            "{processors} processors ({model}), {memory_gigabytes} GB, Linux {kernel}"
        )
    }
}

/// The version alone: what a distribution or a provider adds to it names no one else's machine.
fn kernel() -> anyhow::Result<String> {
    let release = read("/proc/sys/kernel/osrelease")?;
    let version = release.trim().split('-').next();
    Ok(version.unwrap_or_default().to_owned())
}

fn read(path: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("failed to read `{path}`"))
}

/// What stands behind `KEY:`.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then_some(value.trim())
    })
}
