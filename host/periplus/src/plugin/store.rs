//! Where pulled plugins lie, and with which credentials they are pulled.

use std::path::PathBuf;

use clap::Args;
use periplus_oci::{Credentials, ImageError, ImageOptions, Images};

#[derive(Clone, Debug, Args)]
pub(crate) struct StoreArgs {
    /// Folder for plugins from registries; private to the user.
    #[arg(long, value_name = "DIR", env = "PERIPLUS_PLUGIN_STORE")]
    plugin_store: Option<PathBuf>,

    /// Credentials for registries, in the format of docker's `config.json`; unless given, the one
    /// in `DOCKER_CONFIG` or `~/.docker`.
    #[arg(long, value_name = "FILE", env = "PERIPLUS_REGISTRY_AUTH_FILE")]
    registry_auth_file: Option<PathBuf>,
}

// === impl StoreArgs ===

impl StoreArgs {
    /// Opens the folder as given, else one in the user's data folder: it is no cache, since what
    /// is in it may be all that a machine without a network has.
    pub(crate) fn open(&self) -> Result<Images, ImageError> {
        Images::open(self.options())
    }

    /// The same, for a host that opens it when it needs it.
    pub(crate) fn options(&self) -> ImageOptions {
        ImageOptions {
            store: self.plugin_store.clone().unwrap_or_else(default_folder),
            credentials: match &self.registry_auth_file {
                Some(file) => Credentials::in_file(file.clone()),
                None => Credentials::of_user(),
            },
        }
    }
}

fn default_folder() -> PathBuf {
    let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    data.or_else(home)
        .unwrap_or_else(std::env::temp_dir)
        .join("periplus")
        .join("plugins")
}
