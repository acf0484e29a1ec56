//! Surrogates in an expression, which only an escape such as `\x{D800}` can name.
//!
//! No text holds one, so they match nothing, with one exception. Where an expression can be matched
//! in one pass, Go compares the literal that it begins with as a text, and writes the replacement
//! character for each surrogate in it. There they match that character.

use regex_automata::dfa::onepass;
use regex_automata::nfa::thompson;

use super::ast::{Id, Op};
use super::parser::Parsed;
use super::translate;

/// Beyond this many bytes an expression is not matched in one pass. Upstream's limit is a thousand
/// instructions.
const MAX_PROGRAM: usize = 1 << 20;

/// Puts the replacement character in the place of surrogates where Go does so.
pub(super) fn replace_in_prefix(parsed: &mut Parsed) {
    let Some(prefix) = prefix(parsed) else { return };
    let node = parsed.tree.node_mut(prefix);
    let runes = node.runes.clone();
    for rune in &mut node.runes {
        *rune = char::from_u32(*rune)
            .unwrap_or(char::REPLACEMENT_CHARACTER)
            .into();
    }
    if !is_one_pass(parsed) {
        parsed.tree.node_mut(prefix).runes = runes;
    }
}

/// The literal that an anchored expression begins with, if there is a surrogate in it.
fn prefix(parsed: &Parsed) -> Option<Id> {
    let root = parsed.tree.node(parsed.root);
    let [first, second, ..] = root.subs[..] else {
        return None;
    };
    let literal = parsed.tree.node(second);
    let has_surrogate = literal
        .runes
        .iter()
        .any(|rune| char::from_u32(*rune).is_none());
    let is_prefix = root.op == Op::Concat
        && parsed.tree.node(first).op == Op::BeginText
        && literal.op == Op::Literal;
    (is_prefix && has_surrogate).then_some(second)
}

fn is_one_pass(parsed: &Parsed) -> bool {
    let config = thompson::Config::new().nfa_size_limit(Some(MAX_PROGRAM));
    let hir = translate::translate(parsed);
    let program = thompson::Compiler::new()
        .configure(config)
        .build_from_hir(&hir);
    program.is_ok_and(|program| onepass::Builder::new().build_from_nfa(program).is_ok())
}
