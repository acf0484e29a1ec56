//! Markers: objects that the harness writes so that agreement means something.
//!
//! Two sides also agree when neither has noticed anything yet. So before a comparison each section of each job
//! gets an object of its own; who shows it has seen everything that happened to that kind before. Where targets
//! bear labels of other objects, those get markers too, as companions: labels of a companion on the marker's
//! target prove that its kind has been seen as well.

mod copies;
mod fresh;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use self::copies::Copier;
use crate::facts::{PREFIX as META, kind_of, object_of, role_of};
use crate::kube::Cluster;
use crate::prometheus::{Active, Labels, Targets};
use crate::script::{ObjectName, Patch};
use crate::sides::{Side, attaches, job_name, namespaces, sections};

/// A marker of one section of one job.
#[derive(Clone, Debug)]
pub struct Marker {
    /// The job that must show it.
    pub job: String,
    /// What it is; `None` if nothing can be made that the section lets through.
    pub object: Option<ObjectName>,
    companions: Vec<ObjectName>,
    proofs: Vec<Proof>,
    role: String,
}

/// All markers of one comparison.
#[derive(Clone, Debug, Default)]
pub struct Markers {
    /// One for each section of each job.
    pub all: Vec<Marker>,
    /// Namespaces that were changed for them.
    pub namespaces: BTreeSet<String>,
}

/// Where one marker stands with one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Not there.
    Unseen,
    /// Discovered, and dropped by the job's rules.
    Dropped,
    /// Scraped.
    Active,
}

/// A label that a target of a marker must have.
#[derive(Clone, Debug)]
struct Proof {
    label: String,
    value: String,
    /// Whether Prometheus' own discovery brings it about too, whatever it sees first.
    on_direct: bool,
}

/// An object that is written before the marker, for the proof that its kind has been seen.
struct Companion {
    /// The role that a section's selectors know it by.
    role: &'static str,
    object: Value,
    on_direct: bool,
    /// Whether the marker shows nothing at all without it.
    needed: bool,
}

const PREFIX: &str = "periplus-marker-";
/// The label, or for namespaces the annotation, that tells one marker from another.
const KEY: &str = "periplus-marker";
const KEY_IN_LABELS: &str = "periplus_marker";

static COUNTER: AtomicU32 = AtomicU32::new(1);

// === impl Markers ===

impl Markers {
    /// Writes a marker for every section of every job. `shown` is what the direct side shows now: a copy
    /// of an object that it scrapes will most likely pass the job's selectors and rules.
    /// `namespaces_changed` tells whether there is a change of a namespace to be waited for. Otherwise
    /// namespaces are left alone: a change makes Prometheus look at what it has overlooked.
    pub async fn write(
        cluster: &Cluster,
        jobs: &[Value],
        shown: &Targets,
        namespaces_changed: bool,
    ) -> anyhow::Result<Self> {
        let mut markers = Self::default();
        let round = COUNTER.fetch_add(1, Ordering::Relaxed).to_string();
        for job in jobs {
            for section in sections(job) {
                let mut marker = Marker::write(cluster, job_name(job), &section, shown).await?;
                let namespace = marker
                    .object
                    .as_ref()
                    .map(|object| object.namespace.clone());
                let namespace = namespace.filter(|name| !name.is_empty());
                if let (true, Some(namespace)) = (
                    namespaces_changed && attaches(&section, "namespace"),
                    namespace,
                ) {
                    if markers.namespaces.insert(namespace.clone()) {
                        mark_namespace(cluster, &namespace, &round).await?;
                    }
                    marker.proofs.push(Proof {
                        label: format!("{META}namespace_annotation_{KEY_IN_LABELS}"),
                        value: round.clone(),
                        on_direct: true,
                    });
                }
                markers.all.push(marker);
            }
        }
        Ok(markers)
    }

    /// Removes them again.
    pub async fn delete(&self, cluster: &Cluster) -> anyhow::Result<()> {
        for marker in &self.all {
            for object in marker.object.iter().chain(&marker.companions) {
                cluster.delete(object).await?;
            }
        }
        Ok(())
    }
}

async fn mark_namespace(cluster: &Cluster, namespace: &str, round: &str) -> anyhow::Result<()> {
    let patch = Patch {
        object: ObjectName::named("Namespace", "", namespace),
        merge: json!({"metadata": {"annotations": {KEY: round}}}),
        status: false,
    };
    cluster.patch(&patch).await
}

// === impl Marker ===

impl Marker {
    async fn write(
        cluster: &Cluster,
        job: &str,
        section: &Value,
        shown: &Targets,
    ) -> anyhow::Result<Self> {
        let role = section["role"].as_str().unwrap_or_default().to_owned();
        let mut marker = Self {
            job: job.to_owned(),
            object: None,
            companions: Vec::new(),
            proofs: Vec::new(),
            role,
        };
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let template = match marker.template(section, shown) {
            Some(name) => cluster.get(&name).await?,
            None => None,
        };
        let copier = Copier {
            cluster,
            section,
            role: &marker.role,
            number,
        };
        let Some((object, companions)) = copier.make(template).await? else {
            return Ok(marker);
        };
        let mut wanted = true;
        for companion in companions {
            wanted &= marker
                .accompany(cluster, section, companion, number)
                .await?;
        }
        let name = ObjectName::of(&object)?;
        // A copy may be refused, and a namespace be missing: then there is no marker.
        if wanted && cluster.apply(&object).await.is_ok() {
            marker.object = Some(name.clone());
            wanted = cluster.selects(section, &marker.role, &name).await?;
        }
        if !wanted {
            let written = marker
                .object
                .take()
                .into_iter()
                .chain(marker.companions.drain(..));
            for object in written {
                cluster.delete(&object).await?;
            }
        }
        Ok(marker)
    }

    /// Writes a companion; `false` if the marker would not show without one that the section leaves out.
    async fn accompany(
        &mut self,
        cluster: &Cluster,
        section: &Value,
        companion: Companion,
        number: u32,
    ) -> anyhow::Result<bool> {
        let name = ObjectName::of(&companion.object)?;
        let applied = cluster.apply(&companion.object).await;
        if applied.is_ok() || cluster.get(&name).await?.is_some() {
            self.companions.push(name.clone());
        }
        if applied.is_err() {
            return Ok(!companion.needed);
        }
        if !cluster.selects(section, companion.role, &name).await? {
            return Ok(!companion.needed);
        }
        self.proofs.push(Proof {
            label: format!("{META}{}_label_{KEY_IN_LABELS}", companion.role),
            value: number.to_string(),
            on_direct: companion.on_direct,
        });
        Ok(true)
    }

    /// An object of the section's kind that the job shows, rather one that it scrapes.
    fn template(&self, section: &Value, shown: &Targets) -> Option<ObjectName> {
        let names = namespaces(section);
        let active = shown
            .active_targets
            .iter()
            .map(|t| (&t.scrape_pool, &t.discovered_labels));
        let dropped = shown
            .dropped_targets
            .iter()
            .map(|t| (&t.scrape_pool, &t.discovered_labels));
        active
            .chain(dropped)
            .filter(|(job, _)| **job == self.job)
            .filter_map(|(_, labels)| self.object_of(labels))
            .find(|name| {
                name.namespace.is_empty() || names.is_empty() || names.contains(&name.namespace)
            })
    }

    fn object_of(&self, labels: &Labels) -> Option<ObjectName> {
        if role_of(labels)? != self.role {
            return None;
        }
        object_of(&self.role, labels)
    }

    fn is_in(&self, labels: &Labels, on_direct: bool) -> bool {
        let mut needed = self
            .proofs
            .iter()
            .filter(|proof| proof.on_direct || !on_direct);
        self.object.is_some()
            && self.object_of(labels) == self.object
            && needed.all(|proof| labels.get(&proof.label) == Some(&proof.value))
    }

    /// Where it stands with a side that shows discovered labels.
    pub fn sight(&self, targets: &Targets, side: Side) -> Sight {
        let on_direct = side == Side::Direct;
        let mine =
            |t: &Active| t.scrape_pool == self.job && self.is_in(&t.discovered_labels, on_direct);
        if targets.active_targets.iter().any(mine) {
            return Sight::Active;
        }
        let dropped = targets
            .dropped_targets
            .iter()
            .any(|t| t.scrape_pool == self.job && self.is_in(&t.discovered_labels, on_direct));
        if dropped {
            Sight::Dropped
        } else {
            Sight::Unseen
        }
    }

    /// Whether a side that shows no discovered labels has it, by the outcome that another side shows.
    pub fn is_in_outcome(&self, shown: &Targets, other: &Targets) -> bool {
        let mine =
            |t: &&Active| t.scrape_pool == self.job && self.is_in(&t.discovered_labels, true);
        let Some(active) = shown.active_targets.iter().find(mine) else {
            return false;
        };
        other
            .active_targets
            .iter()
            .any(|t| is_same_outcome(t, active))
    }

    /// Whether these discovered labels are those of any marker, or of a companion of one.
    pub fn is_marker(labels: &Labels) -> bool {
        let object = role_of(labels).and_then(|role| object_of(role, labels));
        object.is_some_and(|object| object.name.starts_with(PREFIX))
    }
}

fn is_same_outcome(a: &Active, b: &Active) -> bool {
    (&a.scrape_pool, &a.labels, &a.scrape_url) == (&b.scrape_pool, &b.labels, &b.scrape_url)
}

fn name(number: u32) -> String {
    format!("{PREFIX}{number}")
}

/// An address that no script uses and no other marker has.
fn address(number: u32) -> String {
    format!("10.254.{}.{}", number / 250 % 250, number % 250 + 1)
}

/// The same for any family, or for names where addresses are names.
fn address_like(like: &str, number: u32) -> String {
    match like.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(_)) => address(number),
        Ok(std::net::IpAddr::V6(_)) => format!("fd00:254::{number:x}"),
        Err(_) => format!("{}.example.com", name(number)),
    }
}

#[cfg(test)]
mod tests;
