//! `--plugin-dir`: plugins that need no entry in the configuration, which so stays as it is for Prometheus.

use std::path::{Path, PathBuf};

use periplus_config::{Diagnostic, Grants, PluginConfig, PluginLimits};

/// The plugins of a folder, by name, without those that are listed already: what the operator wrote of them holds.
pub(crate) fn list(
    folder: &Path,
    listed: &[PluginConfig],
) -> Result<Vec<PluginConfig>, Diagnostic> {
    let files = files(folder).map_err(|error| Diagnostic {
        file: folder.to_path_buf(),
        line: 1,
        column: 1,
        key_path: "--plugin-dir".to_owned(),
        message: format!("the folder cannot be read: {error}"),
        hint: Some("name a folder of `.wasm` files, or leave `--plugin-dir` out".to_owned()),
    })?;
    let is_listed = |file: &PathBuf| {
        let real = file.canonicalize().ok();
        listed
            .iter()
            .any(|plugin| plugin.source == *file || plugin.source.canonicalize().ok() == real)
    };
    let files = files.into_iter().filter(|file| !is_listed(file));
    Ok(files.map(plugin).collect())
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "wasm") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn plugin(source: PathBuf) -> PluginConfig {
    PluginConfig {
        name: None,
        image: None,
        sha256: None,
        allow: Grants::default(),
        limits: PluginLimits::default(),
        line: 1,
        key_path: format!("--plugin-dir {}", source.display()),
        source,
    }
}
