//! The keys of a structure, asked for one by one.

use std::borrow::Cow;
use std::collections::HashSet;
use std::rc::Rc;

use super::node::{Content, Mark, Node};
use super::report::Report;
use super::value::Value;

/// The keys of one mapping that stands for a structure. Whoever reads it takes each key that the
/// structure has and then calls [`finish`](Self::finish), which reports the keys left over.
pub(crate) struct Fields<'a> {
    pub(crate) value: Value<'a>,
    entries: Vec<Entry<'a>>,
    known: Vec<Cow<'static, str>>,
    has_merges: bool,
    errors_before: usize,
}

struct Entry<'a> {
    key: String,
    mark: Mark,
    value: Value<'a>,
    taken: bool,
}

// === impl Fields ===

impl<'a> Fields<'a> {
    pub(super) fn empty(value: Value<'a>) -> Self {
        let errors_before = value.report.count();
        Self {
            value,
            entries: Vec::new(),
            known: Vec::new(),
            has_merges: false,
            errors_before,
        }
    }

    pub(super) fn new(value: Value<'a>, pairs: &'a [(Rc<Node>, Rc<Node>)]) -> Self {
        let mut fields = Self::empty(value);
        fields.collect(pairs);
        fields
    }

    /// The value of a key, if it is written.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Value<'a>> {
        self.known.push(key.into());
        let entry = self.entries.iter_mut().find(|entry| entry.key == key)?;
        entry.taken = true;
        Some(entry.value.clone())
    }

    /// Whether a key is written.
    pub(crate) fn is_written(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    /// Reads the value of a key; `None` if it is not written or does not fit.
    pub(crate) fn read<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(Value<'a>) -> Option<T>,
    ) -> Option<T> {
        self.take(key).and_then(read)
    }

    /// Text; empty if it is not written.
    pub(crate) fn string(&mut self, key: &'static str) -> String {
        self.read(key, |value| value.string()).unwrap_or_default()
    }

    /// A truth; `default` if it is not written.
    pub(crate) fn bool(&mut self, key: &'static str, default: bool) -> bool {
        self.read(key, |value| value.bool()).unwrap_or(default)
    }

    /// A whole number; zero if it is not written.
    pub(crate) fn uint(&mut self, key: &'static str) -> u64 {
        self.read(key, |value| value.uint()).unwrap_or_default()
    }

    /// Names keys that could be written as well, for hints.
    pub(crate) fn expect(&mut self, keys: impl IntoIterator<Item = String>) {
        self.known.extend(keys.into_iter().map(Cow::Owned));
    }

    /// Takes all keys that `wanted` accepts, in the order of the text.
    pub(crate) fn take_matching(
        &mut self,
        wanted: impl Fn(&str) -> bool,
    ) -> Vec<(String, Value<'a>)> {
        let entries = self
            .entries
            .iter_mut()
            .filter(|entry| !entry.taken && wanted(&entry.key));
        let taken = entries.map(|entry| {
            entry.taken = true;
            (entry.key.clone(), entry.value.clone())
        });
        taken.collect()
    }

    /// The place of the first of these keys that is written, or of the whole structure.
    pub(crate) fn place(&self, keys: &[&str]) -> Place<'a> {
        let entry = keys
            .iter()
            .find_map(|key| self.entries.iter().find(|entry| entry.key == *key));
        let report = self.value.report;
        match entry {
            Some(entry) => Place {
                mark: entry.mark,
                path: entry.value.path.clone(),
                report,
            },
            None => Place {
                mark: self.value.mark(),
                path: self.value.path.clone(),
                report,
            },
        }
    }

    /// Reports the keys that nobody took; true if the structure had no error.
    pub(crate) fn finish(&self) -> bool {
        let known: Vec<&str> = self.known.iter().map(AsRef::as_ref).collect();
        for entry in self.entries.iter().filter(|entry| !entry.taken) {
            let message = format!("unknown key `{}`", entry.key);
            let hint = nearest(&entry.key, &known).map(|known| format!("did you mean `{known}`?"));
            self.value
                .report
                .error(entry.mark, &entry.value.path, message, hint);
        }
        self.is_clean()
    }

    /// Whether the structure had no error so far.
    pub(crate) fn is_clean(&self) -> bool {
        self.value.report.count() == self.errors_before
    }

    fn collect(&mut self, pairs: &'a [(Rc<Node>, Rc<Node>)]) {
        let mut done = HashSet::new();
        for pair in pairs {
            if pair.0.is_merge() {
                self.has_merges = true;
                self.merge(&pair.1);
                continue;
            }
            let value = self.value.clone();
            let key_value = Value {
                node: &pair.0,
                path: value.path.clone(),
                report: value.report,
            };
            let Some(key) = key_value.string() else {
                continue;
            };
            let member = value.member(&key, &pair.1);
            if done.insert(key.clone()) {
                self.put(key, pair.0.mark, member);
            } else {
                let message = format!("key `{key}` is set twice");
                let hint = Some("remove one of the two".to_owned());
                value.report.error(pair.0.mark, &member.path, message, hint);
            }
        }
    }

    /// Adds the keys of what `<<` names, over those that stand before it.
    fn merge(&mut self, merged: &'a Rc<Node>) {
        match &merged.content {
            Content::Mapping(pairs) => self.collect(pairs),
            // Earlier ones take precedence, so they come last.
            Content::Sequence(items) => {
                for item in items.iter().rev() {
                    match &item.content {
                        Content::Mapping(pairs) => self.collect(pairs),
                        _ => self.value.member("<<", item).refuse_merge(),
                    }
                }
            }
            Content::Scalar { .. } => self.value.member("<<", merged).refuse_merge(),
        }
    }

    fn put(&mut self, key: String, mark: Mark, value: Value<'a>) {
        if self.has_merges {
            self.entries.retain(|entry| entry.key != key);
        }
        self.entries.push(Entry {
            key,
            mark,
            value,
            taken: false,
        });
    }
}

/// A place for an error that concerns a key or a whole structure.
pub(crate) struct Place<'a> {
    mark: Mark,
    path: String,
    report: &'a Report,
}

// === impl Place ===

impl Place<'_> {
    pub(crate) fn error(&self, message: impl Into<String>) {
        self.report
            .error(self.mark, &self.path, message.into(), None);
    }

    pub(crate) fn error_with(&self, message: impl Into<String>, hint: impl Into<String>) {
        self.report
            .error(self.mark, &self.path, message.into(), Some(hint.into()));
    }

    pub(crate) fn warn_with(&self, message: impl Into<String>, hint: impl Into<String>) {
        self.report
            .warning(self.mark, &self.path, message.into(), Some(hint.into()));
    }
}

/// The known word that is closest to `word`, if one is close enough to be meant.
pub(crate) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    if word.len() > 64 {
        return None;
    }
    let limit = (word.len() / 3).clamp(1, 3);
    let scored = known
        .iter()
        .map(|candidate| (distance(word, candidate), *candidate));
    scored
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance in bytes.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.bytes().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_name_the_nearest_key_or_none() {
        let known = ["job_name", "scrape_interval", "scrape_timeout"];
        assert_eq!(nearest("job_nam", &known), Some("job_name"));
        assert_eq!(nearest("scrape_intervall", &known), Some("scrape_interval"));
        assert_eq!(nearest("something_else", &known), None);
    }
}
