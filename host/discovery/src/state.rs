//! Last known good state on disk, so that a start with every source down still serves what was known.
//!
//! One file per section, named by the section's identity: a section that changed in anything has no
//! state. A file is gzip over JSON lines, one group each, and is replaced as a whole or not at all.
//! It holds labels of targets, which may be private, and so only its owner may read it.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use imbl::OrdMap;
use periplus_core::{ContentHash, TargetGroup};

mod format;
mod saver;
#[cfg(test)]
mod tests;

use crate::discovered::Discovered;

pub(crate) use saver::{Moment, Saver};

/// Ends the name of a state.
const SUFFIX: &str = ".state.gz";
/// Ends the name of a state that could not be read.
const CORRUPT: &str = ".corrupt";

/// The folder with the last known good state of each section.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    max_stale_age: Duration,
}

/// A section's groups as they were when they were last known to be good.
#[derive(Debug)]
pub struct Restored {
    /// The groups.
    pub groups: Vec<Arc<TargetGroup>>,
    /// How far they can be trusted.
    pub stale: Stale,
}

/// Targets that come from disk and that their source has not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale {
    /// When they were last known to be good.
    pub since: SystemTime,
    /// Until when they may be served.
    pub until: SystemTime,
}

// === impl StateDir ===

impl StateDir {
    /// A day.
    pub const DEFAULT_MAX_STALE_AGE: Duration = Duration::from_hours(24);

    /// Opens the folder, or makes it, for its owner alone. States that are too old to be served and
    /// what was left of an interrupted write are removed.
    ///
    /// # Errors
    ///
    /// If it is no folder, or cannot be made or read.
    pub fn open(path: &Path, max_stale_age: Duration) -> io::Result<Self> {
        private_folder(path)?;
        let state = Self {
            path: path.to_owned(),
            max_stale_age,
        };
        state.clean()?;
        Ok(state)
    }

    /// What was last known of a section; nothing if there is no state, or none that can be served.
    /// A state that cannot be read is set aside with a warning. Blocks on the disk.
    pub fn load(&self, section: ContentHash) -> Option<Restored> {
        let path = self.file(section);
        match self.read(&path) {
            Ok(restored) => restored,
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                let aside = path.with_extension(format!("gz{CORRUPT}"));
                tracing::warn!(
                    file = %path.display(),
                    %error,
                    "State not readable; set aside as `*{CORRUPT}`, the section starts without it"
                );
                if let Err(error) = fs::rename(&path, aside) {
                    tracing::warn!(file = %path.display(), %error, "Failed to set a state aside");
                }
                None
            }
        }
    }

    /// Replaces the state of a section. It is there as a whole, or the one before is. Blocks on the
    /// disk.
    pub(crate) fn save(
        &self,
        section: ContentHash,
        groups: &OrdMap<Arc<str>, Discovered>,
    ) -> io::Result<()> {
        let mut draft = tempfile::Builder::new()
            .prefix(".draft-")
            .tempfile_in(&self.path)?;
        format::write(draft.as_file_mut(), groups)?;
        draft.as_file().sync_all()?;
        draft.persist(self.file(section)).map_err(|it| it.error)?;
        // Without this a crash of the machine could undo the rename; the state before is as good.
        File::open(&self.path)?.sync_all()
    }

    /// The state of a section is as good now as when it was saved.
    pub(crate) fn confirm(&self, section: ContentHash) -> io::Result<()> {
        File::options()
            .append(true)
            .open(self.file(section))?
            .set_modified(SystemTime::now())
    }

    fn read(&self, path: &Path) -> io::Result<Option<Restored>> {
        let file = File::open(path)?;
        let since = file.metadata()?.modified()?;
        let until = since + self.max_stale_age;
        if until <= SystemTime::now() {
            return Ok(None);
        }
        Ok(Some(Restored {
            groups: format::read(file)?,
            stale: Stale { since, until },
        }))
    }

    fn file(&self, section: ContentHash) -> PathBuf {
        self.path.join(format!("{section}{SUFFIX}"))
    }

    fn clean(&self) -> io::Result<()> {
        let now = SystemTime::now();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let is_old = |entry: &fs::DirEntry| {
                let modified = entry.metadata().and_then(|it| it.modified());
                modified.is_ok_and(|modified| modified + self.max_stale_age <= now)
            };
            let is_state = name.ends_with(SUFFIX) || name.ends_with(CORRUPT);
            if name.starts_with(".draft-") || (is_state && is_old(&entry)) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

// === impl Stale ===

impl Stale {
    /// Of the targets of several sections the worst decides.
    pub(crate) fn worst(self, other: Self) -> Self {
        Self {
            since: self.since.min(other.since),
            until: self.until.min(other.until),
        }
    }
}

fn private_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
    }
    #[cfg(not(unix))]
    fs::create_dir_all(path)
}
