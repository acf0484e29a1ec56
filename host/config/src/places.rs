//! Where every key of a file stands, for those who find mistakes later than we do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::diagnostic::Diagnostic;
use crate::yaml::{Report, Value};

/// Values beyond this number are not remembered; what is wrong in them is shown at a parent.
const LIMIT: usize = 100_000;

/// The places of a file's values by their key paths. A plugin's schema is checked after the file
/// was read; its problems come with a JSON pointer into a section.
#[derive(Clone, Debug, Default)]
pub struct Places {
    file: PathBuf,
    /// Line and column by path, such as `scrape_configs[0].job_name`.
    marks: BTreeMap<String, (usize, usize)>,
    /// Included files with what the paths of their keys begin with.
    included: Vec<(String, PathBuf)>,
}

// === impl Places ===

impl Places {
    pub(crate) fn of(root: Option<&Value<'_>>, file: &Path) -> Self {
        let mut places = Self {
            file: file.to_path_buf(),
            ..Self::default()
        };
        if let Some(root) = root {
            places.add_root(root, "");
        }
        places
    }

    /// Adds the values of an included file, whose paths begin with `prefix`.
    pub(crate) fn add_file(&mut self, root: &Value<'_>, file: &Path, prefix: &str) {
        self.included.push((prefix.to_owned(), file.to_path_buf()));
        self.add_root(root, prefix);
    }

    /// File and line of the key at this path, if it is written.
    #[must_use]
    pub fn line(&self, key_path: &str) -> Option<(&Path, usize)> {
        let (line, _) = self.marks.get(key_path)?;
        let (file, _) = self.file_of(key_path);
        Some((file, *line))
    }

    /// An error at `pointer`, a JSON pointer (`/ports/0/name`), below the key at `key_path`. Where
    /// the file has no such value, it is shown at the nearest parent.
    #[must_use]
    pub fn diagnostic(
        &self,
        key_path: &str,
        pointer: &str,
        message: impl Into<String>,
    ) -> Diagnostic {
        let mut path = key_path.to_owned();
        let mut place = self.marks.get(key_path).copied();
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            let element = format!("{path}[{part}]");
            let is_element = self.marks.contains_key(&element);
            path = if is_element {
                element
            } else {
                format!("{path}.{part}")
            };
            place = self.marks.get(&path).copied().or(place);
        }
        let (line, column) = place.unwrap_or_default();
        let (file, path) = self.file_of(&path);
        Diagnostic {
            file: file.to_path_buf(),
            line,
            column,
            key_path: path.to_owned(),
            message: message.into(),
            hint: None,
        }
    }

    /// The file that a path of keys leads into, and the path within it.
    fn file_of<'p>(&self, path: &'p str) -> (&Path, &'p str) {
        let mut included = self.included.iter();
        included
            .find_map(|(prefix, file)| Some((file.as_path(), path.strip_prefix(prefix)?)))
            .unwrap_or((&self.file, path))
    }

    fn add_root(&mut self, root: &Value<'_>, prefix: &str) {
        // What is wrong was reported by those who read the values.
        let quiet = Report::default();
        let root = Value {
            node: root.node,
            path: String::new(),
            report: &quiet,
        };
        self.add(&root, prefix);
    }

    fn add(&mut self, value: &Value<'_>, prefix: &str) {
        if self.marks.len() >= LIMIT {
            return;
        }
        let mark = value.mark();
        let path = format!("{prefix}{}", value.path);
        self.marks.insert(path, (mark.line, mark.column));
        for child in value.children() {
            self.add(&child, prefix);
        }
    }
}
