//! Which annotations are left out.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use periplus_config::NamePatterns;

/// Annotations that are left out, by patterns on their names. Cheap to clone; two are equal when
/// their patterns are. The default leaves out nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AnnotationFilter(Option<Arc<NamePatterns>>);

// === impl AnnotationFilter ===

impl AnnotationFilter {
    /// Leaves out what one of the patterns matches.
    pub(crate) fn new(patterns: &NamePatterns) -> Self {
        Self((!patterns.is_empty()).then(|| Arc::new(patterns.clone())))
    }

    /// Whether the annotation of this name is left out.
    pub(crate) fn drops(&self, name: &str) -> bool {
        self.0
            .as_ref()
            .is_some_and(|patterns| patterns.is_match(name))
    }

    /// Whether nothing is left out.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The patterns, sorted.
    pub(crate) fn patterns(&self) -> &[String] {
        self.0.as_ref().map_or(&[], |patterns| patterns.as_slice())
    }
}

impl Hash for AnnotationFilter {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.patterns().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_patterns_are_one_filter_and_none_leave_out_nothing() {
        let of = |patterns: &[&str]| {
            AnnotationFilter::new(&NamePatterns::new(patterns.iter().copied()).unwrap())
        };
        let filter = of(&["kubectl.kubernetes.io/*", "b"]);
        assert!(filter.drops("kubectl.kubernetes.io/last-applied-configuration"));
        assert!(filter.drops("b") && !filter.drops("bc"));
        assert_eq!(filter, of(&["b", "kubectl.kubernetes.io/*"]));
        assert_ne!(filter, of(&["b"]));
        assert_eq!(of(&[]), AnnotationFilter::default());
        assert!(of(&[]).is_empty() && !of(&[]).drops("b"));
    }
}
