//! Keeping the compile cache within its bound.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::entry::{DRAFT, EXTENSION};

/// After this long, a file that is being written belongs to a process that died.
const ABANDONED: Duration = Duration::from_hours(1);

/// An entry as its folder shows it.
struct Seen {
    path: PathBuf,
    size: u64,
    used: SystemTime,
    /// Made for the engine of this host.
    current: bool,
}

/// Removes entries until all together have at most `bound` bytes: first those of other versions of
/// the host, then those that were not used for longest; never the one with the key `spared`. An
/// entry that is mapped stays usable for those who mapped it.
pub(super) fn evict(directory: &Path, bound: u64, spared: &str) -> io::Result<()> {
    let mut entries = Vec::new();
    let engine = spared.rsplit('-').next().unwrap_or("");
    for item in fs::read_dir(directory)? {
        let item = item?;
        let (path, metadata) = (item.path(), item.metadata()?);
        let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let extension = path.extension().and_then(|it| it.to_str());
        if extension == Some(DRAFT) {
            if used.elapsed().is_ok_and(|age| age > ABANDONED) {
                remove(&path)?;
            }
        } else if extension == Some(EXTENSION) {
            let name = path.file_name().and_then(|it| it.to_str()).unwrap_or("");
            let current = name.split('-').nth(1) == Some(engine);
            entries.push(Seen {
                size: metadata.len(),
                used,
                current,
                path,
            });
        }
    }
    let mut total: u64 = entries.iter().map(|it| it.size).sum();
    entries.sort_by_key(|it| (it.current, it.used));
    for entry in entries {
        if total <= bound {
            break;
        }
        let name = entry.path.file_name().and_then(|it| it.to_str());
        if name.is_some_and(|it| it.starts_with(spared)) {
            continue;
        }
        remove(&entry.path)?;
        total -= entry.size;
    }
    Ok(())
}

/// Another process may have been quicker.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
