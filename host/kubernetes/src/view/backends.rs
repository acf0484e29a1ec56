//! Roles `endpoints` and `endpointslice`: what stands behind services, joined with it.
//!
//! A slice has up to 1,000 endpoints, and one Pod of them changes at a time. So a group keeps the
//! label sets of its targets, and only those of the backends that a change touches are made again.

mod labels;
mod rows;
mod targets;

use std::sync::Arc;

use periplus_core::TargetGroup;
use rustc_hash::{FxHashMap, FxHashSet};

use self::labels::{group_labels, is_left_out};
use self::targets::{Change, Hidden};
use super::index::Index;
use super::joined::{Difference, Joined, cluster_key, namespaced_key, owner_key};
use super::objects::gone;
use super::table::Table;
use super::{Derived, ObjectKind, ViewSpec};
use crate::record::Record;
use crate::resource::ObjectKey;
use crate::resource::pod::PodFields;

/// The label by which a slice names its service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// Says that there were too many endpoints for one object.
const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";

/// Which of the two roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavor {
    Endpoints,
    Slices,
}

/// All objects of a view of one of the roles.
pub(super) struct Backends {
    spec: Arc<ViewSpec>,
    flavor: Flavor,
    objects: Table<Option<Standing>>,
    joined: Joined,
    /// From services, Pods, nodes and namespaces to the objects that show them.
    shown_by: Index<u32>,
    /// From ReplicaSets and Jobs to the Pods that they own.
    owned: FxHashMap<Box<str>, FxHashSet<ObjectKey>>,
    pending: FxHashMap<u32, Change>,
    gone: FxHashSet<ObjectKey>,
    warned: FxHashSet<ObjectKey>,
}

/// The group that was handed out last.
pub(super) struct Standing {
    group: Arc<TargetGroup>,
    /// What it was made of.
    record: Record,
    hidden: Box<[Hidden]>,
    /// Whether all of it is left out.
    is_left_out: bool,
}

// === impl Backends ===

impl Backends {
    pub(super) fn new(spec: Arc<ViewSpec>, flavor: Flavor) -> Self {
        Self {
            spec,
            flavor,
            objects: Table::default(),
            joined: Joined::default(),
            shown_by: Index::default(),
            owned: FxHashMap::default(),
            pending: FxHashMap::default(),
            gone: FxHashSet::default(),
            warned: FxHashSet::default(),
        }
    }

    pub(super) fn apply_own(&mut self, key: &ObjectKey, record: Option<&Record>) {
        let Some(record) = record else {
            if let Some((number, slot)) = self.objects.remove(key) {
                let before = shown_keys(&self.spec, self.flavor, key, &slot.record);
                self.shown_by.replace(number, before, Vec::new());
                self.pending.remove(&number);
                self.gone.insert(key.clone());
                self.warned.remove(key);
            }
            return;
        };
        let (number, before) = self.objects.put(key, record);
        let after = shown_keys(&self.spec, self.flavor, key, record);
        let change = self.pending.entry(number).or_default();
        change.labels = true;
        if let Some(before) = before {
            let before = shown_keys(&self.spec, self.flavor, key, &before);
            // What was not shown a moment ago may have changed unseen, though an earlier state,
            // whose targets are still kept, has shown it.
            for new in self.shown_by.replace(number, before, after) {
                change.touch(&ObjectKey::new(&new));
            }
        } else {
            self.shown_by.replace(number, Vec::new(), after);
        }
        self.gone.remove(key);
        self.warn_of_capacity(key, record);
    }

    pub(super) fn apply_joined(
        &mut self,
        kind: ObjectKind,
        key: &ObjectKey,
        record: Option<&Record>,
    ) {
        let Difference::From(before) = self.joined.put(&self.spec, kind, key, record) else {
            return;
        };
        match kind {
            ObjectKind::Pod => {
                self.own_pod(key, before.as_ref(), record);
                self.touch(key);
            }
            ObjectKind::Node => self.touch(key),
            ObjectKind::ReplicaSet | ObjectKind::Job => {
                let pods = self.owned.get(key.as_str());
                let pods: Vec<_> = pods.into_iter().flatten().cloned().collect();
                for pod in &pods {
                    self.touch(pod);
                }
            }
            _ => {
                for number in self.shown_by.of(key.as_str()) {
                    self.pending.entry(number).or_default().labels = true;
                }
            }
        }
    }

    /// What changed, and how many groups were derived for it.
    pub(super) fn is_pending(&self) -> bool {
        !(self.gone.is_empty() && self.pending.is_empty())
    }

    pub(super) fn take(&mut self, limit: usize) -> (Vec<Derived>, usize) {
        let spec = &self.spec;
        let gone_now = self.gone.extract_if(|_| true).take(limit);
        let mut groups: Vec<Derived> = gone_now.map(|key| gone(spec, &key)).collect();
        let room = limit - groups.len();
        let pending: Vec<_> = self.pending.extract_if(|_, _| true).take(room).collect();
        let derived = pending.len();
        groups.extend(
            pending
                .iter()
                .filter_map(|(number, change)| self.derive(*number, change)),
        );
        (groups, derived)
    }

    /// The group of an object, if it is not what it was.
    fn derive(&mut self, number: u32, change: &Change) -> Option<Derived> {
        let slot = self.objects.get(number)?;
        let (key, record, standing) = (&slot.key, &slot.record, slot.state.as_ref());
        let service = service_key(self.flavor, key, record);
        let service = service.and_then(|service| self.joined.get(&service));
        let is_left_out = self.flavor == Flavor::Slices && is_left_out(record, service);
        let (targets, hidden) = if is_left_out {
            <_>::default()
        } else {
            self.targets(record, standing, change)
        };
        let labels = match standing {
            _ if targets.is_empty() => <_>::default(),
            Some(standing) if !change.labels && !standing.group.targets.is_empty() => {
                standing.group.labels.clone()
            }
            standing => {
                let namespace = || {
                    self.joined
                        .record(&cluster_key("namespace", key.namespace()))
                };
                let namespace = self.spec.attach.namespace.then(namespace).flatten();
                let object = (key, record);
                let labels = group_labels(&self.spec, self.flavor, object, service, namespace);
                let known = standing.map(|standing| &standing.group.labels);
                known
                    .filter(|known| **known == labels)
                    .cloned()
                    .unwrap_or(labels)
            }
        };
        let group = TargetGroup {
            source: self.spec.source(key),
            labels,
            targets,
        };
        let known = standing.map(|standing| &standing.group);
        let known = known.filter(|known| ***known == group).cloned();
        let is_new = known.is_none();
        let group = known.unwrap_or_else(|| Arc::new(group));
        let standing = Standing {
            group: Arc::clone(&group),
            record: record.clone(),
            hidden,
            is_left_out,
        };
        self.objects.get_mut(number)?.state = Some(standing);
        is_new.then_some(Derived {
            group,
            origin: None,
        })
    }

    /// Notes that whoever shows a Pod or a node has to look at it again.
    fn touch(&mut self, key: &ObjectKey) {
        for number in self.shown_by.of(key.as_str()) {
            self.pending.entry(number).or_default().touch(key);
        }
    }

    /// Keeps the index from owners to Pods.
    fn own_pod(&mut self, key: &ObjectKey, before: Option<&Record>, after: Option<&Record>) {
        let owner = |record: &Record| {
            let pod = PodFields::of(record);
            owner_key(&self.spec, key.namespace(), pod.controller)
        };
        let (before, after) = (before.and_then(owner), after.and_then(owner));
        if before == after {
            return;
        }
        if let Some(before) = before
            && let Some(pods) = self.owned.get_mut(&*before)
        {
            pods.remove(key);
            if pods.is_empty() {
                self.owned.remove(&*before);
            }
        }
        if let Some(after) = after {
            let pods = self.owned.entry(after.into()).or_default();
            pods.insert(key.clone());
        }
    }

    fn warn_of_capacity(&mut self, key: &ObjectKey, record: &Record) {
        if self.flavor == Flavor::Slices {
            return;
        }
        // Controllers write an annotation; upstream reads a label.
        let mut all = record.labels().chain(record.annotations());
        let said = all.find_map(|(name, value)| (name == OVER_CAPACITY).then_some(value));
        let Some(said @ ("truncated" | "warning")) = said else {
            self.warned.remove(key);
            return;
        };
        if self.warned.insert(key.clone()) {
            tracing::warn!(
                endpoints = %key.as_str(),
                state = said,
                "More than 1000 endpoints in one Endpoints object, use role endpointslice instead"
            );
        }
    }
}

fn service_key(flavor: Flavor, key: &ObjectKey, record: &Record) -> Option<String> {
    let name = match flavor {
        Flavor::Endpoints => key.name(),
        Flavor::Slices => record.label(SERVICE_NAME)?,
    };
    Some(namespaced_key("svc", key.namespace(), name))
}

/// The keys of the objects of which a group shows something.
fn shown_keys(spec: &ViewSpec, flavor: Flavor, key: &ObjectKey, record: &Record) -> Vec<String> {
    let mut keys: Vec<String> = service_key(flavor, key, record).into_iter().collect();
    if spec.attach.namespace {
        keys.push(cluster_key("namespace", key.namespace()));
    }
    rows::each_row(flavor, record, |row| {
        keys.extend(row.pod_key());
        if spec.attach.node {
            keys.extend(row.node_key(flavor));
        }
    });
    keys
}
