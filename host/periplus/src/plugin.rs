//! `periplus plugin`: what is done to plugins before a host runs them.

mod compile;

use clap::Subcommand;

pub(crate) use compile::{compile_child, compiler};

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Compile plugins into the cache ahead of time, so that a start need not.
    Compile(compile::CompileArgs),
    /// Compile the component on standard input, within bounds.
    #[command(hide = true)]
    CompileChild(compile::CompileChildArgs),
}

/// Runs one of them.
pub(crate) async fn run(command: PluginCommand) -> anyhow::Result<()> {
    match command {
        PluginCommand::Compile(args) => compile::compile(args).await,
        PluginCommand::CompileChild(_) => anyhow::bail!("compilers run before the runtime starts"),
    }
}
