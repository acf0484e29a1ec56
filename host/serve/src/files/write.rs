//! Writing one file.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::FileFormat;

/// Where a file is written before it takes the place of the old one. No pattern of `file_sd` takes a
/// name that ends so.
pub(super) fn beside(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!(".{name}.tmp"))
}

/// Replaces a file at once and as a whole; if that fails, the old one stays.
pub(super) fn replace(
    directory: &Path,
    name: &str,
    content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let beside = beside(directory, name);
    let written = File::create(&beside).and_then(|file| {
        let mut out = BufWriter::new(file);
        content(&mut out)?;
        out.flush()?;
        // Else a crash of the machine may leave an empty file under the good name.
        out.get_ref().sync_all()?;
        fs::rename(&beside, directory.join(name))
    });
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Writes a list piece by piece.
pub(super) fn list(
    pieces: impl Iterator<Item = Bytes>,
    format: FileFormat,
    out: &mut impl Write,
) -> io::Result<()> {
    for piece in pieces {
        match format {
            FileFormat::Json => out.write_all(&piece)?,
            FileFormat::Yaml => yaml(&piece, out)?,
        }
    }
    out.write_all(b"\n")
}

/// JSON is YAML, but for characters that YAML takes for line breaks or not at all. They stand in
/// strings alone, where both know the same escapes. A piece ends behind an object.
fn yaml(json: &[u8], out: &mut impl Write) -> io::Result<()> {
    let text = std::str::from_utf8(json).map_err(io::Error::other)?;
    let mut from = 0;
    for (at, character) in text.char_indices().filter(|(_, it)| is_special(*it)) {
        out.write_all(&json[from..at])?;
        write!(out, "\\u{:04x}", u32::from(character))?;
        from = at + character.len_utf8();
    }
    out.write_all(&json[from..])
}

fn is_special(character: char) -> bool {
    matches!(
        character,
        '\u{7f}'..='\u{a0}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_has_no_character_that_its_readers_refuse() {
        let json = "[{\"a\":\"x\u{7f}\u{85}\u{2028}\u{feff}\u{ffff}ü\u{1f30a}\\n\"}]";
        let mut out = Vec::new();
        yaml(json.as_bytes(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let expected = "[{\"a\":\"x\\u007f\\u0085\\u2028\\ufeff\\uffffü\u{1f30a}\\n\"}]";
        assert_eq!(text, expected);
        let back: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            back,
            serde_json::from_str::<serde_json::Value>(json).unwrap()
        );
    }
}
