//! Classes in brackets.

use super::super::ast::Op;
use super::super::class::{self, Class};
use super::super::error::{ErrorKind, RegexError};
use super::{Parser, Result, escape};

impl<'a> Parser<'a> {
    pub(super) fn brackets(&mut self) -> Result<()> {
        let whole = self.rest;
        let node = self.tree.add(Op::CharClass, self.flags);
        let mut rest = &whole[1..];
        let negated = rest.starts_with('^');
        if negated {
            rest = &rest[1..];
        }
        let mut class = Class::default();
        let mut first = true;
        // A bracket that comes first is one of the characters.
        while first || !rest.starts_with(']') {
            first = false;
            let (part, after) = self.bracket_item(rest, whole)?;
            class.union(&part);
            rest = after;
        }
        self.tree.node_mut(node).class = if negated { class.negated() } else { class };
        self.rest = &rest[1..];
        self.push(node)
    }

    /// A named class, an escape, a character or a range, and what follows it.
    fn bracket_item(&self, text: &'a str, whole: &str) -> Result<(Class, &'a str)> {
        if let Some(item) = self.named_class(text)? {
            return Ok(item);
        }
        if let Some(item) = self.unicode_class(text)? {
            return Ok(item);
        }
        if let Some(item) = self.perl_class(text) {
            return Ok(item);
        }
        let (low, rest) = class_char(text, whole)?;
        let (high, rest) = match rest.strip_prefix('-') {
            // A hyphen that comes last is one of the characters.
            Some(end) if !end.is_empty() && !end.starts_with(']') => class_char(end, whole)?,
            _ => (low, rest),
        };
        if high < low {
            let range = &text[..text.len() - rest.len()];
            return Err(RegexError::new(ErrorKind::InvalidCharRange, range));
        }
        let class = Class::of(&[(low, high)]);
        Ok((
            if self.flags.fold_case {
                class.folded()
            } else {
                class
            },
            rest,
        ))
    }

    /// `[:alpha:]` or `[:^alpha:]`.
    fn named_class(&self, text: &'a str) -> Result<Option<(Class, &'a str)>> {
        let Some((name, rest)) = text
            .strip_prefix("[:")
            .and_then(|rest| rest.split_once(":]"))
        else {
            return Ok(None);
        };
        let positive = name.strip_prefix('^');
        match class::posix_class(positive.unwrap_or(name)) {
            Some(ranges) => Ok(Some((self.group(ranges, positive.is_some()), rest))),
            None => {
                let written = &text[..text.len() - rest.len()];
                Err(RegexError::new(ErrorKind::InvalidCharRange, written))
            }
        }
    }
}

fn class_char<'t>(text: &'t str, whole: &str) -> Result<(u32, &'t str)> {
    let mut rest = text.chars();
    match rest.next() {
        None => Err(RegexError::new(ErrorKind::MissingBracket, whole)),
        Some('\\') => escape::escape(text),
        Some(c) => Ok((u32::from(c), rest.as_str())),
    }
}
