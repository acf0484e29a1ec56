//! What fronts read: immutable views of each job's targets, and the directory of all jobs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use imbl::OrdMap;
use periplus_config::Job;
use periplus_core::ContentHash;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::group::{GroupKey, GroupResult, Stage};
use crate::pipeline::Publisher;
use crate::render::FinalForm;
use crate::state::Stale;

/// All jobs of the running configuration, and those that a good reload removed.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// Whether a configuration was applied at all; before that, no jobs means nothing.
    pub applied: bool,
    /// The jobs by name.
    pub jobs: BTreeMap<String, JobHandle>,
    /// Jobs that a reload removed, with the time of that.
    pub removed: BTreeMap<String, Instant>,
}

/// A job's name and the way to its snapshots.
#[derive(Clone, Debug)]
pub struct JobHandle {
    /// `job_name`.
    pub name: Arc<str>,
    /// Always holds the newest snapshot.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(crate) publisher: Arc<Publisher>,
}

/// One job's targets at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The configuration that these targets were made with; during a switch the old one.
    pub job: Arc<Job>,
    /// Whether every section has delivered. Until then `groups` is empty and means nothing; a
    /// front must say so instead of listing no targets. Never false again once true.
    pub known: bool,
    /// What the job's newest configuration still waits for: why it is not known, or, if it is,
    /// why an older configuration is still served.
    pub missing: Vec<String>,
    /// Hash of everything that any stage shows; equal on all replicas that know the same.
    pub version: ContentHash,
    /// The groups with their results, in the order in which they are served.
    pub groups: OrdMap<GroupKey, Arc<GroupResult>>,
    /// If targets of some section come from disk and their source has not confirmed them: since
    /// when, and until when they may be served.
    pub stale: Option<Stale>,
    /// Since when these targets stay as they are although their sources may say otherwise: an
    /// operator froze the job.
    pub frozen: Option<SystemTime>,
    stages: [ContentHash; 3],
}

/// Sums of group hashes, kept up to date group by group: the hash of a whole job without reading
/// the whole job.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sums([u128; 3]);

// === impl JobHandle ===

impl JobHandle {
    /// Lets what is served stay as it is until [`JobHandle::thaw`]; sources are followed all the
    /// same. False, and nothing changes, if the job is not known yet. A restart forgets it.
    pub fn freeze(&self) -> bool {
        self.publisher.freeze()
    }

    /// Goes on with what is known by now.
    pub fn thaw(&self) {
        self.publisher.thaw();
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// A snapshot of these groups.
    pub fn new(
        job: Arc<Job>,
        known: bool,
        missing: Vec<String>,
        groups: OrdMap<GroupKey, Arc<GroupResult>>,
    ) -> Self {
        let mut sums = Sums::default();
        for (key, result) in &groups {
            sums.add(key, result);
        }
        Self::with_sums(job, known, missing, groups, &sums)
    }

    /// The hash of what one stage shows; unchanged as long as its bytes are.
    pub fn stage_version(&self, stage: Stage) -> ContentHash {
        self.stages[stage as usize]
    }

    /// Whether the targets may be served: the job is known, and what comes from disk is not too old
    /// by now.
    pub fn is_servable(&self) -> bool {
        self.known
            && self
                .stale
                .is_none_or(|stale| SystemTime::now() < stale.until)
    }

    pub(crate) fn with_job(&self, job: Arc<Job>) -> Self {
        Self {
            job,
            ..self.clone()
        }
    }

    pub(crate) fn with_frozen(&self, frozen: Option<SystemTime>) -> Self {
        Self {
            frozen,
            ..self.clone()
        }
    }

    pub(crate) fn with_missing(&self, job: Arc<Job>, missing: Vec<String>) -> Self {
        Self {
            job,
            missing,
            ..self.clone()
        }
    }

    pub(crate) fn with_sums(
        job: Arc<Job>,
        known: bool,
        missing: Vec<String>,
        groups: OrdMap<GroupKey, Arc<GroupResult>>,
        sums: &Sums,
    ) -> Self {
        let form = FinalForm::of(&job).content_hash();
        let mut stages = sums.0.map(ContentHash);
        stages[Stage::Final as usize].0 = stages[Stage::Final as usize].0.wrapping_add(form.0);
        let version = ContentHash::of(
            &stages
                .iter()
                .flat_map(|stage| stage.0.to_le_bytes())
                .collect::<Vec<u8>>(),
        );
        Self {
            job,
            known,
            missing,
            version,
            groups,
            stale: None,
            frozen: None,
            stages,
        }
    }
}

// === impl Sums ===

impl Sums {
    /// Adds a group.
    pub(crate) fn add(&mut self, key: &GroupKey, result: &GroupResult) {
        self.fold(key, result, u128::wrapping_add);
    }

    /// Takes away a group that was added.
    pub(crate) fn remove(&mut self, key: &GroupKey, result: &GroupResult) {
        self.fold(key, result, u128::wrapping_sub);
    }

    fn fold(&mut self, key: &GroupKey, result: &GroupResult, with: fn(u128, u128) -> u128) {
        for stage in Stage::ALL {
            // Addition forgets order, and what is shown is ordered by key: so the key is hashed too.
            if let Some(hash) = result.stage_hash(stage) {
                let at = &mut self.0[stage as usize];
                *at = with(*at, key.hash_with(hash).0);
            }
        }
    }
}
