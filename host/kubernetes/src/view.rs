//! What one provider makes of objects: folds their changes into target groups.
//!
//! A [`View`] is a synchronous state machine without I/O. It is told what became of each object
//! that it joins ([`View::apply`]), and derives on demand the groups that this touches
//! ([`View::take`]). What a group shows of other objects (the node of a Pod, the Pods of a slice) is
//! found by index, so that a change costs as much as what shows it and never more.

use std::sync::Arc;

use periplus_config::{AttachMetadata, Role};
use periplus_core::TargetGroup;

use crate::metrics::KubernetesMetrics;
use crate::record::Record;
use crate::resource::ObjectKey;
use crate::resource::custom;
use crate::resource::filter::AnnotationFilter;

/// Which kind of object an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum ObjectKind {
    /// Pods.
    Pod,
    /// Nodes.
    Node,
    /// Services.
    Service,
    /// Endpoints of `core/v1`.
    Endpoints,
    /// Slices of endpoints.
    EndpointSlice,
    /// Ingresses of `networking.k8s.io`.
    Ingress,
    /// Namespaces, of which metadata is known.
    Namespace,
    /// ReplicaSets, of which the controller is known.
    ReplicaSet,
    /// Jobs, of which the controller is known.
    Job,
    /// The objects of a custom kind.
    Custom,
}

/// Which objects become groups.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ViewRole {
    /// Those of a role of Prometheus.
    Builtin(Role),
    /// Those of a custom kind.
    Custom(Arc<custom::Spec>),
}

/// What a view makes of objects.
#[derive(Clone, Debug)]
pub(crate) struct ViewSpec {
    /// Which objects become groups.
    pub(crate) role: ViewRole,
    /// What is shown of related objects.
    pub(crate) attach: AttachMetadata,
    /// Annotations that are left out, also where the records have them.
    pub(crate) drop_annotations: AnnotationFilter,
    /// The cluster: becomes a label of every group and the beginning of every source.
    pub(crate) cluster: Option<Arc<str>>,
}

/// Makes a group again from the few records that it shows.
pub(crate) trait GroupOrigin: Send + Sync {
    /// The group, the same each time.
    fn derive(&self) -> TargetGroup;
}

/// A group as it is now; without targets it is gone.
pub(crate) struct Derived {
    /// The group.
    pub(crate) group: Arc<TargetGroup>,
    /// How it is made again, where that is cheap.
    pub(crate) origin: Option<Arc<dyn GroupOrigin>>,
}

/// See the module's documentation.
pub(crate) struct View {
    spec: ViewSpec,
    metrics: KubernetesMetrics,
}

// === impl ViewSpec ===

impl ViewSpec {
    /// The kinds of objects that a view joins, its own first.
    pub(crate) fn kinds(&self) -> Vec<ObjectKind> {
        let (own, pods) = match &self.role {
            ViewRole::Custom(_) => return vec![ObjectKind::Custom],
            ViewRole::Builtin(Role::Node) => return vec![ObjectKind::Node],
            ViewRole::Builtin(Role::Pod) => (vec![ObjectKind::Pod], true),
            ViewRole::Builtin(Role::Service) => (vec![ObjectKind::Service], false),
            ViewRole::Builtin(Role::Ingress) => (vec![ObjectKind::Ingress], false),
            ViewRole::Builtin(Role::Endpoints) => (
                vec![ObjectKind::Endpoints, ObjectKind::Service, ObjectKind::Pod],
                true,
            ),
            ViewRole::Builtin(Role::EndpointSlice) => (
                vec![
                    ObjectKind::EndpointSlice,
                    ObjectKind::Service,
                    ObjectKind::Pod,
                ],
                true,
            ),
        };
        let AttachMetadata {
            node,
            namespace,
            deployment,
            job: _,
            cronjob,
        } = self.attach;
        let mut kinds = own;
        kinds.extend((node && pods).then_some(ObjectKind::Node));
        kinds.extend(namespace.then_some(ObjectKind::Namespace));
        kinds.extend((deployment && pods).then_some(ObjectKind::ReplicaSet));
        // The Job of a Pod is known from the Pod itself.
        kinds.extend((cronjob && pods).then_some(ObjectKind::Job));
        kinds
    }
}

// === impl View ===

impl View {
    /// A view that knows of no object yet.
    pub(crate) fn new(spec: ViewSpec, metrics: KubernetesMetrics) -> Self {
        Self { spec, metrics }
    }

    /// One object as it is now; `None`: it is gone. Cheap: notes what has to be derived again.
    pub(crate) fn apply(&mut self, kind: ObjectKind, key: &ObjectKey, record: Option<&Record>) {
        let _ = (&self.spec, &self.metrics, kind, key, record);
    }

    /// Derives what the changes since the last call touch, and nothing else.
    pub(crate) fn take(&mut self) -> Vec<Derived> {
        Vec::new()
    }
}
