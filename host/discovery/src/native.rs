//! The mechanisms that need no other crate: `static` and `file`.

mod file;
mod fixed;

use periplus_config::{Section, SectionKind};

use crate::discoverer::Discoverer;
use crate::metrics::DiscoveryMetrics;

/// The discoverer for a section of `static` or `file`; none for other mechanisms.
pub fn discoverer(section: &Section, metrics: &DiscoveryMetrics) -> Option<Box<dyn Discoverer>> {
    match &section.kind {
        SectionKind::Static(groups) => Some(Box::new(fixed::Static::new(groups.clone()))),
        SectionKind::File(section) => Some(Box::new(file::File::new(section, metrics.clone()))),
        SectionKind::Kubernetes(_)
        | SectionKind::KubernetesResource(_)
        | SectionKind::Plugin(_)
        | SectionKind::Missing => None,
    }
}
