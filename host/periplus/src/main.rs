//! The binary `periplus`: command line and wiring, nothing else.
//!
//! It reads the configuration together with the manifests of its plugins, joins native mechanisms
//! and plugins into one [`periplus_discovery::Mechanisms`], and starts the manager and the fronts.
//!
//! Exit codes: 0 after a clean stop, 1 for an error, 2 for a wrong command line.

mod args;
mod check;
mod client;
mod config;
mod discovery;
mod listening;
mod load;
mod logging;
mod mechanisms;
mod open_files;
mod plugin;
mod plugin_folder;
mod rbac;
mod reload;
mod run;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{CheckCommand, Cli, Command, ConfigCommand, KubernetesCommand};
use crate::plugin::PluginCommand;

/// Returns memory to the system soon after the burst of a first list, which glibc's does not.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::Plugin(PluginCommand::CompileChild(args)) = &cli.command {
        // Before threads and logs: its standard streams are its contract.
        return plugin::compile_child(args);
    }
    logging::init();
    // Fails only when a provider is there already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("failed to start a runtime")),
    };
    let outcome = match cli.command {
        Command::Run(args) => runtime.block_on(run::run(args)),
        Command::Check(CheckCommand::Config(args)) => runtime.block_on(check::config(args)),
        Command::Check(CheckCommand::Discovery(args)) => runtime.block_on(check::discovery(args)),
        Command::Targets(args) => runtime.block_on(client::targets(args)),
        Command::Explain(args) => runtime.block_on(client::explain(args)),
        Command::Config(ConfigCommand::Explain(args)) => runtime.block_on(config::explain(args)),
        Command::Config(ConfigCommand::Scraper(args)) => runtime.block_on(config::scraper(args)),
        Command::Plugin(command) => runtime.block_on(plugin::run(command)),
        Command::Kubernetes(KubernetesCommand::Rbac(args)) => rbac::rbac(&args),
    };
    // Blocking work that is still under way (a compilation, say) must not hold up the exit.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the last word of a command line program"
)]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}
