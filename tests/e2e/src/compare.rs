//! Whether the sides show the same, and if not, exactly what differs.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::prometheus::{Active, Dropped, Labels, Targets};
use crate::sides::Side;

/// Enough to see what is wrong; the rest is counted.
const SHOWN: usize = 20;

/// What two sides disagree on; empty if nothing.
#[derive(Debug, Default)]
pub struct Differences {
    lines: Vec<String>,
    targets: usize,
}

/// A target as one side shows it, ready to be laid beside that of another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shown {
    job: String,
    dropped: bool,
    /// Every property that is compared, labels with a prefix that says which kind they are.
    facts: BTreeMap<String, String>,
    /// What a person knows the target by; not compared.
    title: String,
    /// What pairs a target with its counterpart when they are not equal; not compared.
    pair: String,
}

// === impl Differences ===

impl Differences {
    /// Compares what a side shows with what the direct side shows.
    /// `twin` tells whether Periplus discovers a target with these labels too: of several targets that end
    /// up equal, Prometheus shows one at random, so that another one's labels may stand in their place.
    pub fn between(
        direct: &Targets,
        other: &Targets,
        side: Side,
        twin: &dyn Fn(&str, &Labels) -> bool,
    ) -> Self {
        let with_discovered = side != Side::Final;
        let mut left = shown(direct, with_discovered);
        let mut right = shown(other, with_discovered);
        remove_common(&mut left, &mut right);
        if with_discovered {
            remove_twins(&mut left, &mut right, twin);
        }
        let mut differences = Self::default();
        // A target that differs is one difference, not one missing and one too many.
        for target in left {
            let counterpart = right
                .iter()
                .position(|r| r.job == target.job && r.pair == target.pair);
            match counterpart.map(|index| right.remove(index)) {
                Some(counterpart) => differences.differing(&target, &counterpart, side),
                None => differences.alone(&target, Side::Direct, side),
            }
        }
        for target in right {
            differences.alone(&target, side, Side::Direct);
        }
        differences
    }

    /// Whether the sides agree.
    pub fn is_empty(&self) -> bool {
        self.targets == 0
    }

    fn differing(&mut self, direct: &Shown, other: &Shown, side: Side) {
        let mut text = format!("job `{}`, target {}:", direct.job, direct.title);
        if direct.dropped != other.dropped {
            let word = |dropped| if dropped { "dropped" } else { "active" };
            let _ = write!(
                text,
                "\n      {} on direct, {} on {}",
                word(direct.dropped),
                word(other.dropped),
                side.name()
            );
        }
        let mut keys: Vec<&String> = direct.facts.keys().chain(other.facts.keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys {
            let (a, b) = (direct.facts.get(key), other.facts.get(key));
            // A dropped target has no final labels to compare.
            let comparable = direct.dropped == other.dropped || key.starts_with("discovered");
            if a != b && comparable {
                let value =
                    |v: Option<&String>| v.map_or("absent".to_owned(), |v| format!("{v:?}"));
                let _ = write!(
                    text,
                    "\n      {key}: {} on direct, {} on {}",
                    value(a),
                    value(b),
                    side.name()
                );
            }
        }
        self.add(text);
    }

    fn alone(&mut self, target: &Shown, has: Side, lacks: Side) {
        let mut text = format!(
            "job `{}`, target {} ({}): on {}, not on {}",
            target.job,
            target.title,
            if target.dropped { "dropped" } else { "active" },
            has.name(),
            lacks.name()
        );
        for (key, value) in &target.facts {
            let _ = write!(text, "\n      {key}: {value:?}");
        }
        self.add(text);
    }

    fn add(&mut self, line: String) {
        self.targets += 1;
        if self.lines.len() < SHOWN {
            self.lines.push(line);
        }
    }
}

impl std::fmt::Display for Differences {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in &self.lines {
            writeln!(f, "    {line}")?;
        }
        if self.targets > self.lines.len() {
            writeln!(
                f,
                "    and {} targets more",
                self.targets - self.lines.len()
            )?;
        }
        Ok(())
    }
}

/// A name that a person recognises.
pub fn title(discovered: &Labels, labels: &Labels) -> String {
    let get = |key: &str| discovered.get(key).map(String::as_str);
    let address = get("__address__").or(labels.get("instance").map(String::as_str));
    let namespace = get("__meta_kubernetes_namespace");
    let object = [
        "pod",
        "node",
        "service",
        "ingress",
        "endpoints",
        "endpointslice",
    ]
    .iter()
    .find_map(|role| get(&format!("__meta_kubernetes_{role}_name")));
    let port = get("__meta_kubernetes_pod_container_name");
    let mut text = String::from("`");
    if let Some(object) = object {
        let _ = match namespace {
            Some(namespace) => write!(text, "{namespace}/{object}"),
            None => write!(text, "{object}"),
        };
        if let Some(container) = port {
            let _ = write!(text, " ({container})");
        }
        text.push(' ');
    }
    text + address.unwrap_or("without address") + "`"
}

fn shown(targets: &Targets, with_discovered: bool) -> Vec<Shown> {
    let active = targets
        .active_targets
        .iter()
        .map(|t| active(t, with_discovered));
    // A list of final targets holds no dropped ones.
    let dropped = targets
        .dropped_targets
        .iter()
        .filter(|_| with_discovered)
        .map(dropped);
    let mut all: Vec<Shown> = active.chain(dropped).collect();
    all.sort();
    all
}

fn active(target: &Active, with_discovered: bool) -> Shown {
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
    }
}

fn dropped(target: &Dropped) -> Shown {
    let mut facts = BTreeMap::new();
    add_discovered(&mut facts, &target.discovered_labels);
    Shown {
        job: target.scrape_pool.clone(),
        dropped: true,
        title: title(&target.discovered_labels, &Labels::new()),
        pair: pair(&target.discovered_labels),
        facts,
    }
}

fn add_discovered(facts: &mut BTreeMap<String, String>, labels: &Labels) {
    for (name, value) in labels {
        facts.insert(format!("discovered label {name}"), value.clone());
    }
}

/// What stays the same of a target whose labels differ between sides: its object and its port.
fn pair(discovered: &Labels) -> String {
    let keys = [
        "__meta_kubernetes_namespace",
        "__meta_kubernetes_pod_name",
        "__meta_kubernetes_node_name",
        "__meta_kubernetes_service_name",
        "__meta_kubernetes_endpointslice_name",
        "__meta_kubernetes_pod_container_name",
        "__meta_kubernetes_pod_container_port_number",
        "__address__",
    ];
    keys.iter()
        .map(|key| discovered.get(*key).map_or("", String::as_str))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Takes out what both sides have, as often as both have it. Both lists are sorted.
fn remove_common(left: &mut Vec<Shown>, right: &mut Vec<Shown>) {
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

/// Takes out pairs that are equal after relabeling and whose discovered labels belong to twins.
fn remove_twins(
    left: &mut Vec<Shown>,
    right: &mut Vec<Shown>,
    twin: &dyn Fn(&str, &Labels) -> bool,
) {
    let outcome = |s: &Shown| -> BTreeMap<String, String> {
        let facts = s
            .facts
            .iter()
            .filter(|(key, _)| !key.starts_with("discovered label "));
        facts.map(|(k, v)| (k.clone(), v.clone())).collect()
    };
    let discovered = |s: &Shown| -> Labels {
        let facts = s.facts.iter();
        facts
            .filter_map(|(k, v)| Some((k.strip_prefix("discovered label ")?.to_owned(), v.clone())))
            .collect()
    };
    left.retain(|target| {
        if target.dropped || !twin(&target.job, &discovered(target)) {
            return true;
        }
        let wanted = outcome(target);
        let found = right
            .iter()
            .position(|r| !r.dropped && r.job == target.job && outcome(r) == wanted);
        found.map(|index| right.remove(index)).is_none()
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    fn target(pod: &str, address: &str, extra: &[(&str, &str)]) -> Active {
        let mut discovered = labels(&[
            ("__address__", address),
            ("__meta_kubernetes_pod_name", pod),
        ]);
        discovered.extend(labels(extra));
        Active {
            scrape_pool: "j".into(),
            discovered_labels: discovered,
            labels: labels(&[("instance", address)]),
            scrape_url: format!("http://{address}/metrics"),
            scrape_interval: "1m".into(),
            scrape_timeout: "10s".into(),
        }
    }

    fn targets(active: Vec<Active>, dropped: Vec<Dropped>) -> Targets {
        Targets {
            active_targets: active,
            dropped_targets: dropped,
        }
    }

    fn differences(direct: &Targets, other: &Targets, side: Side) -> String {
        Differences::between(direct, other, side, &|_, _| false).to_string()
    }

    #[test]
    fn equal_sides_agree_in_whatever_order() {
        let (a, b) = (target("a", "1:1", &[]), target("b", "2:2", &[]));
        let left = targets(vec![a.clone(), b.clone()], vec![]);
        let right = targets(vec![b, a], vec![]);
        assert_eq!(differences(&left, &right, Side::Discovered), "");
    }

    #[test]
    fn each_differing_label_is_named_with_both_values() {
        let left = targets(
            vec![target("a", "1:1", &[("__meta_x", "1"), ("__meta_y", "1")])],
            vec![],
        );
        let right = targets(vec![target("a", "1:1", &[("__meta_x", "2")])], vec![]);
        let text = differences(&left, &right, Side::Discovered);
        assert!(text.contains("target `a 1:1`"), "{text}");
        assert!(
            text.contains("label __meta_x: \"1\" on direct, \"2\" on discovered"),
            "{text}"
        );
        assert!(
            text.contains("label __meta_y: \"1\" on direct, absent on discovered"),
            "{text}"
        );
    }

    #[test]
    fn one_copy_too_many_is_a_difference() {
        let a = Dropped {
            scrape_pool: "j".into(),
            discovered_labels: labels(&[("x", "1")]),
        };
        let left = targets(vec![], vec![a.clone()]);
        let right = targets(vec![], vec![a.clone(), a]);
        assert!(!differences(&left, &right, Side::Discovered).is_empty());
    }

    #[test]
    fn a_target_dropped_on_one_side_alone_is_a_difference() {
        let active = target("a", "1:1", &[]);
        let dropped = Dropped {
            scrape_pool: "j".into(),
            discovered_labels: active.discovered_labels.clone(),
        };
        let left = targets(vec![active], vec![]);
        let right = targets(vec![], vec![dropped]);
        let text = differences(&left, &right, Side::Discovered);
        assert!(
            text.contains("active on direct, dropped on discovered"),
            "{text}"
        );
    }

    #[test]
    fn the_final_side_is_compared_without_discovered_labels_and_dropped_targets() {
        let dropped = Dropped {
            scrape_pool: "j".into(),
            discovered_labels: Labels::new(),
        };
        let left = targets(
            vec![target("a", "1:1", &[("__meta_x", "1")])],
            vec![dropped],
        );
        let right = targets(vec![target("z", "1:1", &[])], vec![]);
        assert_eq!(differences(&left, &right, Side::Final), "");
        let mut other = target("a", "1:1", &[]);
        other.scrape_timeout = "9s".into();
        let text = differences(&left, &targets(vec![other], vec![]), Side::Final);
        assert!(
            text.contains("scrape timeout: \"10s\" on direct, \"9s\" on final"),
            "{text}"
        );
    }

    #[test]
    fn of_twins_each_side_may_show_another_but_only_of_twins() {
        let (mut a, mut b) = (target("a", "1:1", &[]), target("b", "2:2", &[]));
        for twin in [&mut a, &mut b] {
            twin.labels = labels(&[("instance", "same")]);
            twin.scrape_url = "http://same/".into();
        }
        let (left, right) = (targets(vec![a], vec![]), targets(vec![b], vec![]));
        assert!(Differences::between(&left, &right, Side::Discovered, &|_, _| true).is_empty());
        assert!(!Differences::between(&left, &right, Side::Discovered, &|_, _| false).is_empty());
    }
}
