//! `file_sd_configs`.

use std::time::Duration;

use periplus_core::ContentHash;
use periplus_core::hash::ContentHasher;

use crate::read::{Context, duration, path, quoted};
use crate::section::{FileSection, SectionKind};
use crate::yaml::Value;

/// Reads one section.
pub(super) fn read(value: &Value<'_>, context: &Context<'_>) -> Option<(ContentHash, SectionKind)> {
    let mut fields = value.fields()?;
    let files = fields.read("files", |value| read_file_names(&value));
    let refresh_interval = fields.read("refresh_interval", |value| duration(&value));
    // Zero, which upstream accepts and then dies of, is as if nothing were written.
    let refresh_interval = refresh_interval
        .filter(|interval| !interval.is_zero())
        .map_or(Duration::from_mins(5), |interval| interval.0);
    if !fields.finish() {
        return None;
    }
    let files = files.unwrap_or_default();
    if files.is_empty() {
        fields.place(&["files"]).error_with(
            "file service discovery config must contain at least one path name",
            "add `files: [targets/*.yml]`",
        );
        return None;
    }
    let mut clean = true;
    for (name, value) in files.iter().filter(|(name, _)| !is_file_pattern(name)) {
        clean = false;
        value.error_with(
            format!("path name {} is not valid for file discovery", quoted(name)),
            "names end in .json, .yml or .yaml, with `*` in the last part alone",
        );
    }
    if !clean {
        return None;
    }
    let patterns = files
        .iter()
        .map(|(name, _)| path::join(context.directory, name))
        .collect();
    let section = FileSection {
        patterns,
        refresh_interval,
    };
    let mut hasher = ContentHasher::default();
    hasher
        .field(b"file")
        .number(section.refresh_interval.as_millis() as u64);
    for pattern in &section.patterns {
        hasher.field(pattern.as_os_str().as_encoded_bytes());
    }
    Some((hasher.finish(), SectionKind::File(section)))
}

fn read_file_names<'a>(value: &Value<'a>) -> Option<Vec<(String, Value<'a>)>> {
    value.list("[]string", |item| Some((item.string()?, item)))
}

/// `^[^*]*(\*[^/]*)?\.(json|yml|yaml|JSON|YML|YAML)$`
fn is_file_pattern(name: &str) -> bool {
    let suffixes = [".json", ".yml", ".yaml", ".JSON", ".YML", ".YAML"];
    let Some(stem) = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)) else {
        return false;
    };
    stem.split_once('*')
        .is_none_or(|(_, tail)| !tail.contains('/'))
}
