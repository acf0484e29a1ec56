//! Unicode tables as Go 1.26 has them: version 15.0.
//!
//! The tables come from `regex-syntax`, which knows a later version; what that version added is
//! taken away again by the age of each character.

use std::cmp::Ordering;
use std::sync::LazyLock;

use regex_syntax::hir::{Class, ClassUnicode, HirKind};

/// Letters, decimal digits and the underscore.
static WORD: LazyLock<ClassUnicode> = LazyLock::new(|| class(r"[\p{L}\p{Nd}_]"));

/// What Go prints as it is within quotes, beyond ASCII.
static PRINTABLE: LazyLock<ClassUnicode> = LazyLock::new(|| class(r"[\p{L}\p{M}\p{N}\p{P}\p{S}]"));

/// Characters that Unicode 15.0 assigns. Noncharacters have an age, but are not assigned.
static ASSIGNED: LazyLock<ClassUnicode> =
    LazyLock::new(|| parse(r"[\p{age=15.0}--\p{Noncharacter_Code_Point}]"));

/// Whether Go counts `c` among the letters and digits, or it is an underscore.
pub(crate) fn is_word(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphanumeric() || c == '_'
    } else {
        contains(&WORD, c)
    }
}

/// Go's `strconv.IsPrint`.
pub(crate) fn is_print(c: char) -> bool {
    if c.is_ascii() {
        (' '..='~').contains(&c)
    } else {
        contains(&PRINTABLE, c)
    }
}

/// Whether Unicode 15.0 assigns `c`.
pub(crate) fn is_assigned(c: char) -> bool {
    contains(&ASSIGNED, c)
}

/// The characters of an expression of one class, as far as Unicode 15.0 assigns them.
pub(crate) fn class(expression: &str) -> ClassUnicode {
    let mut class = parse(expression);
    keep_assigned(&mut class);
    class
}

/// Takes away what Unicode 15.0 does not assign.
pub(crate) fn keep_assigned(class: &mut ClassUnicode) {
    if !class.is_ascii() {
        class.intersect(&ASSIGNED);
    }
}

/// The characters that Unicode 15.0 does not assign.
pub(crate) fn unassigned() -> ClassUnicode {
    let mut class = ASSIGNED.clone();
    class.negate();
    class
}

fn parse(expression: &str) -> ClassUnicode {
    match regex_syntax::parse(expression).map(regex_syntax::hir::Hir::into_kind) {
        Ok(HirKind::Class(Class::Unicode(class))) => class,
        // A class of one character becomes a literal.
        Ok(HirKind::Literal(literal)) => {
            let text = std::str::from_utf8(&literal.0).unwrap_or_default();
            ClassUnicode::new(
                text.chars()
                    .map(|c| regex_syntax::hir::ClassUnicodeRange::new(c, c)),
            )
        }
        _ => ClassUnicode::empty(),
    }
}

fn contains(class: &ClassUnicode, c: char) -> bool {
    class
        .ranges()
        .binary_search_by(|range| {
            if range.end() < c {
                Ordering::Less
            } else if range.start() > c {
                Ordering::Greater
            } else {
                Ordering::Equal
            }
        })
        .is_ok()
}
