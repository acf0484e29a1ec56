//! Files of cases, plain or compressed.

use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use anyhow::Context as _;
use flate2::read::MultiGzDecoder;

/// The text of `file` in `folder`, or of its compressed form; `None` if neither is there.
pub(crate) fn read(folder: &Path, file: &str) -> anyhow::Result<Option<String>> {
    let plain = folder.join(file);
    if let Some(bytes) = read_if_there(&plain)? {
        let text = String::from_utf8(bytes);
        return Ok(Some(
            text.with_context(|| format!("`{}` is not UTF-8", plain.display()))?,
        ));
    }
    let compressed = folder.join(format!("{file}.gz"));
    let Some(bytes) = read_if_there(&compressed)? else {
        return Ok(None);
    };
    let mut text = String::new();
    MultiGzDecoder::new(&bytes[..])
        .read_to_string(&mut text)
        .with_context(|| format!("failed to decompress `{}`", compressed.display()))?;
    Ok(Some(text))
}

fn read_if_there(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("failed to read `{}`", path.display())),
    }
}
