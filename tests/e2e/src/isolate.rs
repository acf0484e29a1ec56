//! Keeps everything on this machine: the harness runs itself again in a network namespace that has `lo` alone.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::Context;

/// Set in the environment of the run inside, so that it does not nest.
const INSIDE: &str = "PERIPLUS_E2E_INSIDE";

/// Whether this process is cut off from every network but loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// In a namespace of its own.
    Namespace,
    /// In the machine's; scrapes go to a proxy that refuses them.
    ProxyOnly,
}

/// Returns in the process that is to do the work; outside of it, does not return at all.
pub fn enter() -> anyhow::Result<Isolation> {
    if std::env::var_os(INSIDE).is_some() {
        let up = Command::new("ip")
            .args(["link", "set", "lo", "up"])
            .status();
        let up = up.context("`ip` is missing (Debian package iproute2): it brings up loopback")?;
        anyhow::ensure!(up.success(), "`ip link set lo up` failed");
        return Ok(Isolation::Namespace);
    }
    // A process namespace too where it can be had: then nothing outlives the harness. Its own `/proc` makes
    // the numbers of children name them there.
    let attempts: [&[&str]; 4] = [
        &["--net", "--pid", "--fork", "--kill-child", "--mount-proc"],
        &["--net"],
        &[
            "--net",
            "--user",
            "--map-root-user",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ],
        &["--net", "--user", "--map-root-user"],
    ];
    let executable = std::env::current_exe()?;
    for flags in attempts {
        let tried = Command::new("unshare").args(flags).arg("true").output();
        if !tried.is_ok_and(|output| output.status.success()) {
            continue;
        }
        let error = Command::new("unshare")
            .args(flags)
            .arg("--")
            .arg(executable)
            .args(std::env::args_os().skip(1))
            .env(INSIDE, "1")
            .exec();
        return Err(error).context("failed to run `unshare`");
    }
    Ok(Isolation::ProxyOnly)
}
