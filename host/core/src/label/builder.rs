//! Labels under change: a base set and what was changed since.

use std::cmp::Ordering;
use std::ops::Range;

use super::LabelSet;
use super::packed::Packer;

/// Labels under change, at most one value for a name.
///
/// Keeps the set it began with and, beside it, the changes in one text, so that a rule's change
/// allocates nothing once that text has grown. [`LabelBuilder::reset`] begins anew in the same
/// memory.
#[derive(Clone, Debug, Default)]
pub struct LabelBuilder {
    base: LabelSet,
    /// Sorted by name.
    edits: Vec<Edit>,
    /// Names and values of the edits; replaced ones stay until the next reset.
    text: String,
    /// How many labels were added.
    added: u32,
    /// The target's own labels among those of the base, if that is known.
    own: Option<LabelSet>,
    scratch: Scratch,
}

/// Memory for rules that must compute a text before they can set it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch {
    /// The joined values of the source labels.
    pub(crate) value: String,
    /// An expanded name.
    pub(crate) name: String,
    /// An expanded value, or the texts of several new labels.
    pub(crate) text: String,
    /// New labels in `text`.
    pub(crate) copies: Vec<Copied>,
}

/// A label that a rule is about to set: its name and its value stand one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Copied {
    /// When upstream would come to the label that it is copied from.
    pub(crate) turn: u32,
    pub(crate) start: usize,
    pub(crate) name_end: usize,
    pub(crate) end: usize,
}

#[derive(Clone, Debug)]
struct Edit {
    name: Range<usize>,
    /// `None`: the label was removed.
    value: Option<Range<usize>>,
    /// When the label was added; `None` if it only changed its value.
    added: Option<u32>,
}

/// The labels of a builder, in ascending order of their names.
#[derive(Clone, Debug)]
pub struct BuilderIter<'a> {
    builder: &'a LabelBuilder,
    base: usize,
    edit: usize,
}

// === impl LabelBuilder ===

impl LabelBuilder {
    /// A builder that starts from the labels of `set`.
    #[must_use]
    pub fn from_set(set: &LabelSet) -> Self {
        Self {
            base: set.clone(),
            ..Self::default()
        }
    }

    /// Begins anew from the labels of `set`.
    pub fn reset(&mut self, set: &LabelSet) {
        self.base = set.clone();
        self.edits.clear();
        self.text.clear();
        self.added = 0;
        self.own = None;
    }

    /// Tells which of the labels are a target's own, and not its group's. Upstream visits these
    /// first, which decides where a rule gives two labels one name.
    pub fn set_own(&mut self, target: &LabelSet) {
        self.own = Some(target.clone());
    }

    /// The value of a label; `None` if absent.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        if !self.edits.is_empty()
            && let Ok(at) = self.find(name)
        {
            return self.edits[at].value.clone().map(|value| &self.text[value]);
        }
        self.base.get(name)
    }

    /// Sets a label, also to the empty value.
    pub fn set(&mut self, name: &str, value: &str) {
        let (at, is_new) = match self.find(name) {
            Ok(at) => (
                at,
                self.edits[at].value.as_ref().is_none_or(Range::is_empty),
            ),
            Err(at) => {
                let known = self.base.get(name);
                if known == Some(value) {
                    return;
                }
                let is_new = known.is_none_or(str::is_empty);
                self.insert(at, name);
                (at, is_new)
            }
        };
        let value = self.push(value);
        let edit = &mut self.edits[at];
        edit.value = Some(value);
        if is_new {
            edit.added = Some(self.added);
            self.added += 1;
        }
    }

    /// Removes a label.
    pub fn remove(&mut self, name: &str) {
        match self.find(name) {
            Ok(at) => self.edits[at].value = None,
            Err(at) if self.base.get(name).is_some() => self.insert(at, name),
            Err(_) => {}
        }
    }

    /// Removes every label whose name does not please `keep`.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        for edit in &mut self.edits {
            if edit.value.is_some() && !keep(&self.text[edit.name.clone()]) {
                edit.value = None;
            }
        }
        let base = self.base.clone();
        for (name, _) in &base {
            // Edited ones were asked above.
            if let Err(at) = self.find(name)
                && !keep(name)
            {
                self.insert(at, name);
            }
        }
    }

    /// The labels in ascending order of their names, those with an empty value too.
    pub fn iter(&self) -> BuilderIter<'_> {
        BuilderIter {
            builder: self,
            base: 0,
            edit: 0,
        }
    }

    /// The finished set, without labels whose value is empty.
    #[must_use]
    pub fn build(&self) -> LabelSet {
        if self.edits.is_empty() && self.base.iter().all(|(_, value)| !value.is_empty()) {
            return self.base.clone();
        }
        let mut packer = Packer::default();
        for (name, value) in self {
            if !value.is_empty() {
                packer.push(name, value);
            }
        }
        packer.finish()
    }

    /// When upstream comes to a label as it visits all of them: first the target's own, then its
    /// group's, each in any order, then those that were added, in the order in which they were.
    pub(crate) fn turn(&self, name: &str) -> u32 {
        const ADDED: u32 = 2;
        let edit = self.find(name).ok().map(|at| &self.edits[at]);
        if let Some(added) = edit.and_then(|edit| edit.added) {
            return ADDED.saturating_add(added);
        }
        u32::from(self.own.as_ref().is_some_and(|own| own.get(name).is_none()))
    }

    /// Lends out the scratch memory; to be given back by [`LabelBuilder::give_scratch`].
    pub(crate) fn take_scratch(&mut self) -> Scratch {
        std::mem::take(&mut self.scratch)
    }

    pub(crate) fn give_scratch(&mut self, scratch: Scratch) {
        self.scratch = scratch;
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.edits
            .binary_search_by(|edit| self.text[edit.name.clone()].cmp(name))
    }

    /// Makes room for a change of `name` at `at`, for now a removal.
    fn insert(&mut self, at: usize, name: &str) {
        let name = self.push(name);
        self.edits.insert(
            at,
            Edit {
                name,
                value: None,
                added: None,
            },
        );
    }

    fn push(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.push_str(text);
        start..self.text.len()
    }
}

impl<'a> IntoIterator for &'a LabelBuilder {
    type Item = (&'a str, &'a str);
    type IntoIter = BuilderIter<'a>;

    fn into_iter(self) -> BuilderIter<'a> {
        self.iter()
    }
}

// === impl BuilderIter ===

impl<'a> Iterator for BuilderIter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let LabelBuilder {
            base, edits, text, ..
        } = self.builder;
        loop {
            let edit = edits.get(self.edit);
            let edited = edit.map(|edit| &text[edit.name.clone()]);
            let known = (self.base < base.len()).then(|| base.name(self.base));
            let order = match (known, edited) {
                (None, None) => return None,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(known), Some(edited)) => known.cmp(edited),
            };
            if order != Ordering::Greater {
                self.base += 1;
            }
            if order == Ordering::Less {
                return known.map(|known| (known, base.value(self.base - 1)));
            }
            self.edit += 1;
            let value = edit.and_then(|edit| edit.value.clone());
            if let (Some(edited), Some(value)) = (edited, value) {
                return Some((edited, &text[value]));
            }
        }
    }
}
