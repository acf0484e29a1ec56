//! The parts of a host that find targets, made and joined.

use std::sync::Arc;

use anyhow::Context;
use periplus_discovery::{DiscoveryMetrics, Manager, ManagerHandle, ManagerOptions, StateDir};
use periplus_kubernetes::{KubernetesMechanism, KubernetesMetrics, KubernetesOptions};
use periplus_plugin::{PluginHost, PluginHostOptions};
use prometheus_client::registry::Registry;

use crate::args::RunArgs;
use crate::load;
use crate::mechanisms::AllMechanisms;

/// The parts that find targets.
pub(crate) struct Discovery {
    pub(crate) manager: Manager,
    pub(crate) handle: ManagerHandle,
    pub(crate) plugins: Arc<PluginHost>,
}

/// Makes them, and registers what they count.
pub(crate) fn discovery(args: &RunArgs, registry: &mut Registry) -> anyhow::Result<Discovery> {
    let metrics = DiscoveryMetrics::register(registry);
    let kubernetes = KubernetesMetrics::register(registry);
    let plugins = PluginHost::new(PluginHostOptions {
        wait_for_images: true,
        ..load::plugin_options(&args.load)
    })
    .context("failed to prepare the plugin host")?;
    plugins.metrics().register(registry);
    let mechanisms = AllMechanisms {
        metrics: metrics.clone(),
        kubernetes: KubernetesMechanism::new(KubernetesOptions {
            metrics: kubernetes,
            ..KubernetesOptions::default()
        }),
        plugins: Arc::clone(&plugins),
    };
    let options = ManagerOptions {
        metrics,
        state: state_dir(args)?,
    };
    let (manager, handle) = Manager::new(Arc::new(mechanisms), options);
    Ok(Discovery {
        manager,
        handle,
        plugins,
    })
}

/// The folder of last known good states, if there shall be one.
fn state_dir(args: &RunArgs) -> anyhow::Result<Option<Arc<StateDir>>> {
    let Some(path) = &args.state_dir else {
        return Ok(None);
    };
    let state = StateDir::open(path, args.max_stale_age)
        .with_context(|| format!("failed to open `--state-dir {}`", path.display()))?;
    Ok(Some(Arc::new(state)))
}
