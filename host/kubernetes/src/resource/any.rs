//! A kind of object that is known at run time alone.

use std::sync::Arc;

use super::custom::{Custom, Spec};
use super::endpoints::Endpoints;
use super::filter::AnnotationFilter;
use super::ingress::Ingress;
use super::metadata::{Namespace, Owned};
use super::node::Node;
use super::pod::Pod;
use super::service::Service;
use super::slice::EndpointSlice;
use super::{Kind, Resource, endpoints, ingress, metadata, node, pod, service, slice};
use crate::view::{ObjectKind, ViewRole, ViewSpec};

/// What a watch is of: an [`ObjectKind`] with all that is needed to read its objects.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum WatchedKind {
    Pod,
    Node,
    Service,
    Endpoints,
    EndpointSlice,
    Ingress,
    Namespace,
    ReplicaSet,
    Job,
    Custom(Arc<Spec>),
}

/// Is given a [`Resource`] whose type is known to it alone.
pub(crate) trait ResourceVisitor {
    /// What comes of it.
    type Output;

    /// Goes on with the resource.
    fn visit<R: Resource>(self, resource: R) -> Self::Output;
}

// === impl WatchedKind ===

impl WatchedKind {
    /// What a view needs a watch of for the objects of `kind`. `None` for custom ones where the
    /// view is of another role: it joins no such objects.
    pub(crate) fn of(kind: ObjectKind, spec: &ViewSpec) -> Option<Self> {
        Some(match kind {
            ObjectKind::Pod => Self::Pod,
            ObjectKind::Node => Self::Node,
            ObjectKind::Service => Self::Service,
            ObjectKind::Endpoints => Self::Endpoints,
            ObjectKind::EndpointSlice => Self::EndpointSlice,
            ObjectKind::Ingress => Self::Ingress,
            ObjectKind::Namespace => Self::Namespace,
            ObjectKind::ReplicaSet => Self::ReplicaSet,
            ObjectKind::Job => Self::Job,
            ObjectKind::Custom => match &spec.role {
                ViewRole::Custom(spec) => Self::Custom(Arc::clone(spec)),
                ViewRole::Builtin(_) => return None,
            },
        })
    }

    /// How views call it.
    pub(crate) fn object_kind(&self) -> ObjectKind {
        match self {
            Self::Pod => ObjectKind::Pod,
            Self::Node => ObjectKind::Node,
            Self::Service => ObjectKind::Service,
            Self::Endpoints => ObjectKind::Endpoints,
            Self::EndpointSlice => ObjectKind::EndpointSlice,
            Self::Ingress => ObjectKind::Ingress,
            Self::Namespace => ObjectKind::Namespace,
            Self::ReplicaSet => ObjectKind::ReplicaSet,
            Self::Job => ObjectKind::Job,
            Self::Custom(_) => ObjectKind::Custom,
        }
    }

    /// What it is called, and where it is found.
    pub(crate) fn kind(&self) -> &Kind {
        match self {
            Self::Pod => &pod::KIND,
            Self::Node => &node::KIND,
            Self::Service => &service::KIND,
            Self::Endpoints => &endpoints::KIND,
            Self::EndpointSlice => &slice::KIND,
            Self::Ingress => &ingress::KIND,
            Self::Namespace => &metadata::NAMESPACES,
            Self::ReplicaSet => &metadata::REPLICA_SETS,
            Self::Job => &metadata::JOBS,
            Self::Custom(spec) => spec.kind(),
        }
    }

    /// Hands the kind to `visitor`, as a [`Resource`] that leaves out these annotations.
    pub(crate) fn visit<V: ResourceVisitor>(
        &self,
        left_out: AnnotationFilter,
        visitor: V,
    ) -> V::Output {
        match self {
            Self::Pod => visitor.visit(Pod::new(left_out)),
            Self::Node => visitor.visit(Node::new(left_out)),
            Self::Service => visitor.visit(Service::new(left_out)),
            Self::Endpoints => visitor.visit(Endpoints::new(left_out)),
            Self::EndpointSlice => visitor.visit(EndpointSlice::new(left_out)),
            Self::Ingress => visitor.visit(Ingress::new(left_out)),
            Self::Namespace => visitor.visit(Namespace::new(left_out)),
            Self::ReplicaSet => visitor.visit(Owned::replica_set()),
            Self::Job => visitor.visit(Owned::job()),
            Self::Custom(spec) => visitor.visit(Custom::new(Arc::clone(spec), left_out)),
        }
    }
}
