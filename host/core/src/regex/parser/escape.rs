//! Escapes, and the classes that are written as one.

use super::super::class::{self, Class};
use super::super::error::{ErrorKind, RegexError};
use super::super::unicode_names;
use super::{Parser, Result};

/// The character of an escape at the beginning of `text`, and what follows it.
pub(super) fn escape(text: &str) -> Result<(u32, &str)> {
    let mut rest = text[1..].chars();
    let Some(c) = rest.next() else {
        return Err(RegexError::new(ErrorKind::TrailingBackslash, ""));
    };
    let tail = rest.as_str();
    let octal_follows = tail.starts_with(|c| matches!(c, '0'..='7'));
    let rune = match c {
        // A single digit other than zero would be a back reference.
        '1'..='7' if !octal_follows => Err(tail),
        '0'..='7' => return Ok(octal(&text[1..])),
        'x' => return hexadecimal(text, tail),
        'a' => Ok('\x07'),
        'f' => Ok('\x0c'),
        'n' => Ok('\n'),
        'r' => Ok('\r'),
        't' => Ok('\t'),
        'v' => Ok('\x0b'),
        _ if c.is_ascii() && !c.is_ascii_alphanumeric() => Ok(c),
        _ => Err(tail),
    };
    match rune {
        Ok(c) => Ok((u32::from(c), tail)),
        Err(tail) => Err(invalid(text, tail)),
    }
}

/// Up to three octal digits.
fn octal(digits: &str) -> (u32, &str) {
    let count = digits
        .bytes()
        .take(3)
        .take_while(|byte| matches!(byte, b'0'..=b'7'))
        .count();
    let (digits, rest) = digits.split_at(count);
    (
        digits
            .bytes()
            .fold(0, |rune, digit| rune * 8 + u32::from(digit - b'0')),
        rest,
    )
}

/// `\x7f` or `\x{10FFFF}`; `digits` is what follows the `x`.
fn hexadecimal<'a>(text: &str, digits: &'a str) -> Result<(u32, &'a str)> {
    let mut rest = digits.chars();
    let Some(first) = rest.next() else {
        return Err(invalid(text, ""));
    };
    if first == '{' {
        return braced_hexadecimal(text, rest.as_str());
    }
    let second = rest.next();
    match (
        first.to_digit(16),
        second.and_then(|second| second.to_digit(16)),
    ) {
        (Some(high), Some(low)) => Ok((high * 16 + low, rest.as_str())),
        _ => Err(invalid(text, rest.as_str())),
    }
}

fn braced_hexadecimal<'a>(text: &str, digits: &'a str) -> Result<(u32, &'a str)> {
    let mut rest = digits.chars();
    let mut rune = None;
    while let Some(c) = rest.next() {
        match (c, c.to_digit(16), rune) {
            ('}', _, Some(rune)) => return Ok((rune, rest.as_str())),
            (_, Some(digit), _) => {
                let next = rune.unwrap_or(0) * 16 + digit;
                if next > class::MAX_RUNE {
                    break;
                }
                rune = Some(next);
            }
            _ => break,
        }
    }
    Err(invalid(text, rest.as_str()))
}

/// The escape at the beginning of `text` is invalid; what follows it is `rest`.
fn invalid(text: &str, rest: &str) -> RegexError {
    RegexError::new(ErrorKind::InvalidEscape, &text[..text.len() - rest.len()])
}

impl Parser<'_> {
    /// `\d`, `\W` and the like.
    pub(super) fn perl_class<'t>(&self, text: &'t str) -> Option<(Class, &'t str)> {
        let letter = *text.strip_prefix('\\')?.as_bytes().first()?;
        let class = class::perl_class(letter)?;
        Some((self.group(class, letter.is_ascii_uppercase()), &text[2..]))
    }

    /// The characters of a class of ASCII, folded and negated as asked.
    pub(super) fn group(&self, ranges: &[(u32, u32)], negated: bool) -> Class {
        let class = Class::of(ranges);
        let class = if self.flags.fold_case {
            class.folded()
        } else {
            class
        };
        if negated { class.negated() } else { class }
    }

    /// `\pL`, `\p{Greek}`, `\P{^Greek}`.
    pub(super) fn unicode_class<'t>(&self, text: &'t str) -> Result<Option<(Class, &'t str)>> {
        let Some(rest) = text
            .strip_prefix(r"\p")
            .or_else(|| text.strip_prefix(r"\P"))
        else {
            return Ok(None);
        };
        // Without a name, Go takes a replacement character that is not there for it.
        let Some(first) = rest.chars().next() else {
            return Err(RegexError::new(ErrorKind::InvalidCharRange, text));
        };
        let (name, rest) = if first == '{' {
            match rest[1..].split_once('}') {
                Some(parts) => parts,
                None => return Err(RegexError::new(ErrorKind::InvalidCharRange, text)),
            }
        } else {
            rest.split_at(first.len_utf8())
        };
        let mut negated = text.starts_with(r"\P");
        let name = match name.strip_prefix('^') {
            Some(name) => {
                negated = !negated;
                name
            }
            None => name,
        };
        let Some(class) = unicode_names::lookup(name, self.flags.fold_case) else {
            let written = &text[..text.len() - rest.len()];
            return Err(RegexError::new(ErrorKind::InvalidCharRange, written));
        };
        Ok(Some((if negated { class.negated() } else { class }, rest)))
    }
}
