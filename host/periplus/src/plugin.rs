//! `periplus plugin`: what is done to plugins before a host runs them.

mod compile;
mod image;
mod store;

use clap::Subcommand;

pub(crate) use compile::{compile_child, compiler};
pub(crate) use store::StoreArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Compile plugins into the cache ahead of time, so that a start need not.
    Compile(compile::CompileArgs),
    /// Push a component to a registry, in a form that other tools can pull.
    Push(image::PushArgs),
    /// Pull a plugin and its signatures into the store.
    Pull(image::PullArgs),
    /// Write plugins of the store to an archive, for machines that reach no registry.
    Save(image::SaveArgs),
    /// Read an archive into the store.
    Load(image::LoadArchiveArgs),
    /// Sign a plugin in a registry, in cosign's format.
    Sign(image::SignArgs),
    /// Check the signature of a plugin in a registry.
    Verify(image::VerifyArgs),
    /// Compile the component on standard input, within bounds.
    #[command(hide = true)]
    CompileChild(compile::CompileChildArgs),
}

/// Runs one of them.
pub(crate) async fn run(command: PluginCommand) -> anyhow::Result<()> {
    match command {
        PluginCommand::Compile(args) => compile::compile(args).await,
        PluginCommand::Push(args) => image::push(args).await,
        PluginCommand::Pull(args) => image::pull(args).await,
        PluginCommand::Save(args) => image::save(args),
        PluginCommand::Load(args) => image::load(args),
        PluginCommand::Sign(args) => image::sign(args).await,
        PluginCommand::Verify(args) => image::verify(args).await,
        PluginCommand::CompileChild(_) => anyhow::bail!("compilers run before the runtime starts"),
    }
}
