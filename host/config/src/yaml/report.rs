//! Collects what is wrong while a tree is walked.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::node::{Mark, Node};
use crate::diagnostic::{ConfigErrors, Diagnostic};

/// The errors and warnings of one file.
#[derive(Debug, Default)]
pub(crate) struct Report {
    file: PathBuf,
    errors: RefCell<Vec<Diagnostic>>,
    warnings: RefCell<Vec<Diagnostic>>,
    count: Cell<usize>,
    seen: RefCell<HashSet<(usize, usize, String, String)>>,
    texts: RefCell<HashSet<*const Node>>,
    /// What is wrong in files that this one includes, in the order in which they are read.
    included: RefCell<Vec<Diagnostic>>,
}

// === impl Report ===

impl Report {
    pub(crate) fn new(file: &Path) -> Self {
        Self {
            file: file.to_path_buf(),
            ..Self::default()
        }
    }

    /// The file that is walked.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Takes over what was found in an included file.
    pub(crate) fn absorb(&self, outcome: Result<Vec<Diagnostic>, ConfigErrors>) {
        match outcome {
            Ok(warnings) => self.warnings.borrow_mut().extend(warnings),
            Err(errors) => self.included.borrow_mut().extend(errors.0),
        }
    }

    /// How many errors there are so far: a caller that finds more than before leaves out checks
    /// that would only repeat what is known.
    pub(crate) fn count(&self) -> usize {
        self.count.get()
    }

    /// Remembers that a type took this node for text, whatever it looks like.
    pub(super) fn is_text(&self, node: &Rc<Node>) {
        self.texts.borrow_mut().insert(Rc::as_ptr(node));
    }

    /// Whether a type took this node for text.
    pub(super) fn was_text(&self, node: &Rc<Node>) -> bool {
        self.texts.borrow().contains(&Rc::as_ptr(node))
    }

    pub(crate) fn error(&self, mark: Mark, path: &str, message: String, hint: Option<String>) {
        let diagnostic = self.diagnostic(mark, path, message, hint);
        self.count.set(self.count.get() + 1);
        // Two readers of one node, or an alias, may find the same mistake.
        let key = (
            mark.line,
            mark.column,
            path.to_owned(),
            diagnostic.message.clone(),
        );
        let is_new = self.seen.borrow_mut().insert(key);
        if is_new {
            self.errors.borrow_mut().push(diagnostic);
        }
    }

    /// Adds errors that a later check found.
    pub(crate) fn add(&self, errors: Vec<Diagnostic>) {
        self.count.set(self.count.get() + errors.len());
        self.errors.borrow_mut().extend(errors);
    }

    pub(crate) fn warning(&self, mark: Mark, path: &str, message: String, hint: Option<String>) {
        let diagnostic = self.diagnostic(mark, path, message, hint);
        self.warnings.borrow_mut().push(diagnostic);
    }

    /// The warnings, or all errors in the order of the file, and then of those that it includes.
    pub(crate) fn finish(self) -> Result<Vec<Diagnostic>, ConfigErrors> {
        let (mut errors, included) = (self.errors.into_inner(), self.included.into_inner());
        if errors.is_empty() && included.is_empty() {
            return Ok(self.warnings.into_inner());
        }
        errors.extend(included);
        Err(ConfigErrors::in_order(&self.file, errors))
    }

    fn diagnostic(
        &self,
        mark: Mark,
        path: &str,
        message: String,
        hint: Option<String>,
    ) -> Diagnostic {
        Diagnostic {
            file: self.file.clone(),
            line: mark.line,
            column: mark.column,
            key_path: path.to_owned(),
            message,
            hint,
        }
    }
}
