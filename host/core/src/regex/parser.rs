//! Go's parser of regular expressions (`regexp/syntax`), with its quirks and limits.
//!
//! The flags are those of `regexp.Compile`: Perl's extensions and Unicode classes are always on.

mod alternation;
mod brackets;
mod escape;
mod flags;
mod limits;
mod repeat;

use super::ast::{Flags, Id, Op, Tree};
use super::class::{self, Class};
use super::error::{ErrorKind, RegexError};
use limits::Limits;

pub(super) type Result<T> = std::result::Result<T, RegexError>;

/// A parsed expression.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) tree: Tree,
    pub(super) root: Id,
    /// Names of the groups, from the first one on; empty for those without.
    pub(super) names: Vec<String>,
}

#[derive(Debug)]
struct Parser<'a> {
    whole: &'a str,
    /// What is left to read.
    rest: &'a str,
    flags: Flags,
    tree: Tree,
    stack: Vec<Id>,
    names: Vec<String>,
    limits: Limits,
    /// From the last repetition operator on, if it is the last thing that was read.
    last_repeat: Option<&'a str>,
}

/// Parses a whole expression, wrapper and all.
pub(super) fn parse(expression: &str) -> Result<Parsed> {
    let mut parser = Parser {
        whole: expression,
        rest: expression,
        flags: Flags::default(),
        tree: Tree::default(),
        stack: Vec::new(),
        names: Vec::new(),
        limits: Limits::default(),
        last_repeat: None,
    };
    while let Some(next) = parser.rest.chars().next() {
        let before = parser.rest;
        let repeats = parser.item(next)?;
        parser.last_repeat = repeats.then_some(before);
    }
    parser.close_alternation()?;
    let [root] = parser.stack[..] else {
        return Err(RegexError::new(ErrorKind::MissingParen, expression));
    };
    Ok(Parsed {
        tree: parser.tree,
        root,
        names: parser.names,
    })
}

// === impl Parser ===

impl Parser<'_> {
    /// Reads one item; tells whether it was a repetition operator.
    fn item(&mut self, next: char) -> Result<bool> {
        let one_line = self.flags.one_line;
        match next {
            '(' if self.rest.starts_with("(?") => self.perl_group()?,
            '(' => {
                self.open_group(String::new())?;
                self.skip(1);
            }
            '|' => {
                self.vertical_bar()?;
                self.skip(1);
            }
            ')' => {
                self.right_paren()?;
                self.skip(1);
            }
            '^' => self.mark(
                if one_line {
                    Op::BeginText
                } else {
                    Op::BeginLine
                },
                1,
            )?,
            '$' => self.mark(if one_line { Op::EndText } else { Op::EndLine }, 1)?,
            '.' if self.flags.dot_newline => self.mark(Op::AnyChar, 1)?,
            '.' => self.mark(Op::AnyCharNotNewline, 1)?,
            '[' => self.brackets()?,
            '*' => return self.repeat(Op::Star, 0, 0, &self.rest[1..]),
            '+' => return self.repeat(Op::Plus, 0, 0, &self.rest[1..]),
            '?' => return self.repeat(Op::Quest, 0, 0, &self.rest[1..]),
            '{' => return self.braces(),
            '\\' => self.backslash()?,
            _ => {
                self.literal(u32::from(next))?;
                self.skip(next.len_utf8());
            }
        }
        Ok(false)
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    /// Pushes a node without parts, and skips what it was written as.
    fn mark(&mut self, op: Op, bytes: usize) -> Result<()> {
        self.push_op(op)?;
        self.skip(bytes);
        Ok(())
    }

    fn backslash(&mut self) -> Result<()> {
        match self.rest.as_bytes().get(1) {
            Some(b'A') => return self.mark(Op::BeginText, 2),
            Some(b'b') => return self.mark(Op::WordBoundary, 2),
            Some(b'B') => return self.mark(Op::NoWordBoundary, 2),
            Some(b'z') => return self.mark(Op::EndText, 2),
            Some(b'C') => {
                return Err(RegexError::new(ErrorKind::InvalidEscape, &self.rest[..2]));
            }
            Some(b'Q') => return self.quoted(),
            _ => {}
        }
        // Taken before it is known to be needed, as upstream does, so that the counts agree.
        let node = self.tree.add(Op::CharClass, self.flags);
        let group = match self.unicode_class(self.rest)? {
            Some(group) => Some(group),
            None => self.perl_class(self.rest),
        };
        if let Some((class, rest)) = group {
            self.tree.node_mut(node).class = class;
            self.rest = rest;
            return self.push(node);
        }
        self.release(node);
        let (rune, rest) = escape::escape(self.rest)?;
        self.rest = rest;
        self.literal(rune)
    }

    /// `\Q...\E`: everything between is literal; without `\E`, everything to the end.
    fn quoted(&mut self) -> Result<()> {
        let text = &self.rest[2..];
        let (text, rest) = text.split_once(r"\E").unwrap_or((text, ""));
        for c in text.chars() {
            self.literal(u32::from(c))?;
        }
        self.rest = rest;
        Ok(())
    }

    fn literal(&mut self, rune: u32) -> Result<()> {
        let node = self.tree.add(Op::Literal, self.flags);
        let rune = if self.flags.fold_case {
            class::least_of_orbit(rune)
        } else {
            rune
        };
        self.tree.node_mut(node).runes = vec![rune];
        self.push(node)
    }

    fn push_op(&mut self, op: Op) -> Result<Id> {
        let node = self.tree.add(op, self.flags);
        self.push(node)?;
        Ok(node)
    }

    /// Opens a group that is captured.
    fn open_group(&mut self, name: String) -> Result<()> {
        self.names.push(name.clone());
        let node = self.push_op(Op::LeftParen)?;
        let group = self.names.len();
        let node = self.tree.node_mut(node);
        node.group = group;
        node.name = name;
        Ok(())
    }

    /// Pushes a node. A class of one character, or of the two cases of one, becomes a literal.
    fn push(&mut self, id: Id) -> Result<()> {
        let node = self.tree.node(id);
        self.limits.count_runes(node);
        match (node.op, single_rune(&node.class)) {
            (Op::CharClass, Some((rune, fold_case))) => {
                let flags = Flags {
                    fold_case,
                    ..self.flags
                };
                if self.merge_literals(Some((rune, flags))) {
                    // The character took the place of a node that had become free.
                    return Ok(());
                }
                let node = self.tree.node_mut(id);
                node.op = Op::Literal;
                node.flags = flags;
                node.class = Class::default();
                node.runes = vec![rune];
            }
            _ => {
                self.merge_literals(None);
            }
        }
        self.stack.push(id);
        self.check_limits(id)
    }

    /// Joins the two topmost literals. Called before each push, when the topmost one can no longer
    /// be repeated by an operator. A node that becomes free takes up `next`, if there is one.
    fn merge_literals(&mut self, next: Option<(u32, Flags)>) -> bool {
        let [.., below, top] = self.stack[..] else {
            return false;
        };
        let (left, right) = (self.tree.node(below), self.tree.node(top));
        if left.op != Op::Literal
            || right.op != Op::Literal
            || left.flags.fold_case != right.flags.fold_case
        {
            return false;
        }
        let runes = std::mem::take(&mut self.tree.node_mut(top).runes);
        self.tree.node_mut(below).runes.extend(runes);
        if let Some((rune, flags)) = next {
            let node = self.tree.node_mut(top);
            node.runes = vec![rune];
            node.flags = flags;
            return true;
        }
        self.stack.pop();
        self.release(top);
        false
    }

    /// Replaces what stands above the topmost bar or parenthesis by its concatenation.
    fn concat(&mut self) -> Result<()> {
        self.merge_literals(None);
        let subs = self.take_subs();
        let node = if subs.is_empty() {
            self.tree.add(Op::EmptyMatch, Flags::default())
        } else {
            self.collapse(subs, Op::Concat)?
        };
        self.push(node)
    }

    /// Takes off the stack what stands above the topmost bar or parenthesis.
    fn take_subs(&mut self) -> Vec<Id> {
        let is_marker = |id: &Id| self.tree.node(*id).op.is_marker();
        let start = self
            .stack
            .iter()
            .rposition(is_marker)
            .map_or(0, |at| at + 1);
        self.stack.split_off(start)
    }

    /// One node of several; parts of the same kind are taken apart.
    fn collapse(&mut self, subs: Vec<Id>, op: Op) -> Result<Id> {
        if let [only] = subs[..] {
            return Ok(only);
        }
        let node = self.tree.add(op, Flags::default());
        let mut flat = Vec::with_capacity(subs.len());
        for sub in subs {
            if self.tree.node(sub).op == op {
                flat.append(&mut self.tree.node_mut(sub).subs);
                self.release(sub);
            } else {
                flat.push(sub);
            }
        }
        if op == Op::Alternate {
            flat = self.factor(flat)?;
            if let [only] = flat[..] {
                self.release(node);
                return Ok(only);
            }
        }
        self.tree.node_mut(node).subs = flat;
        Ok(node)
    }

    fn right_paren(&mut self) -> Result<()> {
        self.close_alternation()?;
        let (Some(inner), Some(paren)) = (self.stack.pop(), self.stack.pop()) else {
            return Err(RegexError::new(ErrorKind::UnexpectedParen, self.whole));
        };
        let node = self.tree.node_mut(paren);
        if node.op != Op::LeftParen {
            return Err(RegexError::new(ErrorKind::UnexpectedParen, self.whole));
        }
        self.flags = node.flags;
        if node.group == 0 {
            return self.push(inner);
        }
        node.op = Op::Capture;
        node.subs = vec![inner];
        self.push(paren)
    }

    fn release(&mut self, id: Id) {
        self.limits.forget(id);
        self.tree.release(id);
    }
}

/// The character of a class that is as good as a literal, and whether its case is ignored.
fn single_rune(class: &Class) -> Option<(u32, bool)> {
    match class.ranges() {
        [(low, high)] if low == high => Some((*low, false)),
        // Only the two of them, and nothing else in their orbit.
        [(low, high)] if low + 1 == *high && class::orbit(*low) == *class => Some((*low, true)),
        [(first, same), (second, like)]
            if first == same && second == like && class::orbit(*first) == *class =>
        {
            Some((*first, true))
        }
        _ => None,
    }
}
