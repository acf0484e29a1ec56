//! Targets as a side shows them, ready to be laid beside those of another.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::facts::{object_of, role_of};
use crate::prometheus::{Active, Dropped, Labels, Targets};

/// The labels that Periplus discovers for the target which the direct side discovers with these; the job first.
pub(crate) type Twin<'a> = dyn Fn(&str, &Labels) -> Option<Labels> + 'a;

/// The index of a target that its side does not show.
const NOWHERE: usize = usize::MAX;

/// A target as one side shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shown {
    pub(super) job: String,
    pub(super) dropped: bool,
    /// Every property that is compared, labels with a prefix that says which kind they are.
    pub(super) facts: BTreeMap<String, String>,
    /// What a person knows the target by; not compared.
    pub(super) title: String,
    /// What pairs a target with its counterpart when they are not equal; not compared.
    pub(super) pair: String,
    /// Its discovered labels, whether they are compared or not.
    pub(super) discovered: Labels,
    /// Where it stands among the active or the dropped targets of its side.
    pub(super) index: usize,
}

/// A name that a person recognises.
pub fn title(discovered: &Labels, labels: &Labels) -> String {
    let get = |key: &str| discovered.get(key).map(String::as_str);
    let address = get("__address__").or(labels.get("instance").map(String::as_str));
    let object = role_of(discovered).and_then(|role| object_of(role, discovered));
    let mut text = String::from("`");
    if let Some(object) = object {
        let _ = if object.namespace.is_empty() {
            write!(text, "{}", object.name)
        } else {
            write!(text, "{}/{}", object.namespace, object.name)
        };
        if let Some(container) = get("__meta_kubernetes_pod_container_name") {
            let _ = write!(text, " ({container})");
        }
        text.push(' ');
    }
    text + address.unwrap_or("without address") + "`"
}

/// All targets of a side, in order.
pub(super) fn shown(targets: &Targets, with_discovered: bool) -> Vec<Shown> {
    let active = targets
        .active_targets
        .iter()
        .enumerate()
        .map(|(index, t)| active(index, t, with_discovered));
    // A list of final targets holds no dropped ones.
    let dropped = targets
        .dropped_targets
        .iter()
        .filter(|_| with_discovered)
        .enumerate()
        .map(|(index, t)| dropped(index, t));
    let mut all: Vec<Shown> = active.chain(dropped).collect();
    all.sort();
    all
}

fn active(index: usize, target: &Active, with_discovered: bool) -> Shown {
    let mut facts = BTreeMap::new();
    for (name, value) in &target.labels {
        facts.insert(format!("final label {name}"), value.clone());
    }
    facts.insert("scrape URL".into(), target.scrape_url.clone());
    facts.insert("scrape interval".into(), target.scrape_interval.clone());
    facts.insert("scrape timeout".into(), target.scrape_timeout.clone());
    if with_discovered {
        add_discovered(&mut facts, &target.discovered_labels);
    }
    Shown {
        job: target.scrape_pool.clone(),
        dropped: false,
        title: title(&target.discovered_labels, &target.labels),
        pair: if with_discovered {
            pair(&target.discovered_labels)
        } else {
            target.labels.get("instance").cloned().unwrap_or_default()
        },
        facts,
        discovered: target.discovered_labels.clone(),
        index,
    }
}

fn dropped(index: usize, target: &Dropped) -> Shown {
    let mut facts = BTreeMap::new();
    add_discovered(&mut facts, &target.discovered_labels);
    Shown {
        job: target.scrape_pool.clone(),
        dropped: true,
        title: title(&target.discovered_labels, &Labels::new()),
        pair: pair(&target.discovered_labels),
        facts,
        discovered: target.discovered_labels.clone(),
        index,
    }
}

fn add_discovered(facts: &mut BTreeMap<String, String>, labels: &Labels) {
    for (name, value) in labels {
        facts.insert(format!("discovered label {name}"), value.clone());
    }
}

/// What stays the same of a target whose labels differ between sides: its object and its place in it. A node
/// is one target, whatever its address.
pub(crate) fn pair(discovered: &Labels) -> String {
    let role = role_of(discovered).unwrap_or_default();
    let mut pair = object_of(role, discovered).map_or(String::new(), |object| object.to_string());
    let mut add = |keys: &[&str]| {
        for key in keys {
            pair.push('\n');
            pair += discovered.get(*key).map_or("", String::as_str);
        }
    };
    if role != "node" {
        add(&["__address__", "__meta_kubernetes_ingress_path"]);
    }
    let of_endpoint = [
        "__meta_kubernetes_endpoint_port_protocol",
        "__meta_kubernetes_endpointslice_port_protocol",
    ];
    let is_named = of_endpoint.iter().any(|key| discovered.contains_key(*key));
    if role.starts_with("endpoint") && !is_named {
        // A port that the endpoints do not name is one of a container.
        add(&[
            "__meta_kubernetes_pod_name",
            "__meta_kubernetes_pod_container_name",
            "__meta_kubernetes_pod_container_port_name",
            "__meta_kubernetes_pod_container_port_protocol",
        ]);
    }
    pair
}

/// How many labels two targets differ in.
pub(crate) fn distance(a: &Labels, b: &Labels) -> usize {
    let names = a
        .keys()
        .chain(b.keys().filter(|name| !a.contains_key(*name)));
    names.filter(|name| a.get(*name) != b.get(*name)).count()
}

/// Takes out pairs of the same place, those that differ least before others.
pub(super) fn match_places(left: &mut Vec<Shown>, right: &mut Vec<Shown>) -> Vec<(Shown, Shown)> {
    let mut candidates = Vec::new();
    for (l, target) in left.iter().enumerate() {
        for (r, other) in right.iter().enumerate() {
            if target.job == other.job && target.pair == other.pair {
                candidates.push((distance(&target.facts, &other.facts), l, r));
            }
        }
    }
    candidates.sort_unstable();
    let (mut taken_left, mut taken_right) = (BTreeSet::new(), BTreeSet::new());
    let mut pairs = Vec::new();
    for (_, l, r) in candidates {
        if !taken_left.contains(&l) && !taken_right.contains(&r) {
            taken_left.insert(l);
            taken_right.insert(r);
            pairs.push((left[l].clone(), right[r].clone()));
        }
    }
    for (targets, taken) in [(left, taken_left), (right, taken_right)] {
        let mut index = 0..;
        targets.retain(|_| index.next().is_none_or(|index| !taken.contains(&index)));
    }
    pairs
}

/// Takes out what both sides have, as often as both have it. Both lists are sorted.
pub(super) fn remove_common(left: &mut Vec<Shown>, right: &mut Vec<Shown>) {
    let same =
        |a: &Shown, b: &Shown| (&a.job, a.dropped, &a.facts).cmp(&(&b.job, b.dropped, &b.facts));
    let (mut only_left, mut only_right) = (Vec::new(), Vec::new());
    left.sort_by(same);
    right.sort_by(same);
    let (mut a, mut b) = (left.drain(..).peekable(), right.drain(..).peekable());
    while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
        match same(x, y) {
            std::cmp::Ordering::Less => only_left.extend(a.next()),
            std::cmp::Ordering::Greater => only_right.extend(b.next()),
            std::cmp::Ordering::Equal => {
                a.next();
                b.next();
            }
        }
    }
    only_left.extend(a);
    only_right.extend(b);
    *left = only_left;
    *right = only_right;
}

/// Takes out targets that are equal after relabeling where both sides discover both of them. Where Periplus has
/// other labels for the target that the direct side shows, that is a difference: returned as a pair.
pub(super) fn match_twins(
    left: &mut Vec<Shown>,
    right: &mut Vec<Shown>,
    twin: &Twin<'_>,
) -> Vec<(Shown, Shown)> {
    let mut pairs = Vec::new();
    left.retain(|target| {
        let labels = if target.dropped {
            None
        } else {
            twin(&target.job, &target.discovered)
        };
        let Some(labels) = labels else {
            return true;
        };
        let is_there = || {
            let mut others = right.iter();
            others.any(|r| r.job == target.job && r.pair == target.pair)
        };
        if labels != target.discovered && is_there() {
            return true;
        }
        let wanted = outcome(target);
        let found = right
            .iter()
            .position(|r| !r.dropped && r.job == target.job && outcome(r) == wanted);
        let Some(index) = found else {
            return true;
        };
        let ours = right.remove(index).with_discovered(labels);
        if ours.facts != target.facts {
            pairs.push((target.clone(), ours));
        }
        false
    });
    pairs
}

/// The same for targets that are left over because Periplus' copy of them is shown by one that is taken already.
pub(super) fn match_folded(left: &mut Vec<Shown>, twin: &Twin<'_>) -> Vec<(Shown, Shown)> {
    let mut pairs = Vec::new();
    left.retain(|target| {
        let labels = if target.dropped {
            None
        } else {
            twin(&target.job, &target.discovered)
        };
        let ours = labels.map(|labels| target.clone().with_discovered(labels));
        // Without a difference in labels there is nothing that would explain it.
        let Some(mut ours) = ours.filter(|ours| ours.facts != target.facts) else {
            return true;
        };
        ours.index = NOWHERE;
        pairs.push((target.clone(), ours));
        false
    });
    pairs
}

// === impl Shown ===

impl Shown {
    fn with_discovered(mut self, labels: Labels) -> Self {
        self.facts
            .retain(|key, _| !key.starts_with("discovered label "));
        add_discovered(&mut self.facts, &labels);
        self.discovered = labels;
        self
    }
}

fn outcome(shown: &Shown) -> BTreeMap<&String, &String> {
    let facts = shown.facts.iter();
    facts
        .filter(|(key, _)| !key.starts_with("discovered label "))
        .collect()
}
