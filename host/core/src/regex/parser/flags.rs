//! Groups that begin with `(?`: named ones, flags, and those that are not captured.

use super::super::ast::{Flags, Op};
use super::super::error::{ErrorKind, RegexError};
use super::{Parser, Result};

impl Parser<'_> {
    pub(super) fn perl_group(&mut self) -> Result<()> {
        let text = self.rest;
        // As upstream, a name must have room for at least one more character.
        if (text.starts_with("(?P<") && text.len() > 4)
            || (text.starts_with("(?<") && text.len() > 3)
        {
            return self.named_group();
        }
        let mut flags = self.flags;
        let mut clears = false;
        let mut saw_flag = false;
        let mut rest = text[2..].chars();
        while let Some(c) = rest.next() {
            match c {
                '-' if !clears => {
                    clears = true;
                    saw_flag = false;
                }
                // A minus must be followed by at least one flag.
                ':' | ')' if !clears || saw_flag => {
                    if c == ':' {
                        self.push_op(Op::LeftParen)?;
                    }
                    self.flags = flags;
                    self.rest = rest.as_str();
                    return Ok(());
                }
                _ if set_flag(&mut flags, c, !clears) => saw_flag = true,
                _ => break,
            }
        }
        let written = &text[..text.len() - rest.as_str().len()];
        Err(RegexError::new(ErrorKind::InvalidPerlOp, written))
    }

    fn named_group(&mut self) -> Result<()> {
        let text = self.rest;
        let Some((written, rest)) = text.split_once('>') else {
            return Err(RegexError::new(ErrorKind::InvalidNamedCapture, text));
        };
        let name = written.split_once('<').map_or("", |(_, name)| name);
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(is_word) {
            let written = &text[..=written.len()];
            return Err(RegexError::new(ErrorKind::InvalidNamedCapture, written));
        }
        self.open_group(name.to_owned())?;
        self.rest = rest;
        Ok(())
    }
}

/// Sets or clears the flag of a letter; `false` if there is no such flag.
fn set_flag(flags: &mut Flags, letter: char, on: bool) -> bool {
    match letter {
        'i' => flags.fold_case = on,
        'm' => flags.one_line = !on,
        's' => flags.dot_newline = on,
        'U' => flags.non_greedy = on,
        _ => return false,
    }
    true
}
