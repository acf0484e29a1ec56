//! One [`Mechanisms`] out of the native ones and the plugins.

use std::sync::Arc;

use periplus_config::{Section, SectionKind, TransformerConfig};
use periplus_discovery::{Discoverer, DiscoveryMetrics, Mechanisms, Transformer, native};
use periplus_kubernetes::KubernetesMechanism;
use periplus_plugin::PluginHost;

/// Everything that can discover or transform in this process.
pub(crate) struct AllMechanisms {
    pub(crate) metrics: DiscoveryMetrics,
    pub(crate) kubernetes: KubernetesMechanism,
    pub(crate) plugins: Arc<PluginHost>,
}

// === impl AllMechanisms ===

impl Mechanisms for AllMechanisms {
    fn discoverer(&self, section: &Section, name: &str) -> Result<Box<dyn Discoverer>, String> {
        match &section.kind {
            SectionKind::Static(_) | SectionKind::File(_) | SectionKind::Http(_) => {
                native::discoverer(section, &self.metrics).unwrap_or_else(|| {
                    Err(format!("mechanism `{}` is not built in", section.mechanism))
                })
            }
            SectionKind::Kubernetes(kubernetes) => self.kubernetes.discoverer(kubernetes, name),
            SectionKind::KubernetesResource(resource) => {
                self.kubernetes.resource_discoverer(resource, name)
            }
            SectionKind::Plugin(_) => self.plugins.discoverer(section, name),
            SectionKind::Missing => Err(format!(
                "no plugin serves mechanism `{}`, so this job stays unknown",
                section.mechanism
            )),
        }
    }

    fn transformer(&self, config: &TransformerConfig) -> Result<Arc<dyn Transformer>, String> {
        self.plugins.transformer(config)
    }
}
