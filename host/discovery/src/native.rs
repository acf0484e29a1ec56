//! The mechanisms that need no other crate: `static` and `file`.

use periplus_config::Section;

use crate::discoverer::Discoverer;
use crate::metrics::DiscoveryMetrics;

/// The discoverer for a section of `static` or `file`; none for other mechanisms.
pub fn discoverer(_section: &Section, _metrics: &DiscoveryMetrics) -> Option<Box<dyn Discoverer>> {
    None
}
