//! What one provider makes of objects: folds their changes into target groups.
//!
//! A [`View`] is a synchronous state machine without I/O. It is told what became of each object
//! that it joins ([`View::apply`]), and derives on demand the groups that this touches
//! ([`View::take`]). What a group shows of other objects (the node of a Pod, the Pods of a slice) is
//! found by index, so that a change costs as much as what shows it and never more.

mod backends;
mod index;
mod joined;
mod object;
mod objects;
mod table;

use std::sync::Arc;

use periplus_config::{AttachMetadata, Role};
use periplus_core::TargetGroup;
use periplus_discovery::GroupOrigin;

use self::backends::{Backends, Flavor};
use self::objects::{Alone, Attaching};
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

/// A group as it is now; without targets it is gone.
pub(crate) struct Derived {
    /// The group.
    pub(crate) group: Arc<TargetGroup>,
    /// How it is made again, where that is cheap.
    pub(crate) origin: Option<Arc<dyn GroupOrigin>>,
}

/// See the module's documentation.
pub(crate) struct View {
    own: ObjectKind,
    /// The others that are joined.
    joined: Vec<ObjectKind>,
    role: &'static str,
    metrics: KubernetesMetrics,
    state: State,
}

/// By how much a group shows of other objects.
enum State {
    Alone(Alone),
    Attaching(Attaching),
    Backends(Box<Backends>),
}

// === impl ViewSpec ===

impl ViewSpec {
    /// The source of the group that is made of an object.
    fn source(&self, key: &ObjectKey) -> Arc<str> {
        match &self.cluster {
            None => key.source(),
            Some(cluster) => [cluster, "/", key.as_str()].concat().into(),
        }
    }

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
        let mut joined = spec.kinds();
        let own = joined.remove(0);
        let role = match &spec.role {
            ViewRole::Builtin(role) => role.as_str(),
            ViewRole::Custom(custom) => custom.kind().role,
        };
        let spec = Arc::new(spec);
        let state = match own {
            ObjectKind::Endpoints => {
                State::Backends(Box::new(Backends::new(spec, Flavor::Endpoints)))
            }
            ObjectKind::EndpointSlice => {
                State::Backends(Box::new(Backends::new(spec, Flavor::Slices)))
            }
            _ if joined.is_empty() => State::Alone(Alone::new(spec)),
            _ => State::Attaching(Attaching::new(spec)),
        };
        Self {
            own,
            joined,
            role,
            metrics,
            state,
        }
    }

    /// One object as it is now; `None`: it is gone. Cheap: notes what has to be derived again.
    /// Objects of kinds that the view does not join are passed over.
    pub(crate) fn apply(&mut self, kind: ObjectKind, key: &ObjectKey, record: Option<&Record>) {
        if kind == self.own {
            match &mut self.state {
                State::Alone(alone) => alone.apply(key, record),
                State::Attaching(attaching) => attaching.apply_own(key, record),
                State::Backends(backends) => backends.apply_own(key, record),
            }
        } else if self.joined.contains(&kind) {
            match &mut self.state {
                State::Alone(_) => {}
                State::Attaching(attaching) => attaching.apply_joined(kind, key, record),
                State::Backends(backends) => backends.apply_joined(kind, key, record),
            }
        }
    }

    /// Whether changes wait to be derived.
    pub(crate) fn is_pending(&self) -> bool {
        match &self.state {
            State::Alone(alone) => alone.is_pending(),
            State::Attaching(attaching) => attaching.is_pending(),
            State::Backends(backends) => backends.is_pending(),
        }
    }

    /// Whether a group shows something of other objects.
    pub(crate) fn has_joins(&self) -> bool {
        !self.joined.is_empty()
    }

    /// Derives what the changes since the last call touch, and nothing else; in no order, each
    /// source once. A group that is what it was is left out, but for those that show nothing of
    /// other objects: of them nothing is kept here, and equal records do not come twice.
    /// At most about `limit` groups, so that a first state need not be there twice at once; call
    /// again while [`View::is_pending`].
    pub(crate) fn take(&mut self, limit: usize) -> Vec<Derived> {
        let (groups, derived) = match &mut self.state {
            State::Alone(alone) => alone.take(limit),
            State::Attaching(attaching) => attaching.take(limit),
            State::Backends(backends) => backends.take(limit),
        };
        self.metrics.derived_groups(self.role, derived);
        groups
    }
}

#[cfg(test)]
mod tests;
