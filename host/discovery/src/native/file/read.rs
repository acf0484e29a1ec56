//! From one file to target groups.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use periplus_core::{LabelSet, TargetGroup};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Bytes of one file: more than any inventory, less than what hurts the host.
const LONGEST_FILE: u64 = 64 << 20;

/// What a file held.
pub(super) struct Content {
    pub(super) groups: Vec<Arc<TargetGroup>>,
    pub(super) modified: Option<SystemTime>,
}

/// Why a file was not taken over.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("failed to read: {0}")]
    Io(#[from] std::io::Error),
    #[error("not a regular file")]
    NotAFile,
    #[error("longer than {} MiB", LONGEST_FILE >> 20)]
    TooLong,
    #[error("empty: still being written")]
    Empty,
    #[error("not UTF-8")]
    NotUtf8,
    #[error("{0}")]
    Json(serde_json::Error),
    #[error("{0}")]
    Yaml(String),
    #[error("nil target group item found (index {0})")]
    NullGroup(usize),
    #[error("\"\" is not a valid label name")]
    LabelName,
}

/// A group as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    targets: Option<Vec<String>>,
    #[serde(default)]
    labels: Option<BTreeMap<String, Option<String>>>,
}

/// Reads a file; `source` is its path as matched, which groups are named after.
pub(super) fn read(path: &Path, source: &str) -> Result<Content, ReadError> {
    let (text, modified) = text(path)?;
    if text.trim().is_empty() {
        return Err(ReadError::Empty);
    }
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default();
    let written: Option<Vec<Option<Written>>> = if extension.eq_ignore_ascii_case("json") {
        serde_json::from_str(&text).map_err(ReadError::Json)?
    } else {
        yaml(&text)?
    };
    let written = written.unwrap_or_default().into_iter().enumerate();
    let groups = written.map(|(index, written)| {
        let written = written.ok_or(ReadError::NullGroup(index))?;
        written.into_group(index, source).map(Arc::new)
    });
    Ok(Content {
        groups: groups.collect::<Result<_, _>>()?,
        modified,
    })
}

fn text(path: &Path) -> Result<(String, Option<SystemTime>), ReadError> {
    // Before it is opened: opening a pipe would wait for its writer.
    if !path.metadata()?.is_file() {
        return Err(ReadError::NotAFile);
    }
    let file = std::fs::File::open(path)?;
    let modified = file.metadata()?.modified().ok();
    let mut bytes = Vec::new();
    file.take(LONGEST_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(ReadError::TooLong);
    }
    let text = String::from_utf8(bytes).map_err(|_| ReadError::NotUtf8)?;
    Ok((text, modified))
}

/// Unknown and repeated keys are errors. The parser's budgets are meant for configuration files;
/// here the length of the file bounds them, but for aliases, which multiply.
fn yaml<T: DeserializeOwned>(text: &str) -> Result<T, ReadError> {
    let mut options = serde_saphyr::Options::default();
    let mut budget = serde_saphyr::budget::Budget::default();
    budget.max_events = usize::MAX;
    budget.max_nodes = usize::MAX;
    options.budget = Some(budget);
    options.with_snippet = false;
    serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| ReadError::Yaml(error.to_string()))
}

// === impl Written ===

impl Written {
    fn into_group(self, index: usize, source: &str) -> Result<TargetGroup, ReadError> {
        let mut labels = self.labels.unwrap_or_default();
        if labels.contains_key("") {
            return Err(ReadError::LabelName);
        }
        labels.insert("__meta_filepath".to_owned(), Some(source.to_owned()));
        let labels = labels
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_deref().unwrap_or_default()));
        let targets = self.targets.unwrap_or_default().into_iter();
        Ok(TargetGroup {
            source: format!("{source}:{index}").into(),
            labels: labels.collect(),
            targets: targets
                .map(|a| LabelSet::from_iter([("__address__", a)]))
                .collect(),
        })
    }
}
