//! Files for `file_sd_configs`: each job's final targets in a file of its own, or in one per shard.
//!
//! A file is replaced at once and as a whole. Nothing is written or removed before its job is known,
//! so that what an earlier run wrote stands until something better is there; a job that a good
//! reload removed loses its files. Which files are ours stands in a record beside them: no other
//! file is ever touched.

mod name;
mod record;
mod write;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::select_all;
use periplus_core::ContentHash;
use periplus_discovery::{Directory, ManagerHandle, Shard, Snapshot, Stage, View};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::metrics::ServeMetrics;
use crate::segments::Segments;
use record::Record;

/// After a failure, such as a full disk.
const RETRY: Duration = Duration::from_secs(5);
/// The longest pause between two passes that follow each other.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A pass may be followed by the next after so many times its cost.
const PAUSE_FACTOR: u32 = 10;

/// Where files go, and how they look.
#[derive(Clone, Debug)]
pub struct SdFiles {
    /// The folder, which no other process writes to.
    pub directory: PathBuf,
    /// How they are written.
    pub format: FileFormat,
    /// Into how many files each job is parted; one has all targets.
    pub shards: u32,
}

/// How a file is written; also the ending of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// The files of all jobs, and what is in them.
struct Writer {
    files: SdFiles,
    metrics: ServeMetrics,
    record: Record,
    by_job: BTreeMap<String, Vec<JobFile>>,
}

/// One file of a job.
struct JobFile {
    name: String,
    view: View,
    segments: Segments,
    /// The version that the file has; none before the first time.
    written: Option<ContentHash>,
}

/// Writes files until `stop` is cancelled.
pub async fn write_files(
    manager: ManagerHandle,
    files: SdFiles,
    metrics: ServeMetrics,
    stop: CancellationToken,
) {
    let mut directory = manager.directory();
    let mut writer = Writer {
        record: Record::read(&files.directory),
        files,
        metrics,
        by_job: BTreeMap::new(),
    };
    loop {
        let now = Arc::clone(&directory.borrow_and_update());
        let mut receivers: Vec<_> = now.jobs.values().map(|it| it.snapshots.clone()).collect();
        // Marked as seen before they are read, so that no change falls between.
        receivers
            .iter_mut()
            .for_each(watch::Receiver::mark_unchanged);
        let started = Instant::now();
        let pass = tokio::task::spawn_blocking(move || {
            let is_complete = writer.pass(&now);
            (writer, is_complete)
        });
        let Ok((same, is_complete)) = pass.await else {
            return;
        };
        writer = same;
        let pause = (started.elapsed() * PAUSE_FACTOR).min(LONGEST_PAUSE);
        let pause = if is_complete { pause } else { RETRY };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        if !is_complete {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = any_changed(&mut receivers) => {}
            changed = directory.changed() => if changed.is_err() {
                return;
            },
        }
    }
}

/// Returns when any job has a new snapshot.
async fn any_changed(receivers: &mut [watch::Receiver<Arc<Snapshot>>]) {
    let changes = receivers.iter_mut().map(|receiver| {
        Box::pin(async {
            if receiver.changed().await.is_err() {
                // The job is gone, which the directory tells.
                std::future::pending::<()>().await;
            }
        })
    });
    let changes: Vec<_> = changes.collect();
    if changes.is_empty() {
        std::future::pending::<()>().await;
    }
    select_all(changes).await;
}

// === impl SdFiles ===

impl SdFiles {
    /// Makes the folder, and finds out whether it can be written to.
    ///
    /// # Errors
    /// If it cannot.
    pub fn prepare(&self) -> io::Result<()> {
        std::fs::create_dir_all(&self.directory)?;
        let probe = self.directory.join(".periplus-probe.tmp");
        std::fs::write(&probe, b"")?;
        std::fs::remove_file(probe)
    }

    /// The files of a job.
    fn of_job(&self, job: &str) -> Vec<JobFile> {
        let shards = (0..self.shards).filter_map(|index| {
            let shard = Shard::new(u64::from(index), u64::from(self.shards)).ok()?;
            Some((self.shards > 1).then_some(shard))
        });
        let file = |shard: Option<Shard>| {
            let view = View {
                shard,
                ..View::of(Stage::Final)
            };
            JobFile {
                name: name::file_name(job, shard, self.format.ending()),
                segments: Segments::new(view.clone()),
                view,
                written: None,
            }
        };
        shards.map(file).collect()
    }
}

// === impl FileFormat ===

impl FileFormat {
    fn ending(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Yaml => "yaml",
        }
    }
}

// === impl Writer ===

impl Writer {
    /// Brings all files up to date; whether nothing failed.
    fn pass(&mut self, directory: &Directory) -> bool {
        if !directory.applied {
            return true;
        }
        let mut is_complete = true;
        for (job, handle) in &directory.jobs {
            let snapshot = Arc::clone(&handle.snapshots.borrow());
            if snapshot.is_servable() {
                is_complete &= self.job(job, &snapshot);
            }
        }
        self.by_job
            .retain(|job, _| directory.jobs.contains_key(job));
        is_complete & self.clean_up(directory)
    }

    fn job(&mut self, job: &str, snapshot: &Arc<Snapshot>) -> bool {
        let mut files = match self.by_job.remove(job) {
            Some(files) => files,
            None => self.files.of_job(job),
        };
        let mut is_complete = true;
        for file in &mut files {
            file.segments.update(snapshot, false);
            let version = file.segments.summary().version;
            if file.written != Some(version) {
                match self.write(job, file, snapshot) {
                    Ok(()) => file.written = Some(version),
                    Err(error) => is_complete = self.failed(&file.name, &error),
                }
            }
        }
        self.by_job.insert(job.to_owned(), files);
        is_complete
    }

    fn write(&mut self, job: &str, file: &JobFile, snapshot: &Arc<Snapshot>) -> io::Result<()> {
        // Before the file: should this process die between the two, nothing is left behind.
        self.record.add(&self.files.directory, &file.name, job)?;
        let pieces = snapshot.body(file.view.clone());
        write::replace(&self.files.directory, &file.name, |out| {
            write::list(pieces, self.files.format, out)
        })?;
        self.metrics.file_written();
        Ok(())
    }

    /// Removes files of jobs that are gone, and those that a job has no more.
    fn clean_up(&mut self, directory: &Directory) -> bool {
        let mut is_complete = true;
        for (name, job) in self.record.files() {
            let is_stale = match self.by_job.get(&job) {
                Some(files) => !files.iter().any(|file| file.name == name),
                // Of a job that is not known yet, everything stays.
                None => !directory.jobs.contains_key(&job),
            };
            if is_stale && let Err(error) = self.record.remove(&self.files.directory, &name) {
                is_complete = self.failed(&name, &error);
            }
        }
        is_complete
    }

    /// Tells of a failure; false.
    fn failed(&self, name: &str, error: &io::Error) -> bool {
        self.metrics.file_failed();
        let path = self.files.directory.join(name);
        tracing::warn!(path = %path.display(), %error, "Failed to write a file of targets, the old one stays");
        false
    }
}
