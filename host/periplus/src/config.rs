//! `periplus config`: what a configuration means, and what belongs on the scraper beside it.

mod explain;
mod scraper;
mod yaml;

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use periplus_config::Loaded;
use periplus_plugin::PluginHost;

use crate::args::LoadArgs;
use crate::load;

pub(crate) use explain::explain;
pub(crate) use scraper::scraper;

/// The configuration with its plugins, or its errors on standard error. Its warnings are said too.
pub(crate) async fn read(file: &Path, args: &LoadArgs) -> anyhow::Result<Loaded> {
    let plugins =
        PluginHost::new(load::plugin_options(args)).context("failed to prepare the plugin host")?;
    let mut err = std::io::stderr();
    match load::load(file, args, &plugins).await {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                writeln!(err, "warning: {warning}")?;
            }
            Ok(loaded)
        }
        Err(errors) => {
            writeln!(err, "{errors}")?;
            bail!("{} has {} errors", file.display(), errors.0.len())
        }
    }
}
