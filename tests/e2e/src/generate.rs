//! Random histories: a small world of objects of every shape, and what may happen to them, as a script.
//!
//! The same role, seed and number of changes make the same script on every machine, so that a script that found
//! something can be named by three words. What it writes is valid for a real API server.

mod jobs;
mod objects;
mod random;
mod statuses;

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use self::random::Random;
use crate::script::ObjectName;

/// Changes between two comparisons.
const BETWEEN: usize = 25;

/// The namespaces of the world.
const NAMESPACES: [&str; 2] = ["alpha", "beta"];

/// The kinds that matter to a role, and how much of what happens, happens to each.
fn weights(role: &str) -> Option<&'static [(&'static str, u64)]> {
    Some(match role {
        "node" => &[("Node", 1)],
        "pod" => &[
            ("Pod", 10),
            ("Node", 3),
            ("Namespace", 2),
            ("ReplicaSet", 2),
            ("Job", 2),
        ],
        "service" => &[("Service", 10), ("Namespace", 1)],
        "ingress" => &[("Ingress", 10), ("Namespace", 1)],
        "endpoints" => &[
            ("Endpoints", 8),
            ("Pod", 7),
            ("Service", 3),
            ("Node", 3),
            ("Namespace", 1),
            ("ReplicaSet", 1),
            ("Job", 1),
        ],
        "endpointslice" => &[
            ("EndpointSlice", 8),
            ("Pod", 7),
            ("Service", 3),
            ("Node", 3),
            ("Namespace", 1),
            ("ReplicaSet", 1),
            ("Job", 1),
        ],
        _ => return None,
    })
}

/// The names that objects of a kind may have in each namespace, or in the cluster.
fn names(kind: &str) -> &'static [&'static str] {
    match kind {
        "Node" => &["node-a", "node-b", "node-c", "node-d.example.com"],
        "Pod" => &["web-0", "web-1", "db-0", "job-0"],
        "Service" | "Endpoints" => &["web", "db", "cache"],
        // The suffix decides the type of addresses, which cannot change.
        "EndpointSlice" => &["web-v4", "web-v6", "db-v4", "cache-v4", "cache-name"],
        "Ingress" => &["shop", "blog", "api"],
        "ReplicaSet" => &["web-5d4f"],
        "Job" => &["nightly-17"],
        _ => &NAMESPACES,
    }
}

/// A history of `changes` changes that matter to `role`, with a comparison after every few of them.
pub fn script(role: &str, seed: u64, changes: usize) -> anyhow::Result<String> {
    let Some(weights) = weights(role) else {
        bail!("there is no role `{role}`: node, pod, service, endpoints, endpointslice, ingress");
    };
    let mut world = World {
        random: Random::new(seed),
        objects: BTreeMap::new(),
        changes: 0,
        text: format!(
            "# A random history: `periplus-e2e script --role {role} --seed {seed} --changes {changes}`.\n"
        ),
    };
    world.step("jobs", &jobs::of(role).into())?;
    world.settle(weights)?;
    let mut compared = 0;
    while world.changes < changes {
        if world.changes >= compared + BETWEEN {
            compared = world.changes;
            world.step("compare", &json!({"seconds": 60, "empty": true}))?;
        }
        world.change(weights)?;
    }
    world.step("compare", &json!({"seconds": 60, "empty": true}))?;
    Ok(world.text)
}

/// The cluster as the script so far leaves it.
struct World {
    random: Random,
    objects: BTreeMap<ObjectName, Value>,
    changes: usize,
    text: String,
}

// === impl World ===

impl World {
    fn step(&mut self, key: &str, value: &Value) -> anyhow::Result<()> {
        if !self.text.ends_with(".\n") {
            self.text.push_str("---\n");
        }
        if let ("jobs", Some(items)) = (key, value.as_array()) {
            writeln!(self.text, "{key}:")?;
            for item in items {
                writeln!(self.text, "  - {item}")?;
            }
        } else {
            writeln!(self.text, "{key}: {value}")?;
        }
        Ok(())
    }

    /// What is there before anything happens: half of everything.
    fn settle(&mut self, weights: &[(&str, u64)]) -> anyhow::Result<()> {
        for namespace in NAMESPACES {
            self.apply(&ObjectName::named("Namespace", "", namespace))?;
        }
        // What refers to others comes after them.
        for (kind, _) in weights.iter().rev() {
            for name in Self::all(kind) {
                if self.random.chance(50) && *kind != "Namespace" {
                    self.apply(&name)?;
                }
            }
        }
        Ok(())
    }

    fn all(kind: &str) -> Vec<ObjectName> {
        let in_cluster = matches!(kind, "Node" | "Namespace");
        let namespaces: &[&str] = if in_cluster { &[""] } else { &NAMESPACES };
        let all = namespaces.iter().flat_map(|namespace| {
            names(kind)
                .iter()
                .map(|name| ObjectName::named(kind, namespace, name))
        });
        all.collect()
    }

    fn change(&mut self, weights: &[(&str, u64)]) -> anyhow::Result<()> {
        let kind = self.random.weighted(weights);
        let all = Self::all(kind);
        let name = self.random.one_of(&all).clone();
        if !self.objects.contains_key(&name) {
            return self.apply(&name);
        }
        if kind == "Namespace" {
            return self.change_namespace(&name);
        }
        match self.random.below(100) {
            0..12 => self.delete(&name),
            12..20 => {
                // Another object of the same name.
                self.delete(&name)?;
                self.apply(&name)
            }
            20..45 => self.patch_metadata(&name),
            45..70 => match statuses::patch(&mut self.random, &name) {
                Some(status) => self.patch(&name, status, true),
                None => self.apply(&name),
            },
            _ => self.apply(&name),
        }
    }

    /// Its objects stay when it goes, since no controller removes them, but nothing may change in it until it
    /// is back.
    fn change_namespace(&mut self, name: &ObjectName) -> anyhow::Result<()> {
        if self.random.chance(70) {
            return self.patch_metadata(name);
        }
        self.delete(name)?;
        self.apply(name)
    }

    fn apply(&mut self, name: &ObjectName) -> anyhow::Result<()> {
        let object = objects::make(&mut self.random, name, &self.objects)
            .with_context(|| format!("there is no way to make {name}"))?;
        let before = self.objects.get(name);
        if before.is_some_and(|before| objects::must_be_remade(before, &object)) {
            self.delete(name)?;
        }
        self.step("apply", &object)?;
        self.objects.insert(name.clone(), object);
        self.changes += 1;
        Ok(())
    }

    fn delete(&mut self, name: &ObjectName) -> anyhow::Result<()> {
        self.step(
            "delete",
            &json!({"kind": name.kind, "namespace": name.namespace, "name": name.name}),
        )?;
        self.objects.remove(name);
        if name.kind == "Service" {
            // A server removes the endpoints of that name too.
            let endpoints = ObjectName::named("Endpoints", &name.namespace, &name.name);
            self.objects.remove(&endpoints);
        }
        self.changes += 1;
        Ok(())
    }

    fn patch_metadata(&mut self, name: &ObjectName) -> anyhow::Result<()> {
        let random = &mut self.random;
        let merge = if name.kind == "EndpointSlice" {
            // The label that names the service stays; it is changed by `apply`.
            json!({"metadata": {"labels": objects::label_changes(random)}})
        } else {
            json!({"metadata": {"labels": objects::label_changes(random),
                                "annotations": objects::annotation_changes(random)}})
        };
        self.patch(name, merge, false)
    }

    fn patch(&mut self, name: &ObjectName, merge: Value, status: bool) -> anyhow::Result<()> {
        let mut patch = json!({"kind": name.kind, "namespace": name.namespace, "name": name.name, "merge": merge});
        if status {
            patch["status"] = true.into();
        }
        self.step("patch", &patch)?;
        self.changes += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::{Script, Step};

    const ROLES: [&str; 6] = [
        "node",
        "pod",
        "service",
        "endpoints",
        "endpointslice",
        "ingress",
    ];

    #[test]
    fn a_generated_script_is_read_as_one_and_changes_as_much_as_it_says() {
        for role in ROLES {
            let text = script(role, 7, 120).unwrap();
            let script = Script::parse(role, &text).unwrap();
            let changes = script
                .steps
                .iter()
                .filter(|step| matches!(step, Step::Apply(_) | Step::Patch(_) | Step::Delete(_)));
            assert!(changes.count() >= 120, "{role}");
            let compared = script.steps.iter().filter(|step| step.key() == "compare");
            assert!(compared.count() >= 4, "{role}");
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_script_and_another_another() {
        let make = |seed| script("endpointslice", seed, 60).unwrap();
        assert_eq!(make(1), make(1));
        assert_ne!(make(1), make(2));
        assert!(script("pods", 1, 1).is_err());
    }
}
