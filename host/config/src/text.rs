//! The text of configuration files.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::diagnostic::{ConfigErrors, Diagnostic};

/// What no honest configuration reaches; a file that has more is none (a disk image, a log).
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Reads a file, which must be text of at most 64 MiB.
pub(crate) fn read(path: &Path) -> Result<String, ConfigErrors> {
    let refused = |message: String, hint: Option<String>| {
        ConfigErrors(vec![Diagnostic {
            file: path.to_path_buf(),
            line: 0,
            column: 0,
            key_path: String::new(),
            message,
            hint,
        }])
    };
    match read_bounded(path, MAX_BYTES) {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(refused(
            "the file is larger than 64 MiB".to_owned(),
            Some("is it a configuration? jobs can be spread over `scrape_config_files`".to_owned()),
        )),
        Err(error) => Err(refused(
            format!("failed to read the configuration: {error}"),
            None,
        )),
    }
}

/// The text; `None` if it is longer than `limit`.
fn read_bounded(path: &Path, limit: u64) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Ok(None);
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].split(|byte| *byte == b'\n').count();
        let message = format!("line {line} has bytes that are not UTF-8");
        io::Error::new(io::ErrorKind::InvalidData, message)
    })?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_up_to_their_bound() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.yml");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read_bounded(&path, 5).unwrap().as_deref(), Some("12345"));
        assert_eq!(read_bounded(&path, 4).unwrap(), None);
        std::fs::write(&path, b"a\nb\xff").unwrap();
        let error = read(&path).unwrap_err().0.remove(0);
        assert!(error.message.contains("line 2 has bytes"), "{error}");
    }
}
