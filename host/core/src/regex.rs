//! Prometheus' regular expressions: Go's RE2 syntax, anchored as `^(?s:PATTERN)$`.
//!
//! The pattern stands textually in its wrapper, so that one which closes the wrapper's group, such
//! as `a)|(b`, breaks out of it here as it does upstream. [`parser`] reads Go's syntax, with Go's
//! quirks, limits and error texts; [`translate`] hands the tree to `regex-automata`; no text of an
//! expression is ever rewritten. [`shape`] finds expressions that need no engine.

mod ast;
mod class;
mod error;
mod parser;
mod shape;
mod surrogate;
mod translate;
mod unicode_names;

use std::fmt;
use std::sync::Arc;

use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::{Input, meta};

use error::ErrorKind;
pub use error::RegexError;
use shape::Shape;

/// A compiled expression of a rule. Cheap to clone.
#[derive(Clone)]
pub struct Regex(Arc<Compiled>);

struct Compiled {
    pattern: String,
    shape: Shape,
    /// What every match begins with, at the beginning of the value.
    prefix: String,
    /// `None` if the shape tells all there is.
    engine: Option<meta::Regex>,
    /// Names of the groups, from the first one on; empty for those without.
    names: Vec<String>,
}

/// Where the groups of a match begin and end, as many of them as were asked for.
#[derive(Clone, Debug)]
pub struct Slots {
    few: [Option<NonMaxUsize>; Slots::FEW],
    many: Vec<Option<NonMaxUsize>>,
    count: usize,
}

// === impl Regex ===

impl Regex {
    /// Compiles an expression as `relabel.NewRegexp` does.
    pub fn new(pattern: &str) -> Result<Self, RegexError> {
        let expression = format!("^(?s:{pattern})$");
        let mut parsed = parser::parse(&expression)?;
        surrogate::replace_in_prefix(&mut parsed);
        let shape = Shape::of(&parsed);
        let engine = if shape.needs_engine() {
            let engine = Self::engine(&parsed);
            // Far beyond what upstream's own limits, which were checked, let through.
            Some(engine.ok_or_else(|| RegexError::new(ErrorKind::Large, &expression))?)
        } else {
            None
        };
        let prefix = shape::prefix(&parsed);
        let pattern = pattern.to_owned();
        Ok(Self(Arc::new(Compiled {
            pattern,
            shape,
            prefix,
            engine,
            names: parsed.names,
        })))
    }

    /// `None` if the compiled expression would be too large.
    fn engine(parsed: &parser::Parsed) -> Option<meta::Regex> {
        let hir = translate::translate(parsed);
        let build = |config: meta::Config| {
            let config = config.hybrid_cache_capacity(Self::MAX_CACHE);
            meta::Builder::new()
                .configure(config)
                .build_from_hir(&hir)
                .ok()
        };
        let fast = meta::Config::new().nfa_size_limit(Some(Self::MAX_FAST_PROGRAM));
        // Without the engines that need a second program, for reading backwards, a large expression
        // takes less than half of the memory; upstream has no such engines either.
        let lean = meta::Config::new()
            .nfa_size_limit(Some(Self::MAX_PROGRAM))
            .hybrid(false)
            .onepass(false)
            .dfa(false);
        let engine = build(fast).or_else(|| build(lean))?;
        let states = engine.memory_usage() / Self::STATE_BYTES;
        let slots = engine.group_info().slot_len();
        // A search without a cache of its own keeps every group's place for every state, twice.
        let search = states * slots * 2 * size_of::<usize>();
        (search <= Self::MAX_SEARCH).then_some(engine)
    }

    /// What a state takes at least, without what it shares.
    const STATE_BYTES: usize = 24;
    /// Bytes that one search may take, for each thread.
    const MAX_SEARCH: usize = 256 << 20;

    /// Bytes of a compiled expression that gets every engine.
    const MAX_FAST_PROGRAM: usize = 4 << 20;
    /// Bytes of any expression while it is compiled; afterwards it takes about half. `\pL{1000}` keeps
    /// 15 MB. Upstream's own limits let a few larger ones through.
    const MAX_PROGRAM: usize = 64 << 20;
    /// Bytes of the states that a search keeps for the next one, for each thread.
    const MAX_CACHE: usize = 256 << 10;

    /// Bytes that the compiled expression takes, those of running searches aside.
    pub fn memory(&self) -> usize {
        let engine = self.0.engine.as_ref();
        engine.map_or(0, meta::Regex::memory_usage) + self.0.pattern.len() + self.0.prefix.len()
    }

    /// The expression as written.
    pub fn pattern(&self) -> &str {
        &self.0.pattern
    }

    /// The names of the groups, from the first one on; empty for those without.
    pub fn group_names(&self) -> &[String] {
        &self.0.names
    }

    /// What each value that matches begins with; empty if nothing is known.
    pub(crate) fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// Whether the expression matches `value`.
    pub fn is_match(&self, value: &str) -> bool {
        match self.0.shape.is_match(value) {
            Some(is_match) => is_match,
            None => self.search(value, 0, &mut Slots::new(0)),
        }
    }

    /// Finds the leftmost match and its groups, as far as `slots` has room for them.
    pub fn captures(&self, value: &str, slots: &mut Slots) -> bool {
        match self.0.shape.captures(value, slots) {
            Some(is_match) => is_match,
            None => self.search(value, 0, slots),
        }
    }

    /// Go's `ReplaceAllString`: appends `value` to `out` with each match replaced by what
    /// `replace` appends for it. `false`, and nothing appended, if there is no match.
    pub(crate) fn replace_all(
        &self,
        value: &str,
        slots: &mut Slots,
        out: &mut String,
        replace: impl Fn(&Slots, &mut String),
    ) -> bool {
        if let Some(is_match) = self.0.shape.captures(value, slots) {
            // What has a shape is anchored: its one match is the whole value.
            if is_match {
                replace(slots, out);
            }
            return is_match;
        }
        let (mut last_end, mut at, mut is_match) = (0, 0, false);
        while at <= value.len() && self.search(value, at, slots) {
            is_match = true;
            let (start, end) = slots.span(0).unwrap_or((at, at));
            out.push_str(&value[last_end..start]);
            // An empty match right after another one is not replaced.
            if end > last_end || start == 0 {
                replace(slots, out);
            }
            last_end = end;
            let width = value[at..].chars().next().map_or(1, char::len_utf8);
            at = if at + width > end { at + width } else { end };
        }
        if is_match {
            out.push_str(&value[last_end..]);
        }
        is_match
    }

    /// Finds the first match that begins at `from` or later.
    fn search(&self, value: &str, from: usize, slots: &mut Slots) -> bool {
        let Some(engine) = &self.0.engine else {
            return false;
        };
        if !shape::begins_with(value, self.prefix()) {
            return false;
        }
        let input = Input::new(value).span(from..value.len());
        if slots.count == 0 {
            return engine.is_match(input);
        }
        engine.search_slots(&input, slots.as_mut()).is_some()
    }
}

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.0.pattern == other.0.pattern
    }
}

impl Eq for Regex {}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Regex").field(&self.0.pattern).finish()
    }
}

// === impl Slots ===

impl Slots {
    /// Slots that need no memory of their own: for the whole match and three groups.
    const FEW: usize = 8;

    /// Room for `groups` groups, the whole match being the first.
    pub fn new(groups: usize) -> Self {
        let count = groups * 2;
        let many = if count > Self::FEW {
            vec![None; count]
        } else {
            Vec::new()
        };
        Self {
            few: [None; Self::FEW],
            many,
            count,
        }
    }

    /// The text of a group; `None` if it took no part in the match, or there was no room for it.
    pub fn group<'v>(&self, group: usize, value: &'v str) -> Option<&'v str> {
        let (start, end) = self.span(group)?;
        value.get(start..end)
    }

    /// Where a group begins and ends.
    pub fn span(&self, group: usize) -> Option<(usize, usize)> {
        let slots = self.as_ref();
        let at = |slot: usize| Some(slots.get(slot).copied()??.get());
        Some((at(group * 2)?, at(group * 2 + 1)?))
    }

    fn set(&mut self, group: usize, start: usize, end: usize) {
        if let Some([first, second]) = self.as_mut().get_mut(group * 2..group * 2 + 2) {
            *first = NonMaxUsize::new(start);
            *second = NonMaxUsize::new(end);
        }
    }

    fn as_ref(&self) -> &[Option<NonMaxUsize>] {
        if self.many.is_empty() {
            &self.few[..self.count]
        } else {
            &self.many
        }
    }

    fn as_mut(&mut self) -> &mut [Option<NonMaxUsize>] {
        if self.many.is_empty() {
            &mut self.few[..self.count]
        } else {
            &mut self.many
        }
    }
}

#[cfg(test)]
mod tests;
