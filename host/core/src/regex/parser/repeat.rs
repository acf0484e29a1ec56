//! Repetition operators.

use super::super::ast::{Id, Op};
use super::super::error::{ErrorKind, RegexError};
use super::{Parser, Result};

/// How often a repetition, with those inside it, may repeat the innermost thing.
const MAX_REPEAT: i32 = 1000;

/// The bounds of `{min,max}`, and what follows it.
struct Bounds<'a> {
    /// -1 if a number is too large to be read.
    min: i32,
    /// -1 if there is no upper bound.
    max: i32,
    rest: &'a str,
}

impl<'a> Parser<'a> {
    /// `{`: a repetition if it reads as one, else a literal brace.
    pub(super) fn braces(&mut self) -> Result<bool> {
        let Some(Bounds { min, max, rest }) = Bounds::read(self.rest) else {
            self.literal(u32::from('{'))?;
            self.skip(1);
            return Ok(false);
        };
        if !(0..=MAX_REPEAT).contains(&min) || max > MAX_REPEAT || (max >= 0 && min > max) {
            return Err(error_before(ErrorKind::InvalidRepeatSize, self.rest, rest));
        }
        self.repeat(Op::Repeat, min, max, rest)
    }

    /// Repeats the topmost item; `after` is what follows the operator.
    pub(super) fn repeat(&mut self, op: Op, min: i32, max: i32, after: &'a str) -> Result<bool> {
        let before = self.rest;
        let mut flags = self.flags;
        let mut after = after;
        if let Some(lazy) = after.strip_prefix('?') {
            after = lazy;
            flags.non_greedy = !flags.non_greedy;
        }
        if let Some(last) = self.last_repeat {
            return Err(error_before(ErrorKind::InvalidRepeatOp, last, after));
        }
        let top = self
            .stack
            .last()
            .copied()
            .filter(|id| !self.tree.node(*id).op.is_marker());
        let (Some(sub), Some(at)) = (top, self.stack.len().checked_sub(1)) else {
            return Err(error_before(
                ErrorKind::MissingRepeatArgument,
                before,
                after,
            ));
        };
        let id = self.tree.add(op, flags);
        let node = self.tree.node_mut(id);
        node.min = min;
        node.max = max;
        node.subs = vec![sub];
        self.stack[at] = id;
        self.check_limits(id)?;
        if op == Op::Repeat && (min >= 2 || max >= 2) && !self.is_repeat_valid(id, MAX_REPEAT) {
            return Err(error_before(ErrorKind::InvalidRepeatSize, before, after));
        }
        self.rest = after;
        Ok(true)
    }

    /// Whether the innermost thing is repeated at most `limit` times.
    fn is_repeat_valid(&self, id: Id, limit: i32) -> bool {
        let node = self.tree.node(id);
        let mut limit = limit;
        if node.op == Op::Repeat {
            let count = if node.max < 0 { node.min } else { node.max };
            if node.max == 0 {
                return true;
            }
            if count > limit {
                return false;
            }
            if count > 0 {
                limit /= count;
            }
        }
        node.subs
            .iter()
            .all(|sub| self.is_repeat_valid(*sub, limit))
    }
}

/// An error that shows the text from `from` up to `to`, both of them ends of the expression.
fn error_before(kind: ErrorKind, from: &str, to: &str) -> RegexError {
    RegexError::new(kind, &from[..from.len() - to.len()])
}

// === impl Bounds ===

impl<'a> Bounds<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (min, rest) = number(text.strip_prefix('{')?)?;
        let (min, max, rest) = match rest.strip_prefix(',') {
            None => (min, min, rest),
            Some(rest) if rest.starts_with('}') => (min, -1, rest),
            Some(rest) => {
                let (max, rest) = number(rest)?;
                (if max < 0 { -1 } else { min }, max, rest)
            }
        };
        Some(Self {
            min,
            max,
            rest: rest.strip_prefix('}')?,
        })
    }
}

/// Reads a decimal number without leading zeros; -1 if it is too large.
fn number(text: &str) -> Option<(i32, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    if number.is_empty() || (number.len() > 1 && number.starts_with('0')) {
        return None;
    }
    Some((if digits > 9 { -1 } else { number.parse().ok()? }, rest))
}
