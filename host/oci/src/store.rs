//! A private folder of content by its digest, and of what names mean.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::digest::Digest;
use crate::error::ImageError;
use crate::reference::ImageName;

/// Content in `blobs/sha256`, as in the image layout; what a name meant last in `names`, a file for
/// each. Several processes may share one.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    directory: PathBuf,
}

/// Content on its way into the store.
pub(crate) struct Incoming {
    file: NamedTempFile,
    hasher: Sha256,
    size: u64,
}

/// What a name meant last.
#[derive(Deserialize, Serialize)]
struct Meaning {
    name: String,
    digest: String,
}

// === impl Store ===

impl Store {
    /// A store in a folder, which is created for this user alone.
    pub(crate) fn open(directory: &Path) -> Result<Self, ImageError> {
        let create = |folder: &Path| {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
        };
        create(directory)
            .and_then(|()| fs::set_permissions(directory, fs::Permissions::from_mode(0o700)))
            .and_then(|()| create(&directory.join("blobs/sha256")))
            .and_then(|()| create(&directory.join("names")))
            .map_err(|e| files("prepare the store of plugins", directory, e))?;
        Ok(Self {
            directory: directory.to_owned(),
        })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where content lies, or would.
    pub(crate) fn path(&self, digest: &Digest) -> PathBuf {
        self.directory.join("blobs/sha256").join(digest.hex())
    }

    /// Content that is whole; damaged content is removed, so that it is fetched again.
    pub(crate) fn read(&self, digest: &Digest) -> Result<Option<Vec<u8>>, ImageError> {
        let path = self.path(digest);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            outcome => outcome.map_err(|e| files("read", &path, e))?,
        };
        if Digest::of(&bytes) == *digest {
            return Ok(Some(bytes));
        }
        self.discard(&path)?;
        Ok(None)
    }

    /// Whether content is there and whole, read in pieces.
    pub(crate) fn holds(&self, digest: &Digest) -> Result<bool, ImageError> {
        let path = self.path(digest);
        let mut file = match fs::File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            outcome => outcome.map_err(|e| files("read", &path, e))?,
        };
        let mut hasher = Sha256::new();
        let mut piece = vec![0; 256 << 10];
        loop {
            match file.read(&mut piece) {
                Ok(0) => break,
                Ok(n) => hasher.update(&piece[..n]),
                Err(error) => return Err(files("read", &path, error)),
            }
        }
        if Digest::from_hash(&hasher.finalize()) == *digest {
            return Ok(true);
        }
        self.discard(&path)?;
        Ok(false)
    }

    /// A file for content that is still to come.
    pub(crate) fn incoming(&self) -> Result<Incoming, ImageError> {
        let file = tempfile::Builder::new()
            .prefix(".incoming-")
            .tempfile_in(&self.directory)
            .map_err(|e| files("write to the store of plugins", &self.directory, e))?;
        Ok(Incoming {
            file,
            hasher: Sha256::new(),
            size: 0,
        })
    }

    /// Keeps content that came as a whole.
    pub(crate) fn put(&self, bytes: &[u8]) -> Result<Digest, ImageError> {
        let mut incoming = self.incoming()?;
        let written = incoming.write(bytes);
        written.map_err(|e| files("write to the store of plugins", &self.directory, e))?;
        let digest = incoming.digest();
        self.keep(incoming, &digest)?;
        Ok(digest)
    }

    /// Makes what came the content of a digest; the caller has compared the two.
    pub(crate) fn keep(&self, incoming: Incoming, digest: &Digest) -> Result<(), ImageError> {
        let path = self.path(digest);
        let failed = |e| files("write", &path, e);
        incoming.file.as_file().sync_all().map_err(failed)?;
        incoming.file.persist(&path).map_err(|e| failed(e.error))?;
        Ok(())
    }

    /// What a name meant when it was looked up last.
    pub(crate) fn resolve(&self, name: &ImageName) -> Option<Digest> {
        let text = fs::read(self.name_path(name)).ok()?;
        let meaning: Meaning = serde_json::from_slice(&text).ok()?;
        meaning.digest.parse().ok()
    }

    /// Notes what a name means.
    pub(crate) fn link(&self, name: &ImageName, digest: &Digest) -> Result<(), ImageError> {
        let path = self.name_path(name);
        let meaning = Meaning {
            name: name.to_string(),
            digest: digest.to_string(),
        };
        let text = serde_json::to_vec(&meaning).unwrap_or_default();
        let written = NamedTempFile::new_in(&self.directory).and_then(|mut file| {
            file.write_all(&text)?;
            file.persist(&path).map_err(|e| e.error)?;
            Ok(())
        });
        written.map_err(|e| files("write", &path, e))
    }

    /// By the digest of the name: names have slashes, and no bound on their length.
    fn name_path(&self, name: &ImageName) -> PathBuf {
        let digest = Digest::of(name.to_string().as_bytes());
        self.directory.join("names").join(digest.hex())
    }

    #[allow(clippy::unused_self, reason = "it belongs to the store")]
    fn discard(&self, path: &Path) -> Result<(), ImageError> {
        tracing::warn!(path = %path.display(), "Discarded damaged content from the store of plugins");
        fs::remove_file(path).map_err(|e| files("remove", path, e))
    }
}

// === impl Incoming ===

impl Incoming {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Of what came so far.
    pub(crate) fn digest(&self) -> Digest {
        Digest::from_hash(&self.hasher.clone().finalize())
    }
}

pub(crate) fn files(action: &'static str, path: &Path, source: io::Error) -> ImageError {
    ImageError::Files {
        action,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_private_and_damage_is_found() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("a/store");
        let store = Store::open(&directory).unwrap();
        let digest = store.put(b"content").unwrap();
        assert_eq!(store.read(&digest).unwrap().unwrap(), b"content");
        let mode = fs::metadata(&directory).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        fs::write(store.path(&digest), b"other").unwrap();
        assert!(!store.holds(&digest).unwrap());
        assert!(!store.path(&digest).exists(), "it is fetched again");
        assert_eq!(store.read(&digest).unwrap(), None);
    }

    #[test]
    fn a_name_means_what_it_was_linked_to_last() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(home.path()).unwrap();
        let name: ImageName = "localhost/a:1".parse().unwrap();
        assert_eq!(store.resolve(&name), None);
        for content in [b"one", b"two"] {
            let digest = store.put(content).unwrap();
            store.link(&name, &digest).unwrap();
            assert_eq!(store.resolve(&name), Some(digest));
        }
    }
}
