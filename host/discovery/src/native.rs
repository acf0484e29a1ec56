//! The mechanisms that need no other crate: `static`, `file` and `http`.

mod file;
mod fixed;
mod http;

use periplus_config::{Section, SectionKind};

use crate::discoverer::Discoverer;
use crate::metrics::DiscoveryMetrics;

/// The discoverer for a section of `static`, `file` or `http`; none for other mechanisms.
///
/// # Errors
/// Why the section can never run.
pub fn discoverer(
    section: &Section,
    metrics: &DiscoveryMetrics,
) -> Option<Result<Box<dyn Discoverer>, String>> {
    let metrics = metrics.clone();
    Some(Ok(match &section.kind {
        SectionKind::Static(groups) => Box::new(fixed::Static::new(groups.clone())),
        SectionKind::File(section) => Box::new(file::File::new(section, metrics)),
        SectionKind::Http(section) => match http::Http::new(section, metrics) {
            Ok(http) => Box::new(http),
            Err(error) => return Some(Err(error)),
        },
        SectionKind::Kubernetes(_)
        | SectionKind::KubernetesResource(_)
        | SectionKind::Plugin(_)
        | SectionKind::Missing => return None,
    }))
}
