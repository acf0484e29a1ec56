//! What someone wants to see of one kind of object, and which watches can serve that.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::api::Collection;
use crate::resource::any::WatchedKind;
use crate::resource::filter::AnnotationFilter;
use crate::selector::is_evaluable;

/// Objects of one kind, of one namespace or all, that selectors select.
///
/// Each need has a watch that is made for it and for no other; a wider one may serve it as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    /// The kind.
    pub(crate) kind: WatchedKind,
    /// `None` for all namespaces, or for objects outside namespaces.
    pub(crate) namespace: Option<Arc<str>>,
    /// Label selector; never empty.
    pub(crate) labels: Option<Arc<str>>,
    /// Field selector; never empty.
    pub(crate) fields: Option<Arc<str>>,
    /// Annotations that are not wanted.
    pub(crate) drop: AnnotationFilter,
}

// === impl Need ===

impl Need {
    /// All objects of a kind.
    pub(crate) fn all(kind: WatchedKind) -> Self {
        Self {
            kind,
            namespace: None,
            labels: None,
            fields: None,
            drop: AnnotationFilter::default(),
        }
    }

    /// Whether nothing is selected within the namespace.
    pub(crate) fn is_whole(&self) -> bool {
        self.labels.is_none() && self.fields.is_none()
    }

    /// The same without selectors, and with every annotation: it serves all needs of its scope
    /// that can be evaluated here.
    pub(crate) fn widened(&self) -> Self {
        Self {
            labels: None,
            fields: None,
            drop: AnnotationFilter::default(),
            ..self.clone()
        }
    }

    /// Whether a watch for `self` shows all that `other` needs.
    pub(crate) fn serves(&self, other: &Self) -> bool {
        let Self {
            kind,
            namespace,
            labels,
            fields,
            drop,
        } = self;
        let has_all_annotations = drop
            .patterns()
            .iter()
            .all(|pattern| other.drop.patterns().contains(pattern));
        let selects_all = if self.is_whole() {
            is_evaluable(other)
        } else {
            (labels, fields) == (&other.labels, &other.fields)
        };
        *kind == other.kind
            && (namespace.is_none() || *namespace == other.namespace)
            && has_all_annotations
            && selects_all
    }

    /// The collection that the API server is asked for.
    pub(crate) fn collection(&self) -> Collection {
        let kind = self.kind.kind();
        let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
        Collection {
            group_path: kind.group_path.clone(),
            plural: kind.plural.clone(),
            metadata_only: kind.metadata_only,
            namespace: text(&self.namespace),
            label_selector: text(&self.labels),
            field_selector: text(&self.fields),
        }
    }
}

impl fmt::Display for Need {
    /// `` `pods` in `team-a` ``
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.kind.kind().plural)?;
        match &self.namespace {
            Some(namespace) => write!(f, " in `{namespace}`"),
            None => Ok(()),
        }
    }
}

impl Hash for Need {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Equal needs have equal parts here; that few others do is enough.
        (&self.kind, &self.namespace, &self.labels, &self.fields).hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use periplus_config::NamePatterns;

    fn need(namespace: &str, labels: &str, fields: &str, drop: &[&str]) -> Need {
        let some = |text: &str| (!text.is_empty()).then(|| text.into());
        Need {
            namespace: some(namespace),
            labels: some(labels),
            fields: some(fields),
            drop: AnnotationFilter::new(&NamePatterns::new(drop.iter().copied()).unwrap()),
            ..Need::all(WatchedKind::Pod)
        }
    }

    #[test]
    fn a_watch_serves_what_it_holds_and_can_be_evaluated() {
        let all = need("", "", "", &[]);
        for (watch, other, serves) in [
            (all.clone(), need("a", "app=x", "", &["z"]), true),
            (all.clone(), need("", "", "spec.nodeName=n", &[]), true),
            (
                all.clone(),
                need("", "", "spec.schedulerName=n", &[]),
                false,
            ),
            (all.clone(), Need::all(WatchedKind::Node), false),
            (need("a", "", "", &[]), need("a", "app=x", "", &[]), true),
            (need("a", "", "", &[]), need("b", "app=x", "", &[]), false),
            (need("a", "", "", &[]), all.clone(), false),
            (
                need("", "app=x", "", &[]),
                need("a", "app=x", "", &[]),
                true,
            ),
            (
                need("", "app=x", "", &[]),
                need("", "app=y", "", &[]),
                false,
            ),
            (
                need("", "", "", &["z"]),
                need("", "", "", &["y", "z"]),
                true,
            ),
            (need("", "", "", &["z"]), all.clone(), false),
        ] {
            assert_eq!(watch.serves(&other), serves, "{watch:?} for {other:?}");
        }
        let odd = need("", "", "spec.schedulerName=n", &[]);
        assert!(odd.serves(&odd.clone()), "each watch serves its own need");
    }
}
