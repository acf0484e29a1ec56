//! Paths relative to the configuration file.

use std::path::{Path, PathBuf};

/// Joins a path with the configuration's directory and cleans it, as upstream's `JoinDir`: an empty
/// or absolute path stays as it is.
pub(super) fn join(directory: &Path, path: &str) -> PathBuf {
    if path.is_empty() || path.starts_with('/') {
        return PathBuf::from(path);
    }
    let directory = directory.to_string_lossy();
    if directory.is_empty() {
        return PathBuf::from(clean(path));
    }
    PathBuf::from(clean(&format!("{directory}/{path}")))
}

/// Like [`join`], with nothing for an empty path.
pub(super) fn join_some(directory: &Path, path: &str) -> Option<PathBuf> {
    (!path.is_empty()).then(|| join(directory, path))
}

/// Go's `filepath.Clean`: by the text alone, links are not followed.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_are_joined_and_cleaned() {
        for (directory, path, expected) in [
            ("", "a.yml", "a.yml"),
            (".", "./a.yml", "a.yml"),
            ("conf", "a/*.yml", "conf/a/*.yml"),
            ("conf", "../a.yml", "a.yml"),
            ("..", "../a.yml", "../../a.yml"),
            ("/etc/p", "../../../a.yml", "/a.yml"),
            ("/etc/p", "/a//b", "/a//b"),
            ("/etc/p", "", ""),
        ] {
            assert_eq!(
                join(Path::new(directory), path),
                Path::new(expected),
                "{directory} {path}"
            );
        }
    }
}
