//! How a state looks on disk.

use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Write};
use std::sync::Arc;

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use imbl::OrdMap;
use periplus_core::{LabelSet, TargetGroup};
use serde::{Deserialize, Serialize};

use crate::discovered::Discovered;

/// Raised when an older host could not read what is written.
const FORMAT: u32 = 1;
/// A group that is longer than this is not one of ours.
const LONGEST_LINE: u64 = 256 << 20;

/// One line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line<'a> {
    /// The first.
    Format(u32),
    #[serde(borrow)]
    Group(Group<'a>),
    /// The last: how many groups there are, so that half a file is known as one.
    End(usize),
}

#[derive(Serialize, Deserialize)]
struct Group<'a> {
    source: std::borrow::Cow<'a, str>,
    labels: std::borrow::Cow<'a, LabelSet>,
    targets: std::borrow::Cow<'a, [LabelSet]>,
}

/// Writes all groups.
pub(super) fn write(file: impl Write, groups: &OrdMap<Arc<str>, Discovered>) -> io::Result<()> {
    let packer = GzEncoder::new(file, Compression::new(1));
    let mut out = BufWriter::with_capacity(64 << 10, packer);
    let mut line = |line: &Line<'_>| -> io::Result<()> {
        serde_json::to_writer(&mut out, line)?;
        out.write_all(b"\n")
    };
    line(&Line::Format(FORMAT))?;
    for discovered in groups.values() {
        let group = discovered.group();
        line(&Line::Group(Group {
            source: (&*group.source).into(),
            labels: std::borrow::Cow::Borrowed(&group.labels),
            targets: (&group.targets[..]).into(),
        }))?;
    }
    line(&Line::End(groups.len()))?;
    let packer = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    packer.finish()?.flush()
}

/// Reads all groups; an error if not every one of them is there as it was written.
pub(super) fn read(file: impl Read) -> io::Result<Vec<Arc<TargetGroup>>> {
    let mut lines = BufReader::with_capacity(64 << 10, GzDecoder::new(BufReader::new(file)));
    let (mut groups, mut line) = (Vec::new(), Vec::new());
    let mut is_known = false;
    loop {
        line.clear();
        let length = (&mut lines)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)?;
        if length == 0 {
            return Err(broken("it ends in the middle"));
        }
        match serde_json::from_slice(&line)? {
            Line::Format(FORMAT) => is_known = true,
            Line::Format(other) => {
                return Err(broken(&format!(
                    "it has format {other}, this host reads {FORMAT}"
                )));
            }
            Line::Group(group) if is_known => groups.push(Arc::new(group.into())),
            Line::End(count) if is_known && count == groups.len() => break,
            Line::Group(_) | Line::End(_) => return Err(broken("its lines are not in order")),
        }
    }
    // The checksum stands behind the last byte, and is looked at only then.
    let is_end = lines.fill_buf()?.is_empty();
    if !is_end || !lines.into_inner().into_inner().fill_buf()?.is_empty() {
        return Err(broken("there is something behind its end"));
    }
    Ok(groups)
}

fn broken(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

impl From<Group<'_>> for TargetGroup {
    fn from(group: Group<'_>) -> Self {
        Self {
            source: group.source.into(),
            labels: group.labels.into_owned(),
            targets: group.targets.into_owned(),
        }
    }
}
