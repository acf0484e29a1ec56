//! What happened: disruptions, and the lives of objects.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::Disruption;

/// The record of a run.
#[derive(Clone, Debug)]
pub struct Journal {
    /// What the run followed from.
    pub seed: u64,
    /// Every disruption, in order.
    pub disruptions: Vec<Happened>,
    /// The lives of all objects that there have been, in order of their beginnings. One that comes back
    /// after it was lost, or under a new UID, lives anew.
    pub lives: Vec<Life>,
    /// Every object at the end, whole.
    pub objects: Vec<Value>,
    /// Changes to objects.
    pub changes: usize,
    started: Instant,
    ended: Option<Instant>,
}

/// One disruption. It prints as one line.
#[derive(Clone, Debug)]
pub struct Happened {
    /// Since the beginning.
    pub after: Duration,
    /// Its kind.
    pub what: Disruption,
    /// What it did.
    pub detail: String,
}

/// The time for which an object of one UID was in the server's state. Its addresses do not change within.
#[derive(Clone, Debug)]
pub struct Life {
    /// `v1/pods`.
    pub resource: String,
    /// Its namespace; empty if it is in none.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// As it was at first.
    pub object: Value,
    /// When it was there for sure.
    pub from: Instant,
    /// Until when it was there for sure; none: to the end.
    pub until: Option<Instant>,
    /// It was shown malformed at some time, so that a client may have skipped it.
    pub malformed: bool,
}

// === impl Journal ===

impl Journal {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            disruptions: Vec::new(),
            lives: Vec::new(),
            objects: Vec::new(),
            changes: 0,
            started: Instant::now(),
            ended: None,
        }
    }

    /// The objects that were there, whole and the same, from `from` to `to`. A client that knew the state at
    /// `from` must never have lacked one of them until `to`.
    pub fn existed_throughout(&self, from: Instant, to: Instant) -> impl Iterator<Item = &Life> {
        self.lives.iter().filter(move |life| {
            let stayed = life.until.is_none_or(|until| until >= to);
            life.from <= from && stayed && !life.malformed
        })
    }

    /// How often each kind of disruption happened; kinds that did not are left out.
    pub fn counts(&self) -> BTreeMap<Disruption, usize> {
        let mut counts = BTreeMap::new();
        for happened in &self.disruptions {
            *counts.entry(happened.what).or_default() += 1;
        }
        counts
    }

    /// When the run began.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// When everything was settled.
    pub fn ended(&self) -> Instant {
        self.ended.unwrap_or(self.started)
    }

    pub(super) fn note(&mut self, what: Disruption, detail: String) -> Happened {
        let happened = Happened {
            after: self.started.elapsed(),
            what,
            detail,
        };
        self.disruptions.push(happened.clone());
        happened
    }

    /// A life begins; the answer leads back to it.
    pub(super) fn begins(&mut self, life: Life) -> usize {
        self.lives.push(life);
        self.lives.len() - 1
    }

    pub(super) fn ends(&mut self, life: usize, at: Instant) {
        self.lives[life].until = Some(at);
    }

    pub(super) fn finish(&mut self, objects: Vec<Value>) {
        self.objects = objects;
        self.ended = Some(Instant::now());
    }
}

impl fmt::Display for Happened {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.after.as_secs_f64();
        write!(
            formatter,
            "{seconds:8.3}s {:<22} {}",
            self.what.name(),
            self.detail
        )
    }
}

impl fmt::Display for Journal {
    /// One line for each disruption, then the sums.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for happened in &self.disruptions {
            writeln!(formatter, "{happened}")?;
        }
        write!(
            formatter,
            "seed {}: {} disruptions of {} kinds, {} changes, {} lives, {} objects at the end",
            self.seed,
            self.disruptions.len(),
            self.counts().len(),
            self.changes,
            self.lives.len(),
            self.objects.len()
        )
    }
}
