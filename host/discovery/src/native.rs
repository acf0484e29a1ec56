//! The mechanisms that need no other crate: `static`, `file` and `http`.

mod file;
mod fixed;
mod http;

use std::sync::Arc;

use periplus_config::{Section, SectionKind};
use periplus_core::TargetGroup;

use crate::discoverer::Discoverer;
use crate::metrics::DiscoveryMetrics;

/// Reads the body of an `http_sd` answer from `url`: what the provider does with it, for tests that
/// feed it what no server would send.
///
/// # Errors
/// Why the body is no list of target groups.
pub fn read_http_list(body: &[u8], url: &str) -> Result<Vec<Arc<TargetGroup>>, String> {
    http::read_list(body, url).map_err(|error| error.to_string())
}

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
