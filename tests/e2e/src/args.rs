//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Compares what Prometheus discovers by itself with what it discovers through Periplus.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What there is to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run every script of a folder
    Run {
        #[command(flatten)]
        common: Common,
        /// Folder of scripts (`*.yaml`, `*.yml`), or one script
        #[arg(long)]
        scripts: PathBuf,
        /// Fail if there is an accepted difference that these scripts never bring about
        #[arg(long)]
        all_differences: bool,
    },
    /// Prove that a Periplus that drops labels, freezes or delays is noticed
    Selftest {
        #[command(flatten)]
        common: Common,
    },
    /// Prove that what `periplus kubernetes rbac` prints is enough, and that each part of it is needed
    Rbac {
        #[command(flatten)]
        common: Common,
    },
    /// Prove that a stock Prometheus follows each front, and print how long a change takes to show
    Fronts {
        #[command(flatten)]
        common: Common,
        /// How many changes are timed, 8 s apart
        #[arg(long, default_value_t = 5)]
        changes: usize,
    },
    /// Compare the explanation of targets with Prometheus' own relabel steps
    Steps {
        #[command(flatten)]
        common: Common,
        /// Recorded rule lists, compressed
        #[arg(long, default_value = "tests/conformance/goldens/relabel.jsonl.gz")]
        cases: PathBuf,
        /// Compare each nth of them
        #[arg(long, default_value_t = 6)]
        nth: usize,
    },
    /// Prove that real OpenTelemetry collectors scrape every target once while they come and go
    Collectors {
        /// The binary of Periplus
        #[arg(long)]
        periplus: PathBuf,
        /// Folder with the binary `collector`
        #[arg(long)]
        build: PathBuf,
        /// Keep configurations and logs in this folder
        #[arg(long)]
        keep: Option<PathBuf>,
    },
    /// Print a random history as a script; the same arguments always print the same
    Script {
        /// The role that it is about
        #[arg(long)]
        role: String,
        /// Decides what happens
        #[arg(long)]
        seed: u64,
        /// How many changes of objects, at least
        #[arg(long, default_value_t = 200)]
        changes: usize,
    },
    /// Take the steps of scripts without Periplus, to see that the API server accepts them
    Rehearse {
        /// Folder with the binaries `apiserver` and `prometheus`
        #[arg(long)]
        build: PathBuf,
        /// Also see what a Prometheus that watches overlooks, and that all of it is forgiven
        #[arg(long)]
        with_prometheus: bool,
        /// What it may overlook
        #[arg(long, default_value = "tests/e2e/differences.yaml")]
        differences: PathBuf,
        /// How many scripts run at once
        #[arg(long, default_value_t = 2)]
        parallel: usize,
        /// Folder of scripts, or one script
        #[arg(long)]
        scripts: PathBuf,
    },
}

/// What all that run Periplus take.
#[derive(Args, Debug)]
pub(crate) struct Common {
    /// The binary of Periplus
    #[arg(long)]
    pub(crate) periplus: PathBuf,
    /// Folder with the binaries `apiserver` and `prometheus`
    #[arg(long)]
    pub(crate) build: PathBuf,
    /// How many scripts run at once
    #[arg(long, default_value_t = 3)]
    pub(crate) parallel: usize,
    /// What the sides may differ in
    #[arg(long, default_value = "tests/e2e/differences.yaml")]
    pub(crate) differences: PathBuf,
    /// Keep configurations and logs in this folder
    #[arg(long)]
    pub(crate) keep: Option<PathBuf>,
}
