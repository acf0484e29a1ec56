//! Reads Periplus' final lists all the time: a target whose object stays must never be missing.
//!
//! Two comparisons that succeed are the ends of a stretch. A target of an object that was there at both ends
//! and was not removed in between must be in every list read during the stretch, as it was at the one end or
//! at the other. Objects changed more than once are left out: what they look like in between, only they know.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::Client;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::compare::title;
use crate::facts::{related, role_of};
use crate::periplus::{Entry, List, read_list};
use crate::prometheus::{Active, Labels, Targets};
use crate::script::ObjectName;

/// Time between two readings of all jobs.
const EVERY: Duration = Duration::from_millis(50);

/// How its requests can be told from those of a Prometheus.
pub const USER_AGENT: &str = "periplus-e2e-reader";

/// A target's origin: the same before and after its labels change.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    job: String,
    /// The objects that its labels come from.
    objects: BTreeSet<ObjectName>,
    /// Tells an object from one of the same name made later; not all show one.
    uid: String,
    /// What a person knows it by.
    title: String,
    /// Address, container and port.
    detail: Vec<String>,
}

/// One list as it was read.
#[derive(Clone, Debug)]
struct Reading {
    job: String,
    at: Instant,
    list: Arc<HashSet<Entry>>,
}

/// Reads in the background for as long as it lives.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Mutex<Log>>,
    task: JoinHandle<()>,
    start: Instant,
}

#[derive(Debug, Default)]
struct Log {
    jobs: Vec<String>,
    /// Lists that differ from the one read before.
    readings: Vec<Reading>,
    /// The last list of each job in this stretch.
    last: HashMap<String, Arc<HashSet<Entry>>>,
    /// Jobs that Periplus said it does not know, and when first in this stretch.
    unknown: BTreeMap<String, Instant>,
    complaints: Vec<String>,
    count: u64,
}

/// The state at one end of a stretch.
#[derive(Clone, Debug, Default)]
pub struct End {
    targets: HashMap<Origin, Entry>,
}

/// What happened between two ends.
#[derive(Clone, Debug, Default)]
pub struct Between {
    /// How often each object was written or removed.
    pub changes: BTreeMap<ObjectName, usize>,
    /// How often the jobs were replaced.
    pub reloads: usize,
    /// How often Periplus was restarted.
    pub restarts: usize,
    /// Whether a namespace was changed in place.
    pub namespaces_changed: bool,
}

// === impl Between ===

impl Between {
    /// How often a target that has its labels from these objects may have changed.
    fn changes_of(&self, objects: &BTreeSet<ObjectName>) -> usize {
        let changes = objects.iter().filter_map(|object| self.changes.get(object));
        changes.sum::<usize>() + self.reloads
    }
}

// === impl Reader ===

impl Reader {
    /// Begins to read these jobs from Periplus, or from what stands before it.
    pub fn start(url: &str, jobs: Vec<String>) -> anyhow::Result<Self> {
        let client = Client::builder()
            .no_proxy()
            .user_agent(USER_AGENT)
            .timeout(Duration::from_secs(10))
            .build()?;
        let shared = Arc::new(Mutex::new(Log {
            jobs,
            ..Log::default()
        }));
        let task = tokio::spawn(read(client, url.to_owned(), shared.clone()));
        Ok(Self {
            shared,
            task,
            start: Instant::now(),
        })
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        lock(&self.shared)
    }

    /// Reads other jobs from now on.
    pub fn set_jobs(&self, jobs: Vec<String>) {
        self.log().jobs = jobs;
    }

    /// How many lists have been read.
    pub fn count(&self) -> u64 {
        self.log().count
    }

    /// Judges all lists read since the last call.
    pub fn judge(&self, before: &End, after: &End, between: &Between) -> Vec<String> {
        let (readings, unknown, mut complaints) = {
            let mut log = self.log();
            log.last.clear();
            (
                std::mem::take(&mut log.readings),
                std::mem::take(&mut log.unknown),
                std::mem::take(&mut log.complaints),
            )
        };
        let known = |end: &End, job: &str| end.targets.keys().any(|origin| origin.job == job);
        for (job, at) in unknown {
            if between.restarts == 0 && known(before, &job) && known(after, &job) {
                complaints.push(format!(
                    "job `{job}`: Periplus had told its targets, and did not {:.1} s after the start of \
                     the script",
                    (at - self.start).as_secs_f64()
                ));
            }
        }
        for (origin, old) in &before.targets {
            let Some(new) = after.targets.get(origin) else {
                continue;
            };
            if between.changes_of(&origin.objects) > 1 {
                continue;
            }
            let mut lists = readings.iter().filter(|r| r.job == origin.job);
            if let Some(gap) = lists.find(|r| !r.list.contains(old) && !r.list.contains(new)) {
                complaints.push(format!(
                    "job `{}`, target {}: its object was there throughout, but a list read {:.1} s \
                     after the start of the script lacks it",
                    origin.job,
                    origin.title,
                    (gap.at - self.start).as_secs_f64()
                ));
            }
        }
        complaints
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(shared: &Mutex<Log>) -> MutexGuard<'_, Log> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read(client: Client, url: String, shared: Arc<Mutex<Log>>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let jobs = lock(&shared).jobs.clone();
        for job in jobs {
            let at = Instant::now();
            let outcome = read_list(&client, &url, &job, "final").await;
            let mut log = lock(&shared);
            log.count += 1;
            match outcome {
                Ok(List::Unknown) => {
                    log.unknown.entry(job).or_insert(at);
                }
                Ok(List::Known(entries)) => {
                    let list: Arc<HashSet<Entry>> = Arc::new(entries.into_iter().collect());
                    if log.last.insert(job.clone(), list.clone()).as_ref() != Some(&list) {
                        log.readings.push(Reading { job, at, list });
                    }
                }
                Err(error) => log.complaints.push(format!("{error:#}")),
            }
        }
    }
}

// === impl End ===

impl End {
    /// What Periplus' lists hold for the targets that the direct side shows.
    pub fn new(direct: &Targets, lists: &BTreeMap<String, Vec<Entry>>) -> Self {
        let mut targets = HashMap::new();
        for active in &direct.active_targets {
            let entries = lists
                .get(&active.scrape_pool)
                .map_or(&[][..], Vec::as_slice);
            let mut found = entries.iter().filter(|entry| is_entry_of(entry, active));
            // Of twins nobody can say which one an entry is.
            if let (Some(entry), None, Some(origin)) = (found.next(), found.next(), origin(active))
            {
                targets.insert(origin, entry.clone());
            }
        }
        Self { targets }
    }
}

fn is_entry_of(entry: &Entry, active: &Active) -> bool {
    let public = entry
        .labels
        .iter()
        .filter(|(name, _)| !name.starts_with("__"));
    let address = entry.targets.first().map_or("", String::as_str);
    public.eq(active.labels.iter()) && active.scrape_url.contains(&format!("://{address}"))
}

fn origin(active: &Active) -> Option<Origin> {
    let labels = &active.discovered_labels;
    let text = |key: &str| labels.get(key).cloned().unwrap_or_default();
    role_of(labels)?;
    let detail = [
        "__address__",
        "__meta_kubernetes_ingress_path",
        "__meta_kubernetes_pod_container_name",
        "__meta_kubernetes_pod_container_port_name",
        "__meta_kubernetes_pod_container_port_protocol",
    ];
    Some(Origin {
        job: active.scrape_pool.clone(),
        objects: related(labels),
        uid: text("__meta_kubernetes_pod_uid"),
        title: title(labels, &Labels::new()),
        detail: detail.iter().map(|key| text(key)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(address: &str) -> Entry {
        Entry {
            targets: vec![address.to_owned()],
            labels: Labels::new(),
        }
    }

    fn end(address: &str, entry: Entry) -> End {
        let origin = Origin {
            job: "j".into(),
            objects: BTreeSet::from([ObjectName::named("Pod", "n", address)]),
            uid: "u".into(),
            title: format!("`n/{address}`"),
            detail: vec![address.to_owned()],
        };
        End {
            targets: HashMap::from([(origin, entry)]),
        }
    }

    fn reader(lists: &[&[&str]]) -> Reader {
        let readings = lists.iter().map(|list| Reading {
            job: "j".into(),
            at: Instant::now(),
            list: Arc::new(list.iter().map(|address| entry(address)).collect()),
        });
        let log = Log {
            readings: readings.collect(),
            ..Log::default()
        };
        Reader {
            shared: Arc::new(Mutex::new(log)),
            task: tokio::spawn(async {}),
            start: Instant::now(),
        }
    }

    #[tokio::test]
    async fn a_list_without_a_steady_target_is_a_complaint() {
        let steady = end("a", entry("a"));
        let quiet = Between::default();
        let good = reader(&[&["a"], &["a", "b"]]);
        assert!(good.judge(&steady, &steady, &quiet).is_empty());
        let bad = reader(&[&["a"], &["b"], &["a"]]);
        let complaints = bad.judge(&steady, &steady, &quiet);
        assert_eq!(complaints.len(), 1);
        assert!(complaints[0].contains("target `n/a`"), "{complaints:?}");
    }

    #[tokio::test]
    async fn a_job_once_known_stays_known_until_a_restart() {
        let steady = end("a", entry("a"));
        let forgetful = || {
            let reader = reader(&[&["a"]]);
            reader.log().unknown.insert("j".into(), Instant::now());
            reader
        };
        assert_eq!(
            forgetful()
                .judge(&steady, &steady, &Between::default())
                .len(),
            1
        );
        let restarted = Between {
            restarts: 1,
            ..Between::default()
        };
        assert!(forgetful().judge(&steady, &steady, &restarted).is_empty());
        assert!(
            forgetful()
                .judge(&End::default(), &steady, &Between::default())
                .is_empty()
        );
    }

    #[tokio::test]
    async fn a_target_changed_once_may_be_as_before_or_as_after() {
        let (before, after) = (end("a", entry("a1")), end("a", entry("a2")));
        let object = before
            .targets
            .keys()
            .next()
            .unwrap()
            .objects
            .first()
            .unwrap()
            .clone();
        let between = |writes| Between {
            changes: BTreeMap::from([(object.clone(), writes)]),
            ..Between::default()
        };
        let (once, twice) = (between(1), between(2));
        assert!(
            reader(&[&["a1"], &["a2"]])
                .judge(&before, &after, &once)
                .is_empty()
        );
        assert_eq!(
            reader(&[&["a1"], &[], &["a2"]])
                .judge(&before, &after, &once)
                .len(),
            1
        );
        assert!(
            reader(&[&["a1"], &[], &["a2"]])
                .judge(&before, &after, &twice)
                .is_empty()
        );
    }
}
