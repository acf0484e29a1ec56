//! `scrape_config_files`: which files they are, and their text.

use std::io;
use std::path::{Path, PathBuf};

use globset::GlobBuilder;

use super::jobs::{Jobs, key_prefix};
use super::{Context, path, quoted};
use crate::places::Places;
use crate::text;
use crate::yaml::{self, Report, Value};

/// Reads the jobs of every file that the patterns mean. What is wrong goes to the file's own report
/// and from there to the main one.
pub(super) fn read(
    patterns: &[(String, Value<'_>)],
    jobs: &mut Jobs<'_>,
    context: &Context<'_>,
    places: &mut Places,
) {
    for (pattern, value) in patterns {
        let joined = path::join(context.directory, pattern);
        match files(&joined) {
            Ok(found) => {
                if found.is_empty() {
                    value.warn_with(
                        format!("no file matches {}", quoted(pattern)),
                        "a relative path begins at the folder of this file",
                    );
                }
                for file in found {
                    read_file(&file, jobs, context, places, value.report);
                }
            }
            Err(message) => value.error(format!(
                "error retrieving scrape config files for {}: {message}",
                quoted(&joined.to_string_lossy())
            )),
        }
    }
}

fn read_file(
    file: &Path,
    jobs: &mut Jobs<'_>,
    context: &Context<'_>,
    places: &mut Places,
    main: &Report,
) {
    let text = match text::read(file) {
        Ok(text) => text,
        Err(error) => return main.absorb(Err(error)),
    };
    let report = Report::new(file);
    let node = yaml::parse(&text, &report);
    if let Some(node) = &node {
        let root = Value {
            node,
            path: String::new(),
            report: &report,
        };
        places.add_file(&root, file, &key_prefix(file));
        if !root.is_null() {
            jobs.read_included(&root, file, context);
        }
    }
    main.absorb(report.finish());
}

/// The files that a pattern means now, as Go's `filepath.Glob` finds them, but for folders that cannot
/// be read: those are an error, since jobs would be lost without a word.
fn files(pattern: &Path) -> Result<Vec<PathBuf>, String> {
    if pattern.as_os_str().is_empty() {
        return Ok(vec![PathBuf::new()]);
    }
    let name = pattern.file_name().and_then(|name| name.to_str());
    let Some(name) = name.filter(|_| has_wildcard(&pattern.to_string_lossy())) else {
        // As a link, so that a dangling one is an error and no absence.
        return match pattern.symlink_metadata() {
            Ok(_) => Ok(vec![pattern.to_path_buf()]),
            Err(error) if is_absent(&error) => Ok(Vec::new()),
            Err(error) => Err(error.to_string()),
        };
    };
    let glob = GlobBuilder::new(&name.replace('{', "[{]").replace('}', "[}]"))
        .literal_separator(true)
        .backslash_escape(true)
        .build()
        .map_err(|_| "syntax error in pattern".to_owned())?
        .compile_matcher();
    let parent = pattern.parent().unwrap_or(Path::new(""));
    let mut found = Vec::new();
    for folder in files(parent)? {
        let here = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &folder
        };
        let mut names = match names_in(here) {
            Ok(names) => names,
            Err(error) if is_absent(&error) => continue,
            Err(error) => {
                return Err(format!(
                    "failed to read folder `{}`: {error}",
                    here.display()
                ));
            }
        };
        names.retain(|name| glob.is_match(name));
        names.sort_unstable();
        found.extend(names.iter().map(|name| folder.join(name)));
    }
    Ok(found)
}

fn names_in(folder: &Path) -> io::Result<Vec<std::ffi::OsString>> {
    std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect()
}

fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?', '[', '\\'])
}

/// Nothing there, or something that is no folder on the way.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_the_files_that_are_there() {
        let home = tempfile::tempdir().unwrap();
        for folder in ["a", "b", "a/deep.yml"] {
            std::fs::create_dir(home.path().join(folder)).unwrap();
        }
        for file in [
            "a/1.yml",
            "a/2.yml",
            "a/.yml",
            "a/2.json",
            "b/1.yml",
            "a/{x}.yml",
        ] {
            std::fs::write(home.path().join(file), "").unwrap();
        }
        let found = |pattern: &str| {
            let files = files(&home.path().join(pattern)).unwrap();
            let names = files.iter().map(|file| {
                let name = file.strip_prefix(home.path()).unwrap();
                name.to_str().unwrap().to_owned()
            });
            names.collect::<Vec<_>>().join(" ")
        };
        for (pattern, expected) in [
            ("a/1.yml", "a/1.yml"),
            ("a/9.yml", ""),
            ("z/*.yml", ""),
            ("a/1.yml/*", ""),
            ("a/*.yml", "a/.yml a/1.yml a/2.yml a/deep.yml a/{x}.yml"),
            ("a/[12].yml", "a/1.yml a/2.yml"),
            ("a/?.yml", "a/1.yml a/2.yml"),
            ("a/{x}*.yml", "a/{x}.yml"),
            ("[ab]/1.yml", "a/1.yml b/1.yml"),
            ("[b]/*", "b/1.yml"),
        ] {
            assert_eq!(found(pattern), expected, "{pattern}");
        }
        let error = files(&home.path().join("a/[1.yml")).unwrap_err();
        assert_eq!(error, "syntax error in pattern");
    }
}
