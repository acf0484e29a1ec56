//! One file of the compile cache: its name, its checksum, and how it comes to be.

use std::fs::{self, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use xxhash_rust::xxh3::Xxh3;

use crate::source::hex;

/// What entries' names end with.
pub(super) const EXTENSION: &str = "cwasm";
/// What names of files end with that are being written.
pub(super) const DRAFT: &str = "draft";

/// A file beside the entries that becomes one, or is removed.
pub(super) struct Draft {
    path: PathBuf,
}

/// Hashes the engine's compatibility into bytes that are equal on the next run.
struct CompatibilityHasher(Sha256);

// === impl Draft ===

impl Draft {
    /// An empty file that only this user can read.
    pub(super) fn create(directory: &Path) -> io::Result<Self> {
        let name = format!(
            "{}-{:016x}.{DRAFT}",
            std::process::id(),
            rand::random::<u64>()
        );
        let path = directory.join(name);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        Ok(Self { path })
    }

    /// The file, for a compiler to write to.
    pub(super) fn output(&self) -> io::Result<File> {
        OpenOptions::new().write(true).open(&self.path)
    }

    /// Writes compiled code.
    pub(super) fn write(&self, code: &[u8]) -> io::Result<()> {
        self.output()?.write_all(code)
    }

    /// Renames the file to what its content and its key say, so that a reader sees all or nothing.
    pub(super) fn keep(self, key: &str) -> io::Result<()> {
        File::open(&self.path)?.sync_all()?;
        let name = format!("{key}-{}.{EXTENSION}", checksum(&self.path)?);
        fs::rename(&self.path, self.path.with_file_name(name))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Gone already if it was kept.
        let _ = fs::remove_file(&self.path);
    }
}

/// What names an entry besides its checksum.
pub(super) fn key(engine: &Engine, digest: &str) -> String {
    let mut hasher = CompatibilityHasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{digest}-{}", &hex(&hasher.0.finalize())[..16])
}

/// The entry with a key, if there is one.
pub(super) fn find(directory: &Path, key: &str) -> Option<PathBuf> {
    let names = fs::read_dir(directory).ok()?.flatten();
    let mut paths = names.map(|it| it.path());
    paths.find(|path| {
        let name = path.file_name().and_then(|it| it.to_str());
        name.and_then(|it| it.strip_prefix(key)?.strip_prefix('-'))
            .is_some_and(|rest| rest.ends_with(&format!(".{EXTENSION}")))
    })
}

/// Whether a file holds what its name says.
pub(super) fn check(path: &Path) -> io::Result<()> {
    let stem = path.file_stem().and_then(|it| it.to_str());
    let named = stem.and_then(|it| it.rsplit('-').next()).unwrap_or("");
    if checksum(path)? == named {
        return Ok(());
    }
    Err(io::Error::other("its content does not match its checksum"))
}

/// Notes that an entry was used, which eviction goes by.
pub(super) fn touch(path: &Path) {
    if let Ok(file) = File::open(path) {
        let _ = file.set_modified(SystemTime::now());
    }
}

/// XXH3 over the file, read in pieces, so that the host's memory does not grow with it. It is there
/// against damage: a cryptographic one would take 40 ms more for Python's interpreter, and would
/// keep nobody out who can write to this folder.
fn checksum(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Xxh3::new();
    let mut piece = vec![0; 256 << 10];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(format!("{:032x}", hasher.digest128())),
            n => hasher.update(&piece[..n]),
        }
    }
}

// === impl CompatibilityHasher ===

impl Hasher for CompatibilityHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Not used: the whole digest is.
    fn finish(&self) -> u64 {
        0
    }
}
