//! Files that the operator granted: patterns and paths are compared with their links followed.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use globset::{Glob, GlobBuilder, GlobMatcher};

use crate::limits::{MAX_FILE_BYTES, MAX_GLOB_ENTRIES};

/// Patterns of absolute paths.
#[derive(Debug)]
pub(crate) struct FileGrants {
    patterns: Vec<Pattern>,
}

/// A pattern, split where its first wildcard is.
#[derive(Debug, Clone)]
struct Pattern {
    /// Components without wildcards.
    fixed: PathBuf,
    /// The others.
    rest: Vec<String>,
}

/// Why a file is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileError {
    /// Not granted.
    Denied(String),
    /// Not an absolute path, or not a pattern.
    Invalid(String),
    /// Granted, and not there.
    NotFound(String),
    /// More than a limit.
    TooLarge(String),
    /// The operating system.
    Other(String),
}

// === impl FileGrants ===

impl FileGrants {
    /// From patterns with `*`, `**`, `?` and `[...]`.
    pub(crate) fn new(patterns: &[String]) -> Result<Self, String> {
        let patterns = patterns
            .iter()
            .map(|text| Pattern::parse(text).map_err(|why| format!("file grant `{text}` {why}")))
            .collect::<Result<_, _>>()?;
        Ok(Self { patterns })
    }

    /// The content of a granted regular file. Blocks.
    pub(crate) fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        let asked = absolute(path)?;
        let real = match fs::canonicalize(&asked) {
            Ok(real) => real,
            Err(error) => {
                // Whether an ungranted file exists is nobody's business.
                self.check(&resolve_deepest(&asked), path)?;
                return Err(from_io(path, &error));
            }
        };
        self.check(&real, path)?;
        read_real(&real, path)
    }

    /// The granted regular files that match, sorted, in the spelling of the pattern. Blocks.
    pub(crate) fn glob(&self, pattern: &str) -> Result<Vec<String>, FileError> {
        absolute(pattern)?;
        let parsed = Pattern::parse(pattern)
            .map_err(|why| FileError::Invalid(format!("`{pattern}` {why}")))?;
        // Judged by the patterns alone: an answer must not tell which ungranted files exist.
        if !self.patterns.iter().any(|grant| grant.may_meet(&parsed)) {
            return Err(denied(pattern));
        }
        let mut seen = 0;
        let mut found = BTreeSet::new();
        walk(&parsed.fixed, &parsed.rest, &mut seen, &mut found)?;
        Ok(found
            .into_iter()
            .filter(|path| fs::canonicalize(path).is_ok_and(|real| self.grants(&real)))
            .filter_map(|path| path.into_os_string().into_string().ok())
            .collect())
    }

    fn check(&self, real: &Path, asked: &str) -> Result<(), FileError> {
        if self.grants(real) {
            Ok(())
        } else {
            Err(denied(asked))
        }
    }

    /// Resolved anew each time: links move, and files appear after the grant was written.
    fn grants(&self, real: &Path) -> bool {
        self.patterns.iter().any(|pattern| {
            pattern
                .resolved()
                .is_some_and(|matcher| matcher.is_match(real))
        })
    }
}

// === impl Pattern ===

impl Pattern {
    fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with('/') {
            return Err("is not absolute".into());
        }
        if Path::new(text)
            .components()
            .any(|c| c == Component::ParentDir)
        {
            return Err("has `..` in it".into());
        }
        let mut parts = text
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".")
            .peekable();
        let mut fixed = PathBuf::from("/");
        while let Some(part) = parts.next_if(|part| !part.contains(['*', '?', '[', '{', '\\'])) {
            fixed.push(part);
        }
        let rest: Vec<_> = parts.map(str::to_owned).collect();
        for part in &rest {
            component(part).map_err(|e| format!("is not a pattern: {}", e.kind()))?;
        }
        Ok(Self { fixed, rest })
    }

    /// Whether one path could match both, as far as the fixed parts tell.
    fn may_meet(&self, other: &Self) -> bool {
        let (ours, theirs) = (resolve_deepest(&self.fixed), resolve_deepest(&other.fixed));
        ours.starts_with(&theirs) || theirs.starts_with(&ours)
    }

    /// The pattern with the links of its fixed part followed, the way a path's are.
    fn resolved(&self) -> Option<GlobMatcher> {
        let fixed = resolve_deepest(&self.fixed);
        let mut text = globset::escape(fixed.to_str()?.trim_end_matches('/'));
        for part in &self.rest {
            text.push('/');
            text.push_str(part);
        }
        GlobBuilder::new(&text)
            .literal_separator(true)
            .build()
            .ok()
            .map(|g| g.compile_matcher())
    }
}

fn component(part: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(part).literal_separator(true).build()
}

/// Follows the links of as much of the path as exists.
fn resolve_deepest(path: &Path) -> PathBuf {
    for ancestor in path.ancestors() {
        if let Ok(real) = fs::canonicalize(ancestor) {
            return match path.strip_prefix(ancestor) {
                Ok(rest) if rest.as_os_str().is_empty() => real,
                Ok(rest) => real.join(rest),
                Err(_) => path.to_owned(),
            };
        }
    }
    path.to_owned()
}

/// Every regular file below `base` whose further components match; links are followed.
fn walk(
    base: &Path,
    rest: &[String],
    seen: &mut usize,
    found: &mut BTreeSet<PathBuf>,
) -> Result<(), FileError> {
    let Some((part, further)) = rest.split_first() else {
        if fs::metadata(base).is_ok_and(|m| m.is_file()) {
            found.insert(base.to_owned());
        }
        return Ok(());
    };
    let deep = part == "**";
    if deep {
        walk(base, further, seen, found)?;
    }
    let Ok(matcher) = component(part).map(|glob| glob.compile_matcher()) else {
        return Ok(());
    };
    let Ok(entries) = fs::read_dir(base) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        *seen += 1;
        if *seen > MAX_GLOB_ENTRIES {
            return Err(FileError::TooLarge(format!(
                "the pattern leads through more than {MAX_GLOB_ENTRIES} files"
            )));
        }
        let path = base.join(entry.file_name());
        if deep {
            // Not through links, which may lead in circles.
            if entry.file_type().is_ok_and(|t| t.is_dir()) {
                walk(&path, rest, seen, found)?;
            }
        } else if matcher.is_match(entry.file_name()) {
            walk(&path, further, seen, found)?;
        }
    }
    Ok(())
}

/// Reads with a cap and without trusting the size: files of `/proc` say that they are empty.
fn read_real(real: &Path, asked: &str) -> Result<Vec<u8>, FileError> {
    let metadata = fs::symlink_metadata(real).map_err(|e| from_io(asked, &e))?;
    // Before opening: that alone would block on a pipe.
    if !metadata.is_file() {
        return Err(FileError::Invalid(format!(
            "`{asked}` is not a regular file"
        )));
    }
    let too_large = || {
        FileError::TooLarge(format!(
            "`{asked}` has more than the limit of {MAX_FILE_BYTES} bytes"
        ))
    };
    if metadata.len() > MAX_FILE_BYTES {
        return Err(too_large());
    }
    let file = fs::File::open(real).map_err(|e| from_io(asked, &e))?;
    let mut content = Vec::new();
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut content)
        .map_err(|e| from_io(asked, &e))?;
    if content.len() as u64 > MAX_FILE_BYTES {
        Err(too_large())
    } else {
        Ok(content)
    }
}

fn absolute(path: &str) -> Result<PathBuf, FileError> {
    if path.starts_with('/') && !path.contains('\0') {
        Ok(PathBuf::from(path))
    } else {
        Err(FileError::Invalid(format!(
            "`{path}` is not an absolute path"
        )))
    }
}

fn denied(asked: &str) -> FileError {
    FileError::Denied(format!(
        "file `{asked}` is not granted; to grant it, write `allow: {{files: [\"{asked}\"]}}` under \
         the plugin"
    ))
}

fn from_io(asked: &str, error: &io::Error) -> FileError {
    match error.kind() {
        io::ErrorKind::NotFound => FileError::NotFound(format!("file `{asked}` does not exist")),
        _ => FileError::Other(format!("failed to read `{asked}`: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    struct Home(tempfile::TempDir);

    impl Home {
        fn new() -> Self {
            let home = Self(tempfile::tempdir().unwrap());
            fs::create_dir_all(home.0.path().join("data/sub")).unwrap();
            for name in ["data/a.json", "data/b.json", "data/sub/c.json", "secret"] {
                fs::write(home.0.path().join(name), name).unwrap();
            }
            home
        }

        fn path(&self, name: &str) -> String {
            self.0.path().join(name).to_str().unwrap().to_owned()
        }

        fn grants(&self, patterns: &[&str]) -> FileGrants {
            FileGrants::new(&patterns.iter().map(|p| self.path(p)).collect::<Vec<_>>()).unwrap()
        }
    }

    #[test]
    fn granted_files_are_read_and_others_are_not() {
        let home = Home::new();
        let grants = home.grants(&["data/*.json"]);
        assert_eq!(
            grants.read(&home.path("data/a.json")).unwrap(),
            b"data/a.json"
        );
        for path in ["secret", "data/sub/c.json", "data/../secret"] {
            let error = grants.read(&home.path(path)).unwrap_err();
            assert!(matches!(error, FileError::Denied(_)), "{path}: {error:?}");
        }
    }

    #[test]
    fn a_link_leads_only_where_the_grant_does() {
        let home = Home::new();
        symlink(home.path("secret"), home.path("data/link.json")).unwrap();
        symlink(home.path("data"), home.path("alias")).unwrap();
        let grants = home.grants(&["data/*.json"]);
        assert!(matches!(
            grants.read(&home.path("data/link.json")),
            Err(FileError::Denied(_))
        ));
        // The same file by another way in, and a grant that is itself written through a link.
        assert!(grants.read(&home.path("alias/a.json")).is_ok());
        let through = home.grants(&["alias/*.json"]);
        assert!(through.read(&home.path("data/a.json")).is_ok());
        assert!(through.read(&home.path("alias/a.json")).is_ok());
    }

    #[test]
    fn files_of_proc_are_read_through_their_links() {
        let grants = FileGrants::new(&["/proc/net/tcp".into()]).unwrap();
        let table = String::from_utf8(grants.read("/proc/net/tcp").unwrap()).unwrap();
        assert!(table.contains("local_address"), "{table}");
        assert!(grants.read("/proc/self/net/tcp").is_ok());
        assert!(matches!(
            grants.read("/proc/self/environ"),
            Err(FileError::Denied(_))
        ));
    }

    #[test]
    fn whether_an_ungranted_file_exists_is_not_told() {
        let home = Home::new();
        let grants = home.grants(&["data/*.json"]);
        assert!(matches!(
            grants.read(&home.path("data/x.json")),
            Err(FileError::NotFound(_))
        ));
        assert!(matches!(
            grants.read(&home.path("nothing")),
            Err(FileError::Denied(_))
        ));
    }

    #[test]
    fn a_glob_lists_granted_files_sorted() {
        let home = Home::new();
        let grants = home.grants(&["data/*.json"]);
        let expected = vec![home.path("data/a.json"), home.path("data/b.json")];
        assert_eq!(grants.glob(&home.path("data/*")).unwrap(), expected);
        assert_eq!(grants.glob(&home.path("**/*.json")).unwrap(), expected);
        assert_eq!(
            grants.glob(&home.path("data/*.yml")).unwrap(),
            Vec::<String>::new()
        );
        assert_eq!(
            grants.glob(&home.path("sec*")).unwrap(),
            Vec::<String>::new()
        );
        assert!(matches!(grants.glob("/etc/*"), Err(FileError::Denied(_))));
        let nothing = FileGrants::new(&[]).unwrap();
        assert!(matches!(
            nothing.glob(&home.path("data/*.yml")),
            Err(FileError::Denied(_))
        ));
    }

    #[test]
    fn only_regular_files_are_read() {
        let home = Home::new();
        let grants = home.grants(&["**"]);
        let error = grants.read(&home.path("data")).unwrap_err();
        assert!(matches!(error, FileError::Invalid(_)), "{error:?}");
        assert!(matches!(grants.read("data"), Err(FileError::Invalid(_))));
    }

    #[test]
    fn a_file_past_the_limit_is_refused() {
        let home = Home::new();
        let big = fs::File::create(home.path("data/big.json")).unwrap();
        big.set_len(MAX_FILE_BYTES + 1).unwrap();
        let error = home
            .grants(&["data/*"])
            .read(&home.path("data/big.json"))
            .unwrap_err();
        assert!(matches!(error, FileError::TooLarge(_)), "{error:?}");
    }

    #[test]
    fn a_relative_grant_is_refused() {
        assert!(
            FileGrants::new(&["data/*".into()])
                .unwrap_err()
                .contains("`data/*`")
        );
        assert!(FileGrants::new(&["/data/../*".into()]).is_err());
    }
}
