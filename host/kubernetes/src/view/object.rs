//! Groups of objects that become one each: nodes, pods, services, ingresses and custom kinds.

mod custom;
mod ingress;
mod node;
mod pod;
mod service;

use std::sync::Arc;

use periplus_config::Role;
use periplus_core::{LabelSet, TargetGroup};

use super::joined::{Joined, Owners, cluster_key};
use super::{GroupOrigin, ViewRole, ViewSpec};
use crate::labels::{self, Labels};
use crate::record::Record;
use crate::resource::ObjectKey;
use crate::resource::pod::PodFields;

pub(super) use pod::{Matched, push_pod};

/// What a group shows of other objects.
#[derive(Clone, Debug, Default)]
pub(super) struct Attached {
    pub(super) node: Option<Record>,
    pub(super) namespace: Option<Record>,
    pub(super) owners: Owners,
}

/// What a group is made of.
pub(super) struct ObjectOrigin {
    spec: Arc<ViewSpec>,
    key: ObjectKey,
    record: Record,
    /// Mostly nothing is attached: then this costs a pointer.
    attached: Option<Box<Attached>>,
}

/// The group of an object; with its source alone if it has no targets.
pub(super) fn group(
    spec: &ViewSpec,
    key: &ObjectKey,
    record: &Record,
    attached: &Attached,
) -> TargetGroup {
    let made = match &spec.role {
        ViewRole::Custom(custom) => custom::group(spec, custom, key, record),
        ViewRole::Builtin(Role::Pod) => pod::group(spec, key, record, attached),
        ViewRole::Builtin(Role::Node) => node::group(spec, key, record),
        ViewRole::Builtin(Role::Ingress) => ingress::group(spec, key, record, attached),
        // Endpoints and slices are no objects that become a group each by themselves.
        ViewRole::Builtin(_) => service::group(spec, key, record, attached),
    };
    let (labels, targets) = made.filter(|made| !made.1.is_empty()).unwrap_or_default();
    TargetGroup {
        source: spec.source(key),
        labels,
        targets,
    }
}

/// The first labels of every group.
pub(super) fn begin<'a>(spec: &'a ViewSpec, namespace: &'a str) -> Labels<'a> {
    let mut labels = Labels::default();
    labels.push_some("__meta_kubernetes_cluster", spec.cluster.as_deref());
    if !namespace.is_empty() {
        labels.push("__meta_kubernetes_namespace", namespace);
    }
    labels
}

/// What is shown of the namespace.
pub(super) fn push_namespace<'a>(
    labels: &mut Labels<'a>,
    spec: &ViewSpec,
    namespace: Option<&'a Record>,
) {
    if let Some(namespace) = namespace {
        labels.push_metadata(&labels::NAMESPACE, namespace, &spec.drop_annotations);
    }
}

/// What is shown of the node that something runs on.
pub(super) fn push_node<'a>(
    labels: &mut Labels<'a>,
    spec: &ViewSpec,
    name: &'a str,
    node: Option<&'a Record>,
) {
    if let Some(node) = node {
        labels.push_metadata(&labels::NODE, node, &spec.drop_annotations);
        labels.push(labels::NODE.name, name);
    }
}

type Made = Option<(LabelSet, Vec<LabelSet>)>;

// === impl Attached ===

impl Attached {
    /// What the group of an object shows of others.
    pub(super) fn of(spec: &ViewSpec, joined: &Joined, key: &ObjectKey, record: &Record) -> Self {
        let namespace = || joined.record(&cluster_key("namespace", key.namespace()));
        let namespace = spec.attach.namespace.then(namespace).flatten().cloned();
        if spec.role != ViewRole::Builtin(Role::Pod) {
            return Self {
                namespace,
                ..Self::default()
            };
        }
        let pod = PodFields::of(record);
        let node = || joined.record(&cluster_key("node", pod.node));
        Self {
            node: spec.attach.node.then(node).flatten().cloned(),
            namespace,
            owners: joined.owners(spec, key.namespace(), &pod),
        }
    }

    fn is_empty(&self) -> bool {
        let Owners { replica_set, job } = &self.owners;
        let attached = [&self.node, &self.namespace, replica_set, job];
        attached.into_iter().all(Option::is_none)
    }
}

// === impl ObjectOrigin ===

impl ObjectOrigin {
    pub(super) fn new(
        spec: &Arc<ViewSpec>,
        key: &ObjectKey,
        record: &Record,
        attached: Attached,
    ) -> Self {
        Self {
            spec: Arc::clone(spec),
            key: key.clone(),
            record: record.clone(),
            attached: (!attached.is_empty()).then(|| Box::new(attached)),
        }
    }
}

impl GroupOrigin for ObjectOrigin {
    fn derive(&self) -> TargetGroup {
        let nothing = Attached::default();
        let attached = self.attached.as_deref().unwrap_or(&nothing);
        group(&self.spec, &self.key, &self.record, attached)
    }
}
