//! Archives: the OCI image layout in a tar file, for machines that reach no registry.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::digest::Digest;
use crate::error::ImageError;
use crate::manifest::{MANIFEST, MAX_COMPONENT, MAX_MANIFEST, Manifest};
use crate::reference::ImageName;
use crate::store::{Store, files};

/// The annotation in which containerd, and we, keep the whole name of an image.
const NAME: &str = "io.containerd.image.name";
/// The annotation of the image layout, which holds a tag alone.
const TAG: &str = "org.opencontainers.image.ref.name";
/// Bytes of all entries of an archive together.
const MAX_TOTAL: u64 = 4 << 30;
/// Entries of an archive.
const MAX_ENTRIES: usize = 10_000;

/// `index.json`.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    #[serde(default)]
    media_type: String,
    manifests: Vec<Listed>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default)]
    annotations: std::collections::BTreeMap<String, String>,
}

/// Writes images and their signatures; the archive is there as a whole or not at all.
pub(crate) fn save(store: &Store, images: &[ImageName], archive: &Path) -> Result<(), ImageError> {
    let failed = |e| files("write", archive, e);
    let folder = archive.parent().filter(|it| !it.as_os_str().is_empty());
    let file = NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(failed)?;
    let mut tar = tar::Builder::new(BufWriter::new(file));
    let mut index = Index {
        schema_version: 2,
        media_type: "application/vnd.oci.image.index.v1+json".to_owned(),
        manifests: Vec::new(),
    };
    let mut written = BTreeSet::new();
    for name in images {
        let absent = || ImageError::Absent {
            image: name.to_string(),
            store: store.directory().to_owned(),
        };
        let digest = name.digest().cloned().or_else(|| store.resolve(name));
        let digest = digest.ok_or_else(absent)?;
        add(
            store,
            name,
            &digest,
            &mut tar,
            &mut index,
            &mut written,
            archive,
        )?;
        let signatures = name.signature_of(&digest);
        if let Some(list) = store.resolve(&signatures) {
            add(
                store,
                &signatures,
                &list,
                &mut tar,
                &mut index,
                &mut written,
                archive,
            )?;
        }
    }
    let index = serde_json::to_vec(&index).unwrap_or_default();
    append(&mut tar, "index.json", &index).map_err(failed)?;
    append(&mut tar, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#).map_err(failed)?;
    let file = tar.into_inner().map_err(failed)?;
    let file = file.into_inner().map_err(|e| failed(e.into_error()))?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(archive).map_err(|e| failed(e.error))?;
    Ok(())
}

/// Adds a manifest, its parts, and its line in the index.
fn add<W: Write>(
    store: &Store,
    name: &ImageName,
    digest: &Digest,
    tar: &mut tar::Builder<W>,
    index: &mut Index,
    written: &mut BTreeSet<Digest>,
    archive: &Path,
) -> Result<(), ImageError> {
    let absent = || ImageError::Absent {
        image: name.to_string(),
        store: store.directory().to_owned(),
    };
    let bytes = store.read(digest)?.ok_or_else(absent)?;
    let parts = Manifest::parse(&name.to_string(), &bytes)?.parts()?;
    for one in std::iter::once(digest).chain(parts.iter().map(|it| &it.digest)) {
        if written.insert(one.clone()) {
            let content = store.read(one)?.ok_or_else(absent)?;
            append(tar, &format!("blobs/sha256/{}", one.hex()), &content)
                .map_err(|e| files("write", archive, e))?;
        }
    }
    let mut annotations = vec![(NAME.to_owned(), name.to_string())];
    annotations.extend(name.tag().map(|tag| (TAG.to_owned(), tag.to_owned())));
    index.manifests.push(Listed {
        media_type: MANIFEST.to_owned(),
        digest: digest.to_string(),
        size: bytes.len() as u64,
        annotations: annotations.into_iter().collect(),
    });
    Ok(())
}

/// Without time and owner, so that equal content makes equal archives.
fn append<W: Write>(tar: &mut tar::Builder<W>, name: &str, content: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, name, content)
}

/// Reads an archive. Content that is not what its name says ends it before any image is known by
/// its name; nothing is ever written under a name of the archive.
pub(crate) fn load(store: &Store, archive: &Path) -> Result<Vec<ImageName>, ImageError> {
    let bad = |reason: String| ImageError::Archive {
        path: archive.to_owned(),
        reason,
    };
    let file = File::open(archive).map_err(|e| files("read", archive, e))?;
    let mut tar = tar::Archive::new(BufReader::new(file));
    let mut index = None;
    let (mut total, mut count) = (0, 0);
    let damaged = |e: io::Error| bad(format!("it is damaged: {e}"));
    for entry in tar.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        total += entry.size();
        count += 1;
        if total > MAX_TOTAL || count > MAX_ENTRIES {
            return Err(bad("it holds more than plugins need".to_owned()));
        }
        let path = entry
            .path()
            .map_err(damaged)?
            .to_string_lossy()
            .into_owned();
        let path = path.trim_start_matches("./");
        if !entry.header().entry_type().is_file() {
            continue;
        }
        if path == "index.json" {
            let mut text = Vec::new();
            let mut bounded = (&mut entry).take(MAX_MANIFEST);
            bounded.read_to_end(&mut text).map_err(damaged)?;
            let read = serde_json::from_slice::<Index>(&text);
            index = Some(read.map_err(|e| bad(format!("its `index.json` is damaged: {e}")))?);
        } else if let Some(hex) = path.strip_prefix("blobs/sha256/") {
            let digest: Digest = format!("sha256:{hex}").parse().map_err(bad)?;
            take(store, entry, &digest, archive)?;
        }
    }
    let index = index.ok_or_else(|| bad("it has no `index.json`".to_owned()))?;
    let images = named(&index, store, archive)?;
    for (name, digest) in &images {
        store.link(name, digest)?;
    }
    Ok(images.into_iter().map(|(name, _)| name).collect())
}

/// Takes one content into the store.
fn take(
    store: &Store,
    mut entry: impl Read,
    digest: &Digest,
    archive: &Path,
) -> Result<(), ImageError> {
    let shown = archive.display().to_string();
    let mut incoming = store.incoming()?;
    let mut piece = vec![0; 256 << 10];
    loop {
        let n = entry
            .read(&mut piece)
            .map_err(|e| files("read", archive, e))?;
        if n == 0 {
            break;
        }
        let written = incoming.write(&piece[..n]);
        written.map_err(|e| files("write to the store of plugins", store.directory(), e))?;
        if incoming.size() > MAX_COMPONENT {
            return Err(ImageError::TooLarge {
                image: shown,
                size: incoming.size(),
                limit: MAX_COMPONENT,
            });
        }
    }
    let found = incoming.digest();
    if found != *digest {
        let found = found.to_string();
        return Err(ImageError::digest(
            &shown,
            "a content of it",
            digest,
            &found,
        ));
    }
    store.keep(incoming, digest)
}

/// The images of an index, all of whose parts are there.
fn named(
    index: &Index,
    store: &Store,
    archive: &Path,
) -> Result<Vec<(ImageName, Digest)>, ImageError> {
    let bad = |reason: String| ImageError::Archive {
        path: archive.to_owned(),
        reason,
    };
    let mut images = Vec::new();
    for listed in &index.manifests {
        let text = listed
            .annotations
            .get(NAME)
            .or_else(|| listed.annotations.get(TAG))
            .ok_or_else(|| bad("an image in it has no name".to_owned()))?;
        let name: ImageName = text.parse().map_err(bad)?;
        let digest: Digest = listed.digest.parse().map_err(bad)?;
        if name.digest().is_some_and(|pinned| *pinned != digest) {
            return Err(bad(format!("`{name}` is listed with the digest {digest}")));
        }
        let missing = || bad(format!("a part of `{name}` is missing"));
        let bytes = store.read(&digest)?.ok_or_else(missing)?;
        for part in Manifest::parse(&name.to_string(), &bytes)?.parts()? {
            if !store.holds(&part.digest)? {
                return Err(missing());
            }
        }
        images.push((name, digest));
    }
    Ok(images)
}
