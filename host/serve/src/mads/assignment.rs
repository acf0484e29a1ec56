//! A job's final targets as a monitoring assignment in JSON.

use std::collections::{BTreeMap, BTreeSet};

use periplus_core::name::sanitize_label_name;
use periplus_discovery::{Snapshot, StagedTarget, View};
use serde::Serialize;
use serde_json::value::RawValue;

/// The type of a monitoring assignment.
pub(super) const TYPE_URL: &str = "type.googleapis.com/kuma.observability.v1.MonitoringAssignment";
/// What readers show as the mesh.
const MESH: &str = "periplus";
/// At most so many collisions are told apart.
const MOST_COLLISIONS: usize = 100;

/// The answer to a discovery request.
pub(super) struct Assignment {
    pub(super) json: Vec<u8>,
    /// Labels that were left out, each with the one whose name readers would take for the same.
    pub(super) collisions: Vec<(String, String)>,
}

#[derive(Serialize)]
struct DiscoveryResponse<'a> {
    version_info: &'a str,
    resources: Vec<Resource<'a>>,
    type_url: &'static str,
    nonce: &'a str,
}

#[derive(Serialize)]
struct Resource<'a> {
    #[serde(rename = "@type")]
    kind: &'static str,
    mesh: &'static str,
    service: &'a str,
    targets: &'a RawValue,
}

#[derive(Serialize)]
struct Target<'a> {
    name: &'a str,
    scheme: &'a str,
    address: &'a str,
    metrics_path: &'a str,
    labels: BTreeMap<&'a str, &'a str>,
}

/// The answer for a job that was removed: no assignment at all.
pub(super) fn nothing(version: &str) -> Vec<u8> {
    response(version, Vec::new())
}

fn response(version: &str, resources: Vec<Resource<'_>>) -> Vec<u8> {
    let response = DiscoveryResponse {
        version_info: version,
        resources,
        type_url: TYPE_URL,
        nonce: version,
    };
    serde_json::to_vec(&response).expect("texts are valid JSON, and a Vec takes every byte")
}

// === impl Assignment ===

impl Assignment {
    /// The part of a job that a view shows.
    pub(super) fn of(job: &str, version: &str, snapshot: &Snapshot, view: &View) -> Self {
        let mut targets = String::from("[");
        let mut collisions = BTreeSet::new();
        snapshot.visit_targets(view.stage, |_, target| {
            if view.shows(target) {
                if targets.len() > 1 {
                    targets.push(',');
                }
                let target = Target::of(target, &mut collisions);
                let json = serde_json::to_string(&target);
                targets.push_str(&json.expect("texts are valid JSON"));
            }
        });
        targets.push(']');
        let targets = RawValue::from_string(targets).expect("objects between commas and brackets");
        let resource = Resource {
            kind: TYPE_URL,
            mesh: MESH,
            service: job,
            targets: &targets,
        };
        Self {
            json: response(version, vec![resource]),
            collisions: collisions.into_iter().collect(),
        }
    }
}

// === impl Target ===

impl<'a> Target<'a> {
    fn of(target: &'a StagedTarget<'_>, collisions: &mut BTreeSet<(String, String)>) -> Self {
        let mut shown = Self {
            name: "",
            scheme: "",
            address: "",
            metrics_path: "",
            labels: BTreeMap::new(),
        };
        for (name, value) in target.labels() {
            match name {
                "instance" => shown.name = value,
                "__scheme__" => shown.scheme = value,
                "__address__" => shown.address = value,
                "__metrics_path__" => shown.metrics_path = value,
                "" => {}
                _ => _ = shown.labels.insert(name, value),
            }
        }
        shown.leave_out_twins(collisions);
        shown
    }

    /// Readers replace what is no letter, digit or underscore in names, and of two that are the same
    /// then take any. Which one is left is decided here: one that stays as it is, else the first.
    fn leave_out_twins(&mut self, collisions: &mut BTreeSet<(String, String)>) {
        let mut foreign = Vec::new();
        for name in self.labels.keys() {
            if !name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            {
                foreign.push(*name);
            }
        }
        let mut taken: BTreeMap<String, &str> = BTreeMap::new();
        for name in foreign {
            let sanitized = sanitize_label_name(name);
            let plain = self
                .labels
                .get_key_value(&*sanitized)
                .map(|(plain, _)| *plain);
            let holder = plain.or_else(|| taken.get(&sanitized).copied());
            if let Some(holder) = holder {
                self.labels.remove(name);
                if collisions.len() < MOST_COLLISIONS {
                    collisions.insert((name.to_owned(), holder.to_owned()));
                }
            } else {
                taken.insert(sanitized, name);
            }
        }
    }
}
