//! Labels under change: a base set and what was changed since.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering as Access};

use super::packed::Packer;
use super::{Iter, LabelSet};

/// Labels under change, at most one value for a name.
///
/// Keeps the set it began with and, beside it, the changes in one text, so that a change allocates
/// nothing once that text has grown. [`LabelBuilder::reset`] begins anew in the same memory.
#[derive(Clone, Debug, Default)]
pub struct LabelBuilder {
    base: LabelSet,
    /// What became of each label of the base; empty as long as nothing did.
    changes: Vec<Change>,
    /// Labels that are not in the base, sorted by name.
    added: Vec<Added>,
    /// The changed values and added names; replaced ones stay until the next reset.
    text: String,
    /// How many labels were ever added.
    additions: u32,
    /// The target's own labels among those of the base, if that is known.
    own: Option<LabelSet>,
    scratch: Scratch,
}

/// The name of a label that is looked up again and again, in sets that mostly have the same names.
#[derive(Debug)]
pub(crate) struct LabelRef {
    name: String,
    /// Where the name was found last, or would have been.
    hint: AtomicUsize,
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

#[derive(Clone, Debug, PartialEq)]
enum Change {
    None,
    Value(Range<usize>),
    Removed,
    /// Removed, and added again later.
    Again(Range<usize>, u32),
}

#[derive(Clone, Debug)]
struct Added {
    name: Range<usize>,
    /// The place in the base before which the label stands.
    before: usize,
    value: Range<usize>,
    /// The number of this addition.
    number: u32,
}

/// Where a builder has a label: among those of its base or those that were added.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    Base(usize),
    Added(usize),
}

/// The labels of a builder, in ascending order of their names.
#[derive(Clone, Debug)]
pub struct BuilderIter<'a> {
    builder: &'a LabelBuilder,
    base: Iter<'a>,
    /// The next label of the base, and its place.
    known: Option<(&'a str, &'a str)>,
    place: usize,
    added: usize,
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
        self.base.clone_from(set);
        self.changes.clear();
        self.added.clear();
        self.text.clear();
        self.additions = 0;
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
        self.get_at(name, self.base.names.find(name))
    }

    /// Sets a label, also to the empty value.
    pub fn set(&mut self, name: &str, value: &str) {
        self.set_at(name, self.base.names.find(name), value);
    }

    /// Removes a label.
    pub fn remove(&mut self, name: &str) {
        self.remove_at(name, self.base.names.find(name));
    }

    /// As [`LabelBuilder::get`].
    pub(crate) fn get_ref(&self, label: &LabelRef) -> Option<&str> {
        self.get_at(&label.name, label.find(&self.base))
    }

    /// As [`LabelBuilder::set`].
    pub(crate) fn set_to(&mut self, label: &LabelRef, value: &str) {
        self.set_at(&label.name, label.find(&self.base), value);
    }

    /// As [`LabelBuilder::set`], but for Prometheus a label without a value is absent.
    pub(crate) fn set_ref(&mut self, label: &LabelRef, value: &str) {
        let place = label.find(&self.base);
        if value.is_empty() {
            self.remove_at(&label.name, place);
        } else {
            self.set_at(&label.name, place, value);
        }
    }

    /// Removes every label whose name does not please `keep`.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        let text = &self.text;
        self.added.retain(|added| keep(&text[added.name.clone()]));
        for place in 0..self.base.len() {
            if self.change(place) != &Change::Removed && !keep(self.base.name(place)) {
                *self.change_mut(place) = Change::Removed;
            }
        }
    }

    /// Removes every label whose name begins with `prefix`.
    pub fn remove_prefix(&mut self, prefix: &str) {
        let text = &self.text;
        self.added
            .retain(|added| !text[added.name.clone()].starts_with(prefix));
        for place in self.base.names.lower_bound(prefix)..self.base.len() {
            if !self.base.name(place).starts_with(prefix) {
                break;
            }
            *self.change_mut(place) = Change::Removed;
        }
    }

    /// The labels in ascending order of their names, those with an empty value too.
    pub fn iter(&self) -> BuilderIter<'_> {
        self.iter_from("")
    }

    /// The labels whose names are not less than `name`.
    pub(crate) fn iter_from(&self, name: &str) -> BuilderIter<'_> {
        // Nothing is less than an empty name; comparing with one is dear, see `regex::shape`.
        let (place, added) = if name.is_empty() {
            (0, 0)
        } else {
            let is_less = |added: &Added| &self.text[added.name.clone()] < name;
            (
                self.base.names.lower_bound(name),
                self.added.partition_point(is_less),
            )
        };
        let mut base = self.base.iter_at(place);
        let known = base.next();
        BuilderIter {
            builder: self,
            base,
            known,
            place,
            added,
        }
    }

    /// The finished set, without labels whose value is empty.
    #[must_use]
    pub fn build(&self) -> LabelSet {
        let is_unchanged = self.changes.is_empty() && self.added.is_empty();
        if is_unchanged && self.base.iter().all(|(_, value)| !value.is_empty()) {
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
    pub(crate) fn turn(&self, name: &str, place: Place) -> u32 {
        const ADDED: u32 = 2;
        let number = match place {
            Place::Base(place) => match self.change(place) {
                Change::Again(_, number) => Some(*number),
                _ => None,
            },
            Place::Added(at) => self.added.get(at).map(|added| added.number),
        };
        match number {
            Some(number) => ADDED.saturating_add(number),
            None => u32::from(self.own.as_ref().is_some_and(|own| own.get(name).is_none())),
        }
    }

    /// Lends out the scratch memory; to be given back by [`LabelBuilder::give_scratch`].
    pub(crate) fn take_scratch(&mut self) -> Scratch {
        std::mem::take(&mut self.scratch)
    }

    pub(crate) fn give_scratch(&mut self, scratch: Scratch) {
        self.scratch = scratch;
    }

    /// As [`LabelBuilder::get`], with the name's place in the base.
    fn get_at(&self, name: &str, place: Result<usize, usize>) -> Option<&str> {
        match place {
            Ok(place) => match self.change(place) {
                Change::None => Some(self.base.value(place)),
                Change::Value(value) | Change::Again(value, _) => Some(&self.text[value.clone()]),
                Change::Removed => None,
            },
            Err(_) if self.added.is_empty() => None,
            Err(_) => {
                let at = self.find_added(name).ok()?;
                Some(&self.text[self.added[at].value.clone()])
            }
        }
    }

    fn set_at(&mut self, name: &str, place: Result<usize, usize>, value: &str) {
        let number = self.additions;
        match place {
            Ok(place) => {
                let was_empty = self.get_at(name, Ok(place)).is_none_or(str::is_empty);
                let value = self.push(value);
                self.additions += u32::from(was_empty);
                let change = self.change_mut(place);
                *change = match change {
                    Change::Again(_, number) if !was_empty => Change::Again(value, *number),
                    _ if was_empty => Change::Again(value, number),
                    _ => Change::Value(value),
                };
            }
            Err(before) => match self.find_added(name) {
                Ok(at) => {
                    let was_empty = self.added[at].value.is_empty();
                    let value = self.push(value);
                    self.additions += u32::from(was_empty);
                    let added = &mut self.added[at];
                    added.value = value;
                    if was_empty {
                        added.number = number;
                    }
                }
                Err(at) => {
                    let (value, name) = (self.push(value), self.push(name));
                    self.additions += 1;
                    let added = Added {
                        name,
                        before,
                        value,
                        number,
                    };
                    self.added.insert(at, added);
                }
            },
        }
    }

    fn remove_at(&mut self, name: &str, place: Result<usize, usize>) {
        match place {
            Ok(place) => *self.change_mut(place) = Change::Removed,
            Err(_) => {
                if let Ok(at) = self.find_added(name) {
                    self.added.remove(at);
                }
            }
        }
    }

    fn change(&self, place: usize) -> &Change {
        self.changes.get(place).unwrap_or(&Change::None)
    }

    fn change_mut(&mut self, place: usize) -> &mut Change {
        if self.changes.is_empty() {
            self.changes.resize(self.base.len(), Change::None);
        }
        &mut self.changes[place]
    }

    fn find_added(&self, name: &str) -> Result<usize, usize> {
        // Rules like `labelmap` add one after the other in order.
        if let Some(last) = self.added.last()
            && self.text[last.name.clone()] < *name
        {
            return Err(self.added.len());
        }
        self.added
            .binary_search_by(|added| self.text[added.name.clone()].cmp(name))
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

// === impl LabelRef ===

impl LabelRef {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            hint: AtomicUsize::new(0),
        }
    }

    /// Whether this is the name.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name == name
    }

    /// The name's place in `set`, or where it would be.
    fn find(&self, set: &LabelSet) -> Result<usize, usize> {
        // Any value does: it is only where to look first.
        let hint = self.hint.load(Access::Relaxed);
        let place = set.names.find_near(&self.name, hint);
        let (Ok(at) | Err(at)) = place;
        if at != hint {
            self.hint.store(at, Access::Relaxed);
        }
        place
    }
}

// === impl BuilderIter ===

impl<'a> BuilderIter<'a> {
    /// The next label, and where it is.
    pub(crate) fn next_with_place(&mut self) -> Option<(&'a str, &'a str, Place)> {
        let LabelBuilder { added, text, .. } = self.builder;
        loop {
            // Places are compared, not names: that was done when the label was added.
            let next = added.get(self.added);
            if let Some(next) = next.filter(|next| next.before <= self.place) {
                let at = Place::Added(self.added);
                self.added += 1;
                return Some((&text[next.name.clone()], &text[next.value.clone()], at));
            }
            let (name, value) = self.known?;
            let place = self.place;
            self.known = self.base.next();
            self.place += 1;
            let value = match self.builder.change(place) {
                Change::None => value,
                Change::Value(value) | Change::Again(value, _) => &text[value.clone()],
                Change::Removed => continue,
            };
            return Some((name, value, Place::Base(place)));
        }
    }
}

impl<'a> Iterator for BuilderIter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value, _) = self.next_with_place()?;
        Some((name, value))
    }
}
