//! The syntax tree of an expression, as Go's `regexp/syntax` keeps it.
//!
//! Nodes live in one arena and are known by number. Numbers of nodes that fell away are used again,
//! as upstream does: the limits on an expression's size count nodes, so the count must agree.

use super::class::Class;

/// What a node is. The order matters: upstream compares kinds when it merges characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Op {
    #[default]
    NoMatch,
    EmptyMatch,
    Literal,
    CharClass,
    AnyCharNotNewline,
    AnyChar,
    BeginLine,
    EndLine,
    BeginText,
    EndText,
    WordBoundary,
    NoWordBoundary,
    Capture,
    Star,
    Plus,
    Quest,
    Repeat,
    Concat,
    Alternate,
    /// Only on the parser's stack: an open parenthesis.
    LeftParen,
    /// Only on the parser's stack: a bar whose right side is still open.
    VerticalBar,
}

/// The flags in force where a node was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flags {
    /// `i`: letters match in either case.
    pub(super) fold_case: bool,
    /// Not `m`: `^` and `$` match at the ends of the text only.
    pub(super) one_line: bool,
    /// `s`: a dot matches a newline.
    pub(super) dot_newline: bool,
    /// `U`: repetitions take as little as they can.
    pub(super) non_greedy: bool,
}

/// A node's number in its [`Tree`].
pub(super) type Id = usize;

#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    pub(super) op: Op,
    pub(super) flags: Flags,
    /// The characters of a literal. Surrogates, which an escape can name, are among them.
    pub(super) runes: Vec<u32>,
    pub(super) class: Class,
    pub(super) subs: Vec<Id>,
    pub(super) min: i32,
    /// The upper bound of a repetition; -1 if there is none.
    pub(super) max: i32,
    /// The number of a group, from 1; 0 if it is not captured.
    pub(super) group: usize,
    pub(super) name: String,
}

#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    free: Vec<Id>,
}

// === impl Flags ===

impl Default for Flags {
    /// The flags at the beginning of an expression.
    fn default() -> Self {
        Self {
            fold_case: false,
            one_line: true,
            dot_newline: false,
            non_greedy: false,
        }
    }
}

// === impl Op ===

impl Op {
    /// Whether this only marks a place on the parser's stack.
    pub(super) fn is_marker(self) -> bool {
        self >= Self::LeftParen
    }
}

// === impl Tree ===

impl Tree {
    pub(super) fn add(&mut self, op: Op, flags: Flags) -> Id {
        let node = Node {
            op,
            flags,
            ..Node::default()
        };
        if let Some(id) = self.free.pop() {
            self.nodes[id] = node;
            return id;
        }
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Gives a number back for the next node.
    pub(super) fn release(&mut self, id: Id) {
        self.free.push(id);
    }

    /// How many numbers were ever handed out.
    pub(super) fn allocated(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    pub(super) fn node_mut(&mut self, id: Id) -> &mut Node {
        &mut self.nodes[id]
    }

    /// Whether this is one character: a literal of one, a class or a dot.
    pub(super) fn is_char_class(&self, id: Id) -> bool {
        let node = self.node(id);
        match node.op {
            Op::Literal => node.runes.len() == 1,
            op => matches!(op, Op::CharClass | Op::AnyCharNotNewline | Op::AnyChar),
        }
    }

    /// Upstream's `Regexp.Equal`.
    pub(super) fn equal(&self, left: Id, right: Id) -> bool {
        let (left, right) = (self.node(left), self.node(right));
        left.op == right.op
            && match left.op {
                Op::Literal | Op::CharClass => {
                    left.flags.fold_case == right.flags.fold_case
                        && left.runes == right.runes
                        && left.class == right.class
                }
                Op::Alternate | Op::Concat => self.subs_equal(left, right),
                Op::Star | Op::Plus | Op::Quest | Op::Repeat => {
                    left.flags.non_greedy == right.flags.non_greedy
                        && (left.min, left.max) == (right.min, right.max)
                        && self.subs_equal(left, right)
                }
                Op::Capture => {
                    left.group == right.group
                        && left.name == right.name
                        && self.subs_equal(left, right)
                }
                _ => true,
            }
    }

    fn subs_equal(&self, left: &Node, right: &Node) -> bool {
        left.subs.len() == right.subs.len()
            && left
                .subs
                .iter()
                .zip(&right.subs)
                .all(|(left, right)| self.equal(*left, *right))
    }
}
