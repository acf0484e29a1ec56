//! `periplus kubernetes rbac`: the smallest permissions that a configuration needs, as manifests.

mod manifest;
mod plan;

use std::io::Write;

use anyhow::bail;
use periplus_config::{Diagnostic, LoadOptions, load_file};

use crate::args::RbacArgs;

/// Reads a configuration and prints manifests for its Kubernetes sections. Plugins are not loaded:
/// they watch nothing.
pub(crate) fn rbac(args: &RbacArgs) -> anyhow::Result<()> {
    let options = LoadOptions {
        allow_missing: true,
        ..LoadOptions::default()
    };
    let loaded = match load_file(&args.config.path, &options) {
        Ok(loaded) => loaded,
        Err(errors) => {
            let mut out = std::io::stdout().lock();
            writeln!(out, "{errors}")?;
            bail!(
                "{} has {} errors",
                args.config.path.display(),
                errors.0.len()
            );
        }
    };
    // Who serves a mechanism is no concern of ours, and with plugins not known here.
    let of_others = |it: &&Diagnostic| it.message.starts_with("nobody serves the mechanism");
    let has_plugins = !loaded.config.plugins.is_empty();
    for warning in loaded
        .warnings
        .iter()
        .filter(|it| !(has_plugins && of_others(it)))
    {
        tracing::warn!("{warning}");
    }
    let subject = manifest::Subject {
        name: args.name.clone(),
        namespace: args.namespace.clone(),
        service_account: args.service_account.clone().unwrap_or(args.name.clone()),
    };
    let permissions = plan::of_config(&loaded.config, &args.namespace);
    let text = manifest::render(&permissions, &subject)?;
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}
