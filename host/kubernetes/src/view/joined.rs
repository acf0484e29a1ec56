//! The objects that a view joins, besides those that become groups.

use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;

use super::{ObjectKind, ViewSpec};
use crate::record::Record;
use crate::resource::pod::PodFields;
use crate::resource::service::ServiceFields;
use crate::resource::{Controller, ObjectKey};

/// Records by key. Keys begin with their kind, so that one map has them all.
#[derive(Default)]
pub(super) struct Joined(FxHashMap<ObjectKey, Record>);

/// Records of what owns a Pod, as far as a view shows something of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Owners {
    pub(super) replica_set: Option<Record>,
    pub(super) job: Option<Record>,
}

// === impl Joined ===

impl Joined {
    /// Takes an object as it is now. What it was before, if that makes a difference to those that
    /// show it.
    pub(super) fn put(
        &mut self,
        spec: &ViewSpec,
        kind: ObjectKind,
        key: &ObjectKey,
        record: Option<&Record>,
    ) -> Option<Option<Record>> {
        let Some(record) = record else {
            return self.0.remove(key).map(Some);
        };
        match self.0.entry(key.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(record.clone());
                Some(None)
            }
            Entry::Occupied(mut entry) => {
                let before = entry.insert(record.clone());
                let is_same = shows_same(spec, kind, &before, record);
                (!is_same).then_some(Some(before))
            }
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<(&ObjectKey, &Record)> {
        self.0.get_key_value(key)
    }

    pub(super) fn record(&self, key: &str) -> Option<&Record> {
        self.0.get(key)
    }

    /// What owns a Pod.
    pub(super) fn owners(&self, spec: &ViewSpec, namespace: &str, pod: &PodFields<'_>) -> Owners {
        let owner = owner_key(spec, namespace, pod.controller);
        let record = owner.and_then(|key| self.record(&key).cloned());
        match pod.controller.kind {
            "ReplicaSet" => Owners {
                replica_set: record,
                job: None,
            },
            _ => Owners {
                replica_set: None,
                job: record,
            },
        }
    }
}

/// The key of the object that a view looks at to know what owns a Pod.
pub(super) fn owner_key(
    spec: &ViewSpec,
    namespace: &str,
    controller: Controller<'_>,
) -> Option<String> {
    let kind = match controller.kind {
        "ReplicaSet" if spec.attach.deployment => "replicaset",
        "Job" if spec.attach.cronjob => "job",
        _ => return None,
    };
    Some(namespaced_key(kind, namespace, controller.name))
}

/// The text of a key.
pub(super) fn namespaced_key(kind: &str, namespace: &str, name: &str) -> String {
    [kind, "/", namespace, "/", name].concat()
}

/// The text of the key of an object outside namespaces.
pub(super) fn cluster_key(kind: &str, name: &str) -> String {
    [kind, "/", name].concat()
}

/// Whether two records of an object make no difference to those that show it.
fn shows_same(spec: &ViewSpec, kind: ObjectKind, before: &Record, after: &Record) -> bool {
    match kind {
        ObjectKind::Node | ObjectKind::Namespace => has_same_metadata(spec, before, after),
        ObjectKind::Service => {
            has_same_metadata(spec, before, after)
                && ServiceFields::of(before).primary_family
                    == ServiceFields::of(after).primary_family
        }
        _ => before == after,
    }
}

fn has_same_metadata(spec: &ViewSpec, before: &Record, after: &Record) -> bool {
    if before.metadata_bytes() == after.metadata_bytes() {
        return true;
    }
    let left_out = &spec.drop_annotations;
    if left_out.is_empty() {
        return false;
    }
    let shown = |record: &Record| -> Vec<(String, String)> {
        let annotations = record.annotations();
        let annotations = annotations.filter(|(name, _)| !left_out.drops(name));
        annotations
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    };
    before.labels().eq(after.labels()) && shown(before) == shown(after)
}
