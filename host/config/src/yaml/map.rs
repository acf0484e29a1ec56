//! Mappings: repeated keys and merges (`<<`).

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::fields::Fields;
use super::node::{Content, Node};
use super::value::Value;

/// A key and its value.
pub(crate) type Pair<'a> = (Value<'a>, Value<'a>);

// === impl Value ===

impl<'a> Value<'a> {
    /// The pairs of a map, merges included, in the order of the text. A key that is repeated is an
    /// error, even if one of the two comes from a merge, as in go-yaml.
    pub(crate) fn map(&self, type_name: &str) -> Option<Vec<Pair<'a>>> {
        let mut seen = HashSet::new();
        let mut pairs = self.pairs(type_name)?;
        pairs.retain(|(key, value)| {
            let is_new = key.text().is_none_or(|text| seen.insert(text));
            if !is_new {
                value.refuse_repeated(key);
            }
            is_new
        });
        Some(pairs)
    }

    /// The pairs of a map in which a later key replaces the same one from a merge.
    pub(crate) fn map_over_merges(&self, type_name: &str) -> Option<Vec<Pair<'a>>> {
        let written: HashSet<_> = match &self.node.content {
            Content::Mapping(pairs) => pairs.iter().map(|(_, value)| Rc::as_ptr(value)).collect(),
            _ => HashSet::new(),
        };
        let mut kept: Vec<Pair<'a>> = Vec::new();
        let mut places = HashMap::new();
        for (key, value) in self.pairs(type_name)? {
            let is_written = |value: &Self| written.contains(&Rc::as_ptr(value.node));
            let place = key.text().and_then(|text| places.insert(text, kept.len()));
            let Some(place) = place else {
                kept.push((key, value));
                continue;
            };
            if is_written(&kept[place].1) && is_written(&value) {
                value.refuse_repeated(&key);
            }
            key.text().map(|text| places.insert(text, place));
            kept[place] = (key, value);
        }
        Some(kept)
    }

    /// The elements of a list or the values of a mapping, merges applied.
    pub(crate) fn children(&self) -> Vec<Value<'a>> {
        match &self.node.content {
            Content::Scalar { .. } => Vec::new(),
            Content::Sequence(_) => self.list("", Some).unwrap_or_default(),
            Content::Mapping(_) => {
                let pairs = self.map_over_merges("").unwrap_or_default();
                pairs.into_iter().map(|(_, value)| value).collect()
            }
        }
    }

    fn pairs(&self, type_name: &str) -> Option<Vec<Pair<'a>>> {
        if self.is_nil() {
            return Some(Vec::new());
        }
        let Content::Mapping(pairs) = &self.node.content else {
            self.mismatch(type_name);
            return None;
        };
        let mut flat = Vec::new();
        self.flatten(pairs, &mut |pair| {
            let key = Value {
                node: &pair.0,
                path: self.path.clone(),
                report: self.report,
            };
            let value = self.member(key.text().unwrap_or_default(), &pair.1);
            flat.push((key, value));
        });
        Some(flat)
    }

    fn text(&self) -> Option<&'a str> {
        match &self.node.content {
            Content::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    fn refuse_repeated(&self, key: &Self) {
        let key = key.text().unwrap_or_default();
        self.error_with(
            format!("key {key:?} already set in map"),
            "remove one of the two",
        );
    }

    /// The keys of a structure.
    pub(crate) fn fields(&self) -> Option<Fields<'a>> {
        if self.is_nil() {
            return Some(Fields::empty(self.clone()));
        }
        let Content::Mapping(pairs) = &self.node.content else {
            self.mismatch("map[");
            return None;
        };
        Some(Fields::new(self.clone(), pairs))
    }

    /// Calls `visit` for each pair in the order in which they count, those of merges included.
    pub(super) fn flatten(
        &self,
        pairs: &'a [(Rc<Node>, Rc<Node>)],
        visit: &mut impl FnMut(&'a (Rc<Node>, Rc<Node>)),
    ) {
        for pair in pairs {
            if !pair.0.is_merge() {
                visit(pair);
                continue;
            }
            match &pair.1.content {
                Content::Mapping(merged) => self.flatten(merged, visit),
                // Earlier ones take precedence, so they come last.
                Content::Sequence(items) => items.iter().rev().for_each(|item| {
                    if let Content::Mapping(merged) = &item.content {
                        self.flatten(merged, visit);
                    } else {
                        self.member("<<", item).refuse_merge();
                    }
                }),
                Content::Scalar { .. } => self.member("<<", &pair.1).refuse_merge(),
            }
        }
    }

    pub(super) fn refuse_merge(&self) {
        self.error("map merge requires map or sequence of maps as the value");
    }
}
