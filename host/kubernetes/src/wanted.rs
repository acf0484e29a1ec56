//! What a section wants to see of a cluster: its view, and the needs of that view.

use std::sync::Arc;

use periplus_config::{KubernetesResourceSection, KubernetesSection, Namespaces, Role};

use crate::resource::any::WatchedKind;
use crate::resource::custom;
use crate::resource::filter::AnnotationFilter;
use crate::shared::Need;
use crate::view::{ObjectKind, ViewRole, ViewSpec};

/// What a section wants, whatever the cluster.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    view: ViewSpec,
    namespaces: Namespaces,
    selections: Vec<(ObjectKind, Selection)>,
}

#[derive(Clone, Debug, Default)]
struct Selection {
    labels: Option<Arc<str>>,
    fields: Option<Arc<str>>,
}

// === impl Wanted ===

impl Wanted {
    /// What a section of `kubernetes_sd_configs` wants.
    pub(crate) fn of(section: &KubernetesSection) -> Self {
        let selections = section.selectors.iter();
        let selections =
            selections.map(|it| (kind_of(it.role), Selection::new(&it.label, &it.field)));
        Self {
            view: ViewSpec {
                role: ViewRole::Builtin(section.role),
                attach: section.attach_metadata,
                drop_annotations: AnnotationFilter::new(&section.drop_annotations),
                cluster: None,
            },
            namespaces: section.namespaces.clone(),
            selections: selections.collect(),
        }
    }

    /// What a section of `kubernetes_resource_sd_configs` wants.
    pub(crate) fn of_resource(section: &KubernetesResourceSection) -> Self {
        let selection = Selection::new(&section.label_selector, &section.field_selector);
        Self {
            view: ViewSpec {
                role: ViewRole::Custom(Arc::new(custom::Spec::of(section))),
                attach: periplus_config::AttachMetadata::default(),
                drop_annotations: AnnotationFilter::new(&section.drop_annotations),
                cluster: None,
            },
            namespaces: section.namespaces.clone(),
            selections: vec![(ObjectKind::Custom, selection)],
        }
    }

    /// Whether the namespace that we run in has to be known.
    pub(crate) fn wants_own_namespace(&self) -> bool {
        self.namespaces.own_namespace
    }

    /// The view of a cluster; `name` where sections name clusters.
    pub(crate) fn view(&self, name: Option<&str>) -> ViewSpec {
        ViewSpec {
            cluster: name.map(Arc::from),
            ..self.view.clone()
        }
    }

    /// All needs of the view, its own kind first: each kind in each namespace once.
    pub(crate) fn needs(&self, own_namespace: Option<&str>) -> Vec<Need> {
        let namespaces = self.namespaces(own_namespace);
        let mut needs = Vec::new();
        for kind in self.view.kinds() {
            let Some(need) = self.need(kind) else {
                continue;
            };
            if need.kind.kind().namespaced {
                let namespaces = namespaces.iter().cloned();
                needs.extend(namespaces.map(|namespace| Need {
                    namespace,
                    ..need.clone()
                }));
            } else {
                needs.push(need);
            }
        }
        needs
    }

    fn need(&self, kind: ObjectKind) -> Option<Need> {
        let selections = self.selections.iter();
        let mut of_kind = selections.filter(|(of, _)| *of == kind);
        let Selection { labels, fields } = of_kind
            .next()
            .map_or_else(Selection::default, |(_, it)| it.clone());
        // Of owners nothing but their names is kept, so one watch serves whatever is dropped.
        let drop = match kind {
            ObjectKind::ReplicaSet | ObjectKind::Job => AnnotationFilter::default(),
            _ => self.view.drop_annotations.clone(),
        };
        Some(Need {
            labels,
            fields,
            drop,
            ..Need::all(WatchedKind::of(kind, &self.view)?)
        })
    }

    /// The namespaces, each once; `None` stands for all of them.
    fn namespaces(&self, own_namespace: Option<&str>) -> Vec<Option<Arc<str>>> {
        let names = self.namespaces.names.iter().map(String::as_str);
        let mut namespaces: Vec<Option<Arc<str>>> = Vec::new();
        for name in names.chain(own_namespace) {
            // An empty name is upstream's way to say all of them.
            let namespace = Some(Arc::from(name)).filter(|_| !name.is_empty());
            if !namespaces.contains(&namespace) {
                namespaces.push(namespace);
            }
        }
        if namespaces.is_empty() || namespaces.contains(&None) {
            namespaces = vec![None];
        }
        namespaces
    }
}

// === impl Selection ===

impl Selection {
    #[expect(clippy::ref_option, reason = "that is how sections have them")]
    fn new(labels: &Option<String>, fields: &Option<String>) -> Self {
        let filled =
            |text: &Option<String>| text.as_deref().filter(|it| !it.is_empty()).map(Arc::from);
        Self {
            labels: filled(labels),
            fields: filled(fields),
        }
    }
}

fn kind_of(role: Role) -> ObjectKind {
    match role {
        Role::Node => ObjectKind::Node,
        Role::Pod => ObjectKind::Pod,
        Role::Service => ObjectKind::Service,
        Role::Endpoints => ObjectKind::Endpoints,
        Role::EndpointSlice => ObjectKind::EndpointSlice,
        Role::Ingress => ObjectKind::Ingress,
    }
}

#[cfg(test)]
mod tests;
