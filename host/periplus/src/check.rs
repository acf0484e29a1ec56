//! `periplus check`: what is wrong with a configuration, and what it finds.

mod discovery;
mod table;

use std::io::Write;

use anyhow::{Context, bail};
use periplus_plugin::PluginHost;

use crate::args::CheckConfigArgs;
use crate::load;

pub(crate) use discovery::discovery;

/// Reads a configuration with its plugins, offline, and prints every error and warning in it.
pub(crate) async fn config(args: CheckConfigArgs) -> anyhow::Result<()> {
    let plugins = PluginHost::new(load::plugin_options(&args.load))
        .context("failed to prepare the plugin host")?;
    let mut out = std::io::stdout().lock();
    match load::load(&args.file, &args.load, &plugins).await {
        Ok(checked) => {
            for warning in &checked.warnings {
                writeln!(out, "warning: {warning}")?;
            }
            let jobs = checked.config.jobs.len();
            writeln!(out, "{} is valid: {jobs} jobs", args.file.display())?;
            Ok(())
        }
        Err(errors) => {
            writeln!(out, "{errors}")?;
            bail!("{} has {} errors", args.file.display(), errors.0.len())
        }
    }
}
