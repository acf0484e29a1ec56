//! Objects that become one group each.
//!
//! What shows nothing of other objects is made from its own record alone, and nothing is kept of it
//! here. Else the records are kept, with an index from each object that is shown to those who do.

use std::sync::Arc;

use periplus_config::Role;
use periplus_core::TargetGroup;
use rustc_hash::{FxHashMap, FxHashSet};

use super::index::Index;
use super::joined::{Difference, Joined, cluster_key, owner_key};
use super::object::{Attached, ObjectOrigin, group};
use super::table::Table;
use super::{Derived, GroupOrigin, ObjectKind, ViewRole, ViewSpec};
use crate::record::Record;
use crate::resource::ObjectKey;
use crate::resource::pod::PodFields;

/// Objects whose groups show nothing of others.
pub(super) struct Alone {
    spec: Arc<ViewSpec>,
    pending: FxHashMap<ObjectKey, Option<Record>>,
}

/// Objects whose groups show something of others.
pub(super) struct Attaching {
    spec: Arc<ViewSpec>,
    objects: Table<Standing>,
    joined: Joined,
    /// From what is attached to the objects that show it.
    shown_by: Index<u32>,
    pending: FxHashSet<u32>,
    gone: FxHashSet<ObjectKey>,
}

/// The low half of the hash of the group that was handed out last.
#[derive(Default)]
pub(super) struct Standing(Option<u64>);

/// The group of an object that is gone.
pub(super) fn gone(spec: &ViewSpec, key: &ObjectKey) -> Derived {
    let group = TargetGroup {
        source: spec.source(key),
        ..TargetGroup::default()
    };
    Derived {
        group: Arc::new(group),
        origin: None,
    }
}

fn derive(spec: &Arc<ViewSpec>, key: &ObjectKey, record: &Record, attached: Attached) -> Derived {
    let group = group(spec, key, record, &attached);
    let origin = (!group.targets.is_empty())
        .then(|| Arc::new(ObjectOrigin::new(spec, key, record, attached)) as Arc<dyn GroupOrigin>);
    Derived {
        group: Arc::new(group),
        origin,
    }
}

// === impl Alone ===

impl Alone {
    pub(super) fn new(spec: Arc<ViewSpec>) -> Self {
        let pending = FxHashMap::default();
        Self { spec, pending }
    }

    pub(super) fn apply(&mut self, key: &ObjectKey, record: Option<&Record>) {
        self.pending.insert(key.clone(), record.cloned());
    }

    /// What changed, and how many groups were derived for it.
    pub(super) fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    pub(super) fn take(&mut self, limit: usize) -> (Vec<Derived>, usize) {
        let spec = &self.spec;
        let pending = self.pending.extract_if(|_, _| true).take(limit);
        let mut derived = 0;
        let groups = pending.map(|(key, record)| match record {
            Some(record) => {
                derived += 1;
                derive(spec, &key, &record, Attached::default())
            }
            None => gone(spec, &key),
        });
        (groups.collect(), derived)
    }
}

// === impl Attaching ===

impl Attaching {
    pub(super) fn new(spec: Arc<ViewSpec>) -> Self {
        Self {
            spec,
            objects: Table::default(),
            joined: Joined::default(),
            shown_by: Index::default(),
            pending: FxHashSet::default(),
            gone: FxHashSet::default(),
        }
    }

    pub(super) fn apply_own(&mut self, key: &ObjectKey, record: Option<&Record>) {
        let shown = |record: &Record| shown_keys(&self.spec, key, record);
        let Some(record) = record else {
            if let Some((number, slot)) = self.objects.remove(key) {
                let before = shown(&slot.record);
                self.shown_by.replace(number, before, Vec::new());
                self.pending.remove(&number);
                self.gone.insert(key.clone());
            }
            return;
        };
        let (number, before) = self.objects.put(key, record);
        let before = before.as_ref().map(shown).unwrap_or_default();
        let after = shown(record);
        self.shown_by.replace(number, before, after);
        self.pending.insert(number);
        self.gone.remove(key);
    }

    pub(super) fn apply_joined(
        &mut self,
        kind: ObjectKind,
        key: &ObjectKey,
        record: Option<&Record>,
    ) {
        let difference = self.joined.put(&self.spec, kind, key, record);
        if !matches!(difference, Difference::None) {
            self.pending.extend(self.shown_by.of(key.as_str()));
        }
    }

    /// What changed, and how many groups were derived for it.
    pub(super) fn is_pending(&self) -> bool {
        !(self.gone.is_empty() && self.pending.is_empty())
    }

    pub(super) fn take(&mut self, limit: usize) -> (Vec<Derived>, usize) {
        let spec = &self.spec;
        // Objects that are gone first: one of the same name may be among the others.
        let gone_now = self.gone.extract_if(|_| true).take(limit);
        let mut groups: Vec<Derived> = gone_now.map(|key| gone(spec, &key)).collect();
        let room = limit - groups.len();
        let pending: Vec<u32> = self.pending.extract_if(|_| true).take(room).collect();
        let derived = pending.len();
        for number in pending {
            let Some(slot) = self.objects.get_mut(number) else {
                continue;
            };
            let attached = Attached::of(spec, &self.joined, &slot.key, &slot.record);
            let derived = derive(spec, &slot.key, &slot.record, attached);
            let hash = Some(derived.group.content_hash().0 as u64);
            if slot.state.0 != hash {
                slot.state.0 = hash;
                groups.push(derived);
            }
        }
        (groups, derived)
    }
}

/// The keys of the objects of which the group of an object shows something.
fn shown_keys(spec: &ViewSpec, key: &ObjectKey, record: &Record) -> Vec<String> {
    let mut keys = Vec::new();
    if spec.attach.namespace {
        keys.push(cluster_key("namespace", key.namespace()));
    }
    if spec.role == ViewRole::Builtin(Role::Pod) {
        let pod = PodFields::of(record);
        if spec.attach.node {
            keys.push(cluster_key("node", pod.node));
        }
        keys.extend(owner_key(spec, key.namespace(), pod.controller));
    }
    keys
}
