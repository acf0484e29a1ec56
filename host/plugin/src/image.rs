//! Plugins from registries: reading them, following their tags, and waiting for those that cannot
//! be had yet.

mod waiting;

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use periplus_config::{PluginConfig, PluginImage, PullPolicy};
use periplus_oci::{ImageError, ImageName, ImageOptions, Images, Obtained, PublicKey, Wanted};

use crate::error::PluginError;
use crate::grants::chain;
use crate::plugin::Plugin;
use crate::source::{self, VerifiedPlugin};
use crate::watch;

pub(crate) use waiting::Waiting;

/// Between two questions for what a tag means.
const RECHECK: Duration = Duration::from_mins(5);

/// Reads plugins, wherever they come from. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct ImageSource {
    options: Option<Arc<ImageOptions>>,
    recheck: Duration,
}

// === impl ImageSource ===

impl ImageSource {
    pub(crate) fn new(options: Option<ImageOptions>, recheck: Option<Duration>) -> Self {
        Self {
            options: options.map(Arc::new),
            recheck: recheck.unwrap_or(RECHECK),
        }
    }

    /// The bytes of a plugin, which are what the operator pinned and somebody trusted signed, as far
    /// as the entry asks for it.
    pub(crate) async fn read(&self, config: &PluginConfig) -> Result<VerifiedPlugin, PluginError> {
        let (images, config) = (self.clone(), config.clone());
        let runtime = tokio::runtime::Handle::current();
        // Digests of files are computed on the way, so not on a runtime's thread.
        let task = tokio::task::spawn_blocking(move || match &config.image {
            None => source::read(&config.source, config.sha256.as_deref()),
            Some(image) => {
                let obtained = runtime.block_on(images.obtain(image));
                let obtained = obtained.map_err(|source| PluginError::Image {
                    path: config.source.clone(),
                    source,
                })?;
                read_obtained(&config, &obtained)
            }
        });
        task.await.unwrap_or_else(|e| {
            Err(PluginError::Host {
                action: "read a plugin",
                source: e.into(),
            })
        })
    }

    async fn obtain(&self, image: &PluginImage) -> Result<Obtained, ImageError> {
        let refused = |reason| ImageError::Layout {
            image: image.name.clone(),
            reason,
        };
        let options = self.options.as_deref();
        let options = options.ok_or_else(|| refused("this host has no store for images".into()))?;
        let keys = image.keys.iter().map(|file| PublicKey::read(file));
        let wanted = Wanted {
            image: image.name.parse::<ImageName>().map_err(refused)?,
            pull: match image.pull {
                PullPolicy::Always => periplus_oci::PullPolicy::Always,
                PullPolicy::IfNotPresent => periplus_oci::PullPolicy::IfNotPresent,
                PullPolicy::Never => periplus_oci::PullPolicy::Never,
            },
            plain_http: image.plain_http,
            keys: keys.collect::<Result<_, _>>()?,
        };
        let obtained = Images::open(options.clone())?.obtain(&wanted).await?;
        if let Some(error) = &obtained.stale {
            let image = &image.name;
            tracing::warn!(%error, image, "Registry cannot be asked; what the store holds is taken");
        }
        Ok(obtained)
    }
}

/// The digest of the component is compared once more: the file may have changed meanwhile.
fn read_obtained(
    config: &PluginConfig,
    obtained: &Obtained,
) -> Result<VerifiedPlugin, PluginError> {
    let path: PathBuf = config.source.clone();
    let plugin = source::read(&obtained.path, Some(obtained.component.hex()))?;
    match &config.sha256 {
        Some(expected) if *expected != plugin.digest => Err(PluginError::Digest {
            path,
            expected: expected.clone(),
            found: plugin.digest,
        }),
        _ => Ok(VerifiedPlugin { path, ..plugin }),
    }
}

/// The last part of an image's name, for metrics and logs before a manifest is known.
pub(crate) fn short_name(image: &str) -> &str {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    let last = name.rsplit('/').next().unwrap_or(name);
    last.split_once(':').map_or(last, |(name, _)| name)
}

/// Looks once for what the image's tag means now. A failure changes nothing that runs.
pub(crate) async fn look(plugin: &Plugin) {
    let config = plugin.newest().config.clone();
    let moves = config.image.as_ref().is_some_and(may_move);
    if moves && let Err(error) = watch::reload(plugin).await {
        plugin.rejected(&chain(&error));
    }
}

/// Follows an image's tag for as long as the plugin exists.
pub(crate) async fn follow(plugin: Weak<Plugin>) {
    loop {
        let Some(every) = plugin.upgrade().map(|it| it.workshop.images.recheck) else {
            return;
        };
        // Replicas that started together do not ask together.
        tokio::time::sleep(every.mul_f64(rand::random_range(0.9..1.1))).await;
        let Some(plugin) = plugin.upgrade() else {
            return;
        };
        look(&plugin).await;
    }
}

fn may_move(image: &PluginImage) -> bool {
    image.pull == PullPolicy::Always && !image.name.contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_name_is_what_people_call_it() {
        for image in [
            "r.example:5000/team/inventory:1.2@sha256:00",
            "r/inventory@sha256:00",
        ] {
            assert_eq!(short_name(image), "inventory");
        }
    }
}
