//! Kinds of which only metadata is asked for: Namespaces, ReplicaSets and Jobs.

use super::filter::AnnotationFilter;
use super::{Controller, Kind, ObjectNames, Resource};
use crate::record::{Record, Writer};
use crate::wire::{Metadata, OwnerReference, Text, controller, nullable};

pub(super) static NAMESPACES: Kind = Kind::builtin("/api/v1", "namespaces", "namespace")
    .cluster_scoped()
    .metadata_only();
pub(super) static REPLICA_SETS: Kind =
    Kind::builtin("/apis/apps/v1", "replicasets", "replicaset").metadata_only();
pub(super) static JOBS: Kind = Kind::builtin("/apis/batch/v1", "jobs", "job").metadata_only();

/// The kind `Namespace`: labels and annotations are kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Namespace {
    left_out: AnnotationFilter,
}

/// A kind between a Pod and what its user made: only the controller is kept.
#[derive(Clone, Debug)]
pub(crate) struct Owned(&'static Kind);

/// A Namespace as read.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct NamespaceWire<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    metadata: Metadata<'a>,
}

/// A ReplicaSet or a Job as read.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct OwnedWire<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    metadata: OwnedMetadata<'a>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OwnedMetadata<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    namespace: Text<'a>,
    #[serde(borrow)]
    resource_version: Text<'a>,
    #[serde(borrow, deserialize_with = "nullable")]
    owner_references: Vec<OwnerReference<'a>>,
}

// === impl Namespace ===

impl Namespace {
    /// The kind, with annotations left out.
    pub(crate) fn new(left_out: AnnotationFilter) -> Self {
        Self { left_out }
    }
}

impl Resource for Namespace {
    type Wire<'a> = NamespaceWire<'a>;

    fn kind(&self) -> &Kind {
        &NAMESPACES
    }

    fn names<'w>(&self, wire: &'w NamespaceWire<'_>) -> ObjectNames<'w> {
        wire.metadata.names()
    }

    fn pack(&self, wire: &NamespaceWire<'_>, writer: &mut Writer) {
        wire.metadata.pack(writer, &self.left_out);
    }
}

// === impl Owned ===

impl Owned {
    /// The kind `ReplicaSet`.
    pub(crate) fn replica_set() -> Self {
        Self(&REPLICA_SETS)
    }

    /// The kind `Job`.
    pub(crate) fn job() -> Self {
        Self(&JOBS)
    }

    /// The controller, as the record of such an object holds it.
    pub(crate) fn controller(record: &Record) -> Controller<'_> {
        Controller::read(&mut record.body())
    }
}

impl Resource for Owned {
    type Wire<'a> = OwnedWire<'a>;

    fn kind(&self) -> &Kind {
        self.0
    }

    fn names<'w>(&self, wire: &'w OwnedWire<'_>) -> ObjectNames<'w> {
        let metadata = &wire.metadata;
        ObjectNames {
            namespace: metadata.namespace.as_str(),
            name: metadata.name.as_str(),
            resource_version: metadata.resource_version.as_str(),
        }
    }

    fn pack(&self, wire: &OwnedWire<'_>, writer: &mut Writer) {
        Metadata::default().pack(writer, &AnnotationFilter::default());
        Controller::pack(controller(&wire.metadata.owner_references), writer);
    }
}
