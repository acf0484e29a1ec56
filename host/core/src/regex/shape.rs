//! Expressions that need no engine: everything, literals, and literals around one wildcard.

use super::Slots;
use super::ast::{Id, Node, Op, Tree};
use super::class::{self, Class};
use super::parser::Parsed;

/// More literals than this are left to the engine, which is better at many.
const MAX_LITERALS: usize = 64;

/// What a whole value must look like to match.
#[derive(Debug, PartialEq)]
pub(super) enum Shape {
    /// One of these; groups, if there are any, need the engine.
    Literals {
        literals: Vec<String>,
        has_groups: bool,
    },
    /// A prefix, at least `min` characters of any kind, and a suffix.
    Wildcard {
        prefix: String,
        min: usize,
        suffix: String,
        group: Group,
    },
    /// Anything else.
    Other,
}

/// What a shape tells of an expression's groups.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Group {
    /// There is none.
    None,
    /// The only one is around the wildcard.
    Wildcard,
}

/// The text that every value which matches begins with; empty if there is none.
pub(super) fn prefix(parsed: &Parsed) -> String {
    let root = parsed.tree.node(parsed.root);
    match (root.op, &root.subs[..]) {
        (Op::Concat, [first, second, ..]) if parsed.tree.node(*first).op == Op::BeginText => {
            let second = parsed.tree.node(*second);
            let is_literal = second.op == Op::Literal;
            is_literal
                .then(|| plain_text(second))
                .flatten()
                .unwrap_or_default()
        }
        _ => String::new(),
    }
}

// === impl Shape ===

impl Shape {
    pub(super) fn of(parsed: &Parsed) -> Self {
        Self::read(parsed).unwrap_or(Self::Other)
    }

    fn read(parsed: &Parsed) -> Option<Self> {
        let tree = &parsed.tree;
        let root = tree.node(parsed.root);
        let [first, inner @ .., last] = &root.subs[..] else {
            return None;
        };
        let is_anchored = root.op == Op::Concat
            && tree.node(*first).op == Op::BeginText
            && tree.node(*last).op == Op::EndText;
        if !is_anchored {
            return None;
        }
        if let Some(wildcard) = Self::wildcard(tree, inner, parsed.names.len()) {
            return Some(wildcard);
        }
        let literals = concat_literals(tree, inner)?;
        Some(Self::Literals {
            literals,
            has_groups: !parsed.names.is_empty(),
        })
    }

    fn wildcard(tree: &Tree, items: &[Id], groups: usize) -> Option<Self> {
        let (mut prefix, mut suffix) = (String::new(), String::new());
        let mut wildcard = None;
        for item in items {
            let node = tree.node(*item);
            match node.op {
                Op::Literal => {
                    let text = if wildcard.is_none() {
                        &mut prefix
                    } else {
                        &mut suffix
                    };
                    text.push_str(&plain_text(node)?);
                }
                Op::Capture if wildcard.is_none() => {
                    wildcard = Some((wildcard_min(tree, node.subs[0])?, Group::Wildcard));
                }
                _ if wildcard.is_none() => {
                    wildcard = Some((wildcard_min(tree, *item)?, Group::None));
                }
                _ => return None,
            }
        }
        let (min, group) = wildcard?;
        let told = usize::from(group == Group::Wildcard);
        (groups == told).then_some(Self::Wildcard {
            prefix,
            min,
            suffix,
            group,
        })
    }

    /// Whether there are values, or groups of values, of which the shape alone cannot tell.
    pub(super) fn needs_engine(&self) -> bool {
        matches!(
            self,
            Self::Other
                | Self::Literals {
                    has_groups: true,
                    ..
                }
        )
    }

    /// Whether the expression matches; `None` if the engine must tell.
    pub(super) fn is_match(&self, value: &str) -> Option<bool> {
        match self {
            Self::Literals { literals, .. } => {
                Some(literals.iter().any(|known| is_equal(known, value)))
            }
            Self::Wildcard {
                prefix,
                min,
                suffix,
                ..
            } => Some(
                value.len() >= prefix.len() + min + suffix.len()
                    && begins_with(value, prefix)
                    && ends_with(value, suffix),
            ),
            Self::Other => None,
        }
    }

    /// As [`Shape::is_match`], with the groups.
    pub(super) fn captures(&self, value: &str, slots: &mut Slots) -> Option<bool> {
        if let Self::Literals {
            has_groups: true, ..
        } = self
        {
            return None;
        }
        let is_match = self.is_match(value)?;
        if is_match {
            slots.set(0, 0, value.len());
            if let Self::Wildcard {
                prefix,
                suffix,
                group: Group::Wildcard,
                ..
            } = self
            {
                slots.set(1, prefix.len(), value.len() - suffix.len());
            }
        }
        Some(is_match)
    }
}

/// As `==`. An empty `String` points to no memory, and where the C library compares with masked
/// vector instructions, comparing no bytes of no memory is a fault to the processor, suppressed at
/// the price of 100 ns (perf, 2026-11, AVX-512). Hence the checks for emptiness here and below.
fn is_equal(left: &str, right: &str) -> bool {
    left.len() == right.len() && (left.is_empty() || left == right)
}

/// As `starts_with`, and cheap for an empty prefix.
pub(super) fn begins_with(value: &str, prefix: &str) -> bool {
    prefix.is_empty() || value.starts_with(prefix)
}

fn ends_with(value: &str, suffix: &str) -> bool {
    suffix.is_empty() || value.ends_with(suffix)
}

/// How many characters `.*` or `.+` takes at least; `None` for anything else. Greedy or not is one,
/// since both ends are anchored.
fn wildcard_min(tree: &Tree, id: Id) -> Option<usize> {
    let node = tree.node(id);
    let min = match node.op {
        Op::Star => 0,
        Op::Plus => 1,
        _ => return None,
    };
    (tree.node(node.subs[0]).op == Op::AnyChar).then_some(min)
}

/// The text of a literal, unless it matches more than one, or none.
fn plain_text(node: &Node) -> Option<String> {
    let is_plain = |rune: &u32| !node.flags.fold_case || class::orbit(*rune) == single(*rune);
    if !node.runes.iter().all(is_plain) {
        return None;
    }
    node.runes
        .iter()
        .map(|rune| char::from_u32(*rune))
        .collect()
}

fn single(rune: u32) -> Class {
    Class::of(&[(rune, rune)])
}

/// All texts that a sequence matches, if they are few.
fn concat_literals(tree: &Tree, items: &[Id]) -> Option<Vec<String>> {
    let mut texts = vec![String::new()];
    for item in items {
        let next = literals(tree, *item)?;
        if texts.len() * next.len() > MAX_LITERALS {
            return None;
        }
        texts = texts
            .iter()
            .flat_map(|text| next.iter().map(move |next| format!("{text}{next}")))
            .collect();
    }
    Some(texts)
}

/// All texts that a node matches, if they are few.
fn literals(tree: &Tree, id: Id) -> Option<Vec<String>> {
    let node = tree.node(id);
    match node.op {
        Op::EmptyMatch => Some(vec![String::new()]),
        Op::Literal => Some(vec![plain_text(node)?]),
        Op::CharClass => {
            let ranges = node.class.ranges();
            let count: u32 = ranges.iter().map(|(low, high)| high - low + 1).sum();
            if count > MAX_LITERALS as u32 {
                return None;
            }
            let runes = ranges.iter().flat_map(|(low, high)| *low..=*high);
            runes
                .map(|rune| char::from_u32(rune).map(String::from))
                .collect()
        }
        Op::Capture => literals(tree, node.subs[0]),
        Op::Quest => {
            let mut texts = literals(tree, node.subs[0])?;
            texts.push(String::new());
            Some(texts)
        }
        Op::Concat => concat_literals(tree, &node.subs),
        Op::Alternate => {
            let mut texts = Vec::new();
            for sub in &node.subs {
                texts.extend(literals(tree, *sub)?);
            }
            (texts.len() <= MAX_LITERALS).then_some(texts)
        }
        _ => None,
    }
}
