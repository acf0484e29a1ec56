//! The targets of one object: those of its backends, then those of ports of their Pods that no
//! service leads to; kept as far as a change does not touch them.

use std::borrow::Borrow;

use periplus_core::LabelSet;
use rustc_hash::{FxHashMap, FxHashSet};

use super::labels::{PodOf, hidden_labels, target_labels};
use super::rows::{Place, Row, each_row};
use super::{Backends, Standing};
use crate::record::Record;
use crate::resource::ObjectKey;
use crate::resource::pod::PodFields;
use crate::view::joined::{Owners, namespaced_key};
use crate::view::object::Matched;

/// What has to be looked at again in one object.
#[derive(Default)]
pub(super) struct Change {
    /// The labels of the group.
    pub(super) labels: bool,
    /// The Pods and nodes of which something else is shown.
    touched: FxHashSet<ObjectKey>,
}

/// The targets for ports of one Pod that no service leads to. They stand behind those of the
/// backends, ordered by the number of the first backend that is the Pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hidden {
    ordinal: u32,
    count: u32,
}

/// The targets and the hidden ones among them.
type Targets = (Vec<LabelSet>, Box<[Hidden]>);

/// A Pod by namespace and name.
type PodName<'a> = (&'a str, &'a str);

/// The backends that are one Pod.
#[derive(Default)]
struct Seen {
    /// The number of the first one.
    ordinal: usize,
    /// How many there are.
    backends: usize,
    /// The numbers of their ports.
    ports: FxHashSet<u64>,
    /// Whether the targets of all of them are as they were.
    is_kept: bool,
}

/// What stood before an object changed.
#[derive(Default)]
struct Before<'a> {
    targets: &'a [LabelSet],
    /// By what a backend and its ports look like.
    places: FxHashMap<(&'a [u8], &'a [u8]), Place>,
    /// How many backends each Pod was, and its hidden targets.
    pods: FxHashMap<PodName<'a>, (usize, &'a [LabelSet])>,
}

// === impl Change ===

impl Change {
    pub(super) fn touch(&mut self, key: &ObjectKey) {
        if !self.touched.contains(key) {
            self.touched.insert(key.clone());
        }
    }

    fn touches(&self, key: Option<String>) -> bool {
        key.is_some_and(|key| self.touched.contains::<str>(key.borrow()))
    }
}

// === impl Seen ===

impl Seen {
    /// Notes a backend. Upstream, too, counts those alone that have targets.
    fn note<'a>(seen: &mut FxHashMap<PodName<'a>, Self>, row: &Row<'_, 'a>, is_kept: bool) {
        let Some(pod) = row.pod().filter(|_| !row.place.is_empty()) else {
            return;
        };
        let seen = seen.entry(pod).or_insert_with(|| Self {
            ordinal: row.ordinal,
            is_kept: true,
            ..Self::default()
        });
        seen.backends += 1;
        seen.is_kept &= is_kept;
        seen.ports
            .extend(row.ports.iter().filter_map(|port| port.number));
    }

    /// In the order of the backends.
    fn sorted(seen: FxHashMap<PodName<'_>, Self>) -> Vec<(PodName<'_>, Self)> {
        let mut seen: Vec<_> = seen.into_iter().collect();
        seen.sort_unstable_by_key(|(_, seen)| seen.ordinal);
        seen
    }
}

// === impl Before ===

impl<'a> Before<'a> {
    fn of(backends: &Backends, standing: &'a Standing) -> Self {
        let mut before = Self {
            targets: &standing.group.targets,
            ..Self::default()
        };
        let mut seen = FxHashMap::default();
        let total = each_row(backends.flavor, &standing.record, |row| {
            let look = (row.subset.port_bytes(), row.backend.bytes);
            before.places.insert(look, row.place);
            Seen::note(&mut seen, row, true);
        });
        let mut at = total;
        let mut hidden = standing.hidden.iter().peekable();
        for (pod, seen) in Seen::sorted(seen) {
            let own = hidden.next_if(|hidden| hidden.ordinal as usize == seen.ordinal);
            let count = own.map_or(0, |own| own.count as usize);
            let targets = &before.targets[at..at + count];
            before.pods.insert(pod, (seen.backends, targets));
            at += count;
        }
        before
    }
}

// === impl Backends ===

impl Backends {
    /// The targets of an object.
    pub(super) fn targets(
        &self,
        record: &Record,
        standing: Option<&Standing>,
        change: &Change,
    ) -> Targets {
        match standing.filter(|standing| !standing.is_left_out) {
            Some(standing) if standing.record == *record => self.patched(standing, change),
            Some(standing) => self.rebuilt(record, &Before::of(self, standing), change),
            None => self.rebuilt(record, &Before::default(), change),
        }
    }

    /// The object is what it was: makes the targets of what was touched again, in their places.
    fn patched(&self, standing: &Standing, change: &Change) -> Targets {
        let mut targets = standing.group.targets.clone();
        if change.touched.is_empty() {
            return (targets, standing.hidden.clone());
        }
        // By far the most backends are not touched, which their names alone tell.
        let names: FxHashSet<&str> = change.touched.iter().map(ObjectKey::name).collect();
        let mut touched = FxHashMap::default();
        let total = each_row(self.flavor, &standing.record, |row| {
            let is_pod = row.pod().is_some_and(|(_, name)| names.contains(name))
                && change.touches(row.pod_key());
            let is_node = || {
                let node = row.node(self.flavor);
                node.is_some_and(|name| names.contains(name))
                    && change.touches(row.node_key(self.flavor))
            };
            if is_pod {
                Seen::note(&mut touched, row, false);
            }
            if is_pod || is_node() {
                for (index, labels) in row.place.indexes().zip(self.row_targets(row)) {
                    if targets[index] != labels {
                        targets[index] = labels;
                    }
                }
            }
        });
        let hidden = self.patch_hidden(&mut targets, total, standing, Seen::sorted(touched));
        (targets, hidden)
    }

    /// Puts the hidden targets of `touched` in the place of those they had.
    fn patch_hidden(
        &self,
        targets: &mut Vec<LabelSet>,
        total: usize,
        standing: &Standing,
        touched: Vec<(PodName<'_>, Seen)>,
    ) -> Box<[Hidden]> {
        if touched.is_empty() {
            return standing.hidden.clone();
        }
        let before = targets.split_off(total);
        let mut before = before.into_iter();
        let mut known = standing.hidden.iter().peekable();
        let mut hidden = Vec::new();
        for (pod, seen) in touched {
            while let Some(earlier) = known.next_if(|it| (it.ordinal as usize) < seen.ordinal) {
                targets.extend(before.by_ref().take(earlier.count as usize));
                hidden.push(*earlier);
            }
            let own = known.next_if(|it| it.ordinal as usize == seen.ordinal);
            let count = own.map_or(0, |own| own.count as usize);
            let own: Vec<LabelSet> = before.by_ref().take(count).collect();
            let mut own = own.into_iter();
            let start = targets.len();
            for labels in self.hidden_targets(pod, &seen.ports) {
                let known = own.next().filter(|known| *known == labels);
                targets.push(known.unwrap_or(labels));
            }
            push_hidden(&mut hidden, seen.ordinal, targets.len() - start);
        }
        targets.extend(before);
        hidden.extend(known.copied());
        hidden.into()
    }

    /// Makes all targets but those of backends that were there before.
    fn rebuilt(&self, record: &Record, before: &Before<'_>, change: &Change) -> Targets {
        let mut placed: Vec<(usize, LabelSet)> = Vec::new();
        let mut seen = FxHashMap::default();
        each_row(self.flavor, record, |row| {
            let is_touched = !change.touched.is_empty()
                && (change.touches(row.pod_key()) || change.touches(row.node_key(self.flavor)));
            let look = (row.subset.port_bytes(), row.backend.bytes);
            let known = before.places.get(&look).filter(|_| !is_touched);
            match known {
                Some(known) => {
                    let targets = known.indexes().map(|at| before.targets[at].clone());
                    placed.extend(row.place.indexes().zip(targets));
                }
                None => placed.extend(row.place.indexes().zip(self.row_targets(row))),
            }
            Seen::note(&mut seen, row, known.is_some());
        });
        placed.sort_by_key(|(index, _)| *index);
        let mut targets: Vec<LabelSet> = placed.into_iter().map(|(_, labels)| labels).collect();
        let mut hidden = Vec::new();
        for (pod, seen) in Seen::sorted(seen) {
            let start = targets.len();
            match before.pods.get(&pod) {
                Some((backends, known)) if seen.is_kept && *backends == seen.backends => {
                    targets.extend_from_slice(known);
                }
                _ => targets.extend(self.hidden_targets(pod, &seen.ports)),
            }
            push_hidden(&mut hidden, seen.ordinal, targets.len() - start);
        }
        (targets, hidden.into())
    }

    /// The targets of a backend: for each port, for each address.
    fn row_targets(&self, row: &Row<'_, '_>) -> Vec<LabelSet> {
        let node = || row.node_key(self.flavor);
        let node = self.spec.attach.node.then(node).flatten();
        let node = node.and_then(|node| self.joined.record(&node));
        let mut targets = Vec::with_capacity(row.place.len());
        let mut make = |pod: Option<PodOf<'_>>| {
            for port in row.ports {
                for address in row.backend.addresses() {
                    let at = (address, port);
                    targets.push(target_labels(&self.spec, self.flavor, row, at, node, pod));
                }
            }
        };
        match row.pod() {
            Some(pod) => self.with_pod(pod, make),
            None => make(None),
        }
        targets
    }

    /// The targets for ports of a Pod that are none of `ports`.
    fn hidden_targets(&self, pod: PodName<'_>, ports: &FxHashSet<u64>) -> Vec<LabelSet> {
        let mut targets = Vec::new();
        self.with_pod(pod, |pod| {
            let Some(pod) = pod.filter(|pod| !pod.pod.ip.is_empty()) else {
                return;
            };
            for container in pod.pod.containers() {
                let of_container = container.ports();
                for port in of_container.filter(|port| !ports.contains(&port.number)) {
                    let matched = Matched {
                        container,
                        port: port.number,
                        port_name: port.name,
                        protocol: port.protocol,
                    };
                    targets.push(hidden_labels(&self.spec, pod, matched));
                }
            }
        });
        targets
    }

    /// Goes on with what is known of a Pod.
    fn with_pod<T>(
        &self,
        (namespace, name): PodName<'_>,
        go_on: impl FnOnce(Option<PodOf<'_>>) -> T,
    ) -> T {
        let key = namespaced_key("pod", namespace, name);
        let Some((key, record)) = self.joined.get(&key) else {
            return go_on(None);
        };
        let pod = PodFields::of(record);
        let owners: Owners = self.joined.owners(&self.spec, namespace, &pod);
        go_on(Some(PodOf {
            key,
            record,
            pod,
            owners: &owners,
        }))
    }
}

fn push_hidden(hidden: &mut Vec<Hidden>, ordinal: usize, count: usize) {
    if count > 0 {
        hidden.push(Hidden {
            ordinal: ordinal as u32,
            count: count as u32,
        });
    }
}
