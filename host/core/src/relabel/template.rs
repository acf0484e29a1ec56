//! Replacement templates (`$1`, `${name}`, `$$`), as Go's `Regexp.Expand` reads them.

use crate::regex::{Regex, Slots};

/// A template, read once for one expression.
#[derive(Debug)]
pub(super) struct Template(Vec<Piece>);

#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    Group(usize),
    /// Several groups of one name: the first that took part in the match.
    First(Vec<usize>),
}

/// A reference at the beginning of `rest`: its name, and what follows it.
struct Reference<'a> {
    name: &'a str,
    rest: &'a str,
}

// === impl Template ===

impl Template {
    pub(super) fn new(template: &str, regex: &Regex) -> Self {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('$') {
            text.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                text.push('$');
                rest = after;
            } else if let Some(reference) = Reference::read(after) {
                rest = reference.rest;
                if let Some(piece) = reference.resolve(regex) {
                    if !text.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut text)));
                    }
                    pieces.push(piece);
                }
            } else {
                text.push('$');
                rest = after;
            }
        }
        text.push_str(rest);
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        Self(pieces)
    }

    /// The text, if the template refers to no group.
    pub(super) fn as_text(&self) -> Option<&str> {
        match &self.0[..] {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// How many groups a match must tell, the whole match included; 0 if none is referred to.
    pub(super) fn groups(&self) -> usize {
        let last = |piece: &Piece| match piece {
            Piece::Text(_) => None,
            Piece::Group(group) => Some(*group),
            Piece::First(groups) => groups.iter().max().copied(),
        };
        self.0
            .iter()
            .filter_map(last)
            .max()
            .map_or(0, |group| group + 1)
    }

    /// Appends the template to `out`, with the groups of a match in `value`.
    pub(super) fn expand(&self, value: &str, slots: &Slots, out: &mut String) {
        for piece in &self.0 {
            let found = match piece {
                Piece::Text(text) => Some(text.as_str()),
                Piece::Group(group) => slots.group(*group, value),
                Piece::First(groups) => groups.iter().find_map(|group| slots.group(*group, value)),
            };
            out.push_str(found.unwrap_or_default());
        }
    }
}

// === impl Reference ===

impl<'a> Reference<'a> {
    /// Reads a reference from the text after a `$`. Names are Unicode letters, digits and
    /// underscores, as many as there are: `$1x` is the group `1x`.
    fn read(text: &'a str) -> Option<Self> {
        let (text, braced) = match text.strip_prefix('{') {
            Some(inner) => (inner, true),
            None => (text, false),
        };
        let end = text
            .find(|c| !crate::unicode::is_word(c))
            .unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let rest = if braced {
            rest.strip_prefix('}')?
        } else {
            rest
        };
        (!name.is_empty()).then_some(Self { name, rest })
    }

    /// The group that is meant; `None` if the expression has no such group, which expands to
    /// nothing. A number is never looked up among the names.
    fn resolve(&self, regex: &Regex) -> Option<Piece> {
        let names = regex.group_names();
        if let Some(number) = self.number() {
            return (number <= names.len()).then_some(Piece::Group(number));
        }
        let named = names
            .iter()
            .enumerate()
            .filter(|(_, name)| **name == self.name);
        let groups: Vec<usize> = named.map(|(at, _)| at + 1).collect();
        match groups[..] {
            [] => None,
            [group] => Some(Piece::Group(group)),
            _ => Some(Piece::First(groups)),
        }
    }

    /// ASCII digits without a leading zero, below Go's limit of 10^9.
    fn number(&self) -> Option<usize> {
        let is_number = self.name.bytes().all(|byte| byte.is_ascii_digit())
            && (self.name == "0" || !self.name.starts_with('0'))
            && self.name.len() <= 9;
        is_number.then(|| self.name.parse().ok())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_as_go_reads_them() {
        let regex = Regex::new(r"(?P<name>a)(b)?(?P<é1>x)?").expect_err("names are ASCII");
        assert!(regex.to_string().contains("invalid named capture"));
        let regex = Regex::new(r"(?P<name>a)(b)?(?P<twice>x)?(?P<twice>c)").unwrap();
        let mut slots = Slots::new(5);
        assert!(regex.captures("abc", &mut slots));
        for (template, expanded) in [
            ("", ""),
            ("text", "text"),
            ("$0", "abc"),
            ("$1-$2-$3-$4", "a-b--c"),
            ("${1}x", "ax"),
            ("$1x", ""),
            ("$01", ""),
            ("$5", ""),
            ("$name", "a"),
            ("${name}", "a"),
            ("$twice", "c"),
            ("$$1", "$1"),
            ("$", "$"),
            ("a$", "a$"),
            ("${", "${"),
            ("${}", "${}"),
            ("${1", "${1"),
            ("${a-b}", "${a-b}"),
            ("$-1", "$-1"),
            ("$1é", ""),
            ("$1٣", ""),
            ("$1.$2", "a.b"),
            ("$9999999999", ""),
        ] {
            let mut out = String::new();
            Template::new(template, &regex).expand("abc", &slots, &mut out);
            assert_eq!(out, expanded, "{template}");
        }
    }
}
