//! From the syntax tree to what `regex-automata` builds its engines from.

use regex_syntax::hir::{Capture, Class as HirClass, Hir, Look, Repetition};

use super::ast::{Id, Node, Op, Tree};
use super::class::{self, ANY, Class};
use super::parser::Parsed;

/// The expression in the terms of `regex-syntax`.
pub(super) fn translate(parsed: &Parsed) -> Hir {
    Translator { tree: &parsed.tree }.node(parsed.root)
}

struct Translator<'a> {
    tree: &'a Tree,
}

impl Translator<'_> {
    fn node(&self, id: Id) -> Hir {
        let node = self.tree.node(id);
        match node.op {
            Op::NoMatch | Op::LeftParen | Op::VerticalBar => Hir::fail(),
            Op::EmptyMatch => Hir::empty(),
            Op::Literal => literal(node),
            Op::CharClass => class_of(&node.class),
            Op::AnyChar => class_of(&ANY),
            Op::AnyCharNotNewline => class_of(&Class::of(&[(0xa, 0xa)]).negated()),
            Op::BeginLine => Hir::look(Look::StartLF),
            Op::EndLine => Hir::look(Look::EndLF),
            Op::BeginText => Hir::look(Look::Start),
            Op::EndText => Hir::look(Look::End),
            Op::WordBoundary => Hir::look(Look::WordAscii),
            Op::NoWordBoundary => Hir::look(Look::WordAsciiNegate),
            Op::Capture => Hir::capture(Capture {
                index: node.group as u32,
                // Names are kept beside the engine: upstream lets several groups share one.
                name: None,
                sub: Box::new(self.node(node.subs[0])),
            }),
            Op::Star | Op::Plus | Op::Quest | Op::Repeat => self.repetition(node),
            Op::Concat => Hir::concat(node.subs.iter().map(|sub| self.node(*sub)).collect()),
            Op::Alternate => {
                Hir::alternation(node.subs.iter().map(|sub| self.node(*sub)).collect())
            }
        }
    }

    fn repetition(&self, node: &Node) -> Hir {
        let (min, max) = bounds(node);
        if max == Some(0) {
            return Hir::empty();
        }
        let inner = self.tree.node(node.subs[0]);
        // Upstream takes `(?:x*)*` for `x*`: what the groups inside see of an empty turn shows it.
        let is_simple = matches!(node.op, Op::Star | Op::Plus | Op::Quest)
            || matches!((min, max), (0 | 1, None) | (0, Some(1)));
        if is_simple
            && is_repetition(inner.op)
            && bounds(inner) == (min, max)
            && inner.flags.non_greedy == node.flags.non_greedy
        {
            return self.repetition(inner);
        }
        Hir::repetition(Repetition {
            min,
            max,
            greedy: !node.flags.non_greedy,
            sub: Box::new(self.node(node.subs[0])),
        })
    }
}

fn is_repetition(op: Op) -> bool {
    matches!(op, Op::Star | Op::Plus | Op::Quest | Op::Repeat)
}

fn bounds(node: &Node) -> (u32, Option<u32>) {
    match node.op {
        Op::Star => (0, None),
        Op::Plus => (1, None),
        Op::Quest => (0, Some(1)),
        // The parser has checked that both are small and in order.
        _ => (node.min.unsigned_abs(), u32::try_from(node.max).ok()),
    }
}

fn literal(node: &Node) -> Hir {
    Hir::concat(
        node.runes
            .iter()
            .map(|rune| rune_of(*rune, node.flags.fold_case))
            .collect(),
    )
}

fn rune_of(rune: u32, fold_case: bool) -> Hir {
    match char::from_u32(rune) {
        Some(c) if !fold_case => Hir::literal(c.encode_utf8(&mut [0; 4]).as_bytes()),
        Some(_) => class_of(&class::orbit(rune)),
        // A surrogate, which no text holds.
        None => Hir::fail(),
    }
}

fn class_of(class: &Class) -> Hir {
    Hir::class(HirClass::Unicode(class.to_unicode()))
}
