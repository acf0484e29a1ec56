//! `periplus check`: what is wrong with a configuration, and what it finds.

mod discovery;
mod table;

use std::io::Write;

use anyhow::bail;

use crate::args::CheckConfigArgs;
use crate::load;

pub(crate) use discovery::discovery;

/// Reads a configuration with its plugins, offline, and prints every error and warning in it.
pub(crate) async fn config(args: CheckConfigArgs) -> anyhow::Result<()> {
    let plugins = load::plugin_host(&args.load)?;
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
