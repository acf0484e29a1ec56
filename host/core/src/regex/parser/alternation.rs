//! Alternations, and how upstream simplifies them: common prefixes are factored out, single
//! characters become classes.

use super::super::ast::{Flags, Id, Op};
use super::super::class::{self, ANY, Class};
use super::{Parser, Result};

impl Parser<'_> {
    pub(super) fn vertical_bar(&mut self) -> Result<()> {
        self.concat()?;
        // What stands below a bar becomes an alternation; there is one bar at most.
        if !self.swap_vertical_bar() {
            self.push_op(Op::VerticalBar)?;
        }
        Ok(())
    }

    /// Closes the alternation on top of the stack, at a parenthesis or at the end.
    pub(super) fn close_alternation(&mut self) -> Result<()> {
        self.concat()?;
        if self.swap_vertical_bar() {
            self.stack.pop();
        }
        let subs = self.take_subs();
        if let Some(last) = subs.last() {
            self.clean(*last);
        }
        let node = if subs.is_empty() {
            self.tree.add(Op::NoMatch, Flags::default())
        } else {
            self.collapse(subs, Op::Alternate)?
        };
        self.push(node)
    }

    /// If the second item of the stack is a bar, brings it to the top.
    fn swap_vertical_bar(&mut self) -> bool {
        let [.., bar, top] = self.stack[..] else {
            return false;
        };
        if self.tree.node(bar).op != Op::VerticalBar {
            return false;
        }
        let at = self.stack.len();
        if let [.., below, _, _] = self.stack[..] {
            if self.tree.is_char_class(top) && self.tree.is_char_class(below) {
                // The simpler one is merged into the other.
                let (into, from) = if self.tree.node(top).op > self.tree.node(below).op {
                    (top, below)
                } else {
                    (below, top)
                };
                self.stack[at - 3] = into;
                self.merge_class(into, from);
                self.release(from);
                self.stack.pop();
                return true;
            }
            self.clean(below);
        }
        self.stack.swap(at - 2, at - 1);
        true
    }

    /// A class of everything, or of everything but a newline, becomes a dot.
    fn clean(&mut self, id: Id) {
        const NEWLINE: u32 = 0xa;
        let node = self.tree.node_mut(id);
        if node.op != Op::CharClass {
            return;
        }
        let dot = if node.class == *ANY {
            Op::AnyChar
        } else if node.class.negated().ranges() == [(NEWLINE, NEWLINE)] {
            Op::AnyCharNotNewline
        } else {
            return;
        };
        node.op = dot;
        node.class = Class::default();
    }

    /// Makes `into` match what `from` matches, too; `into` is the more complex one.
    fn merge_class(&mut self, into: Id, from: Id) {
        let (target, source) = (self.tree.node(into), self.tree.node(from));
        match target.op {
            Op::AnyCharNotNewline => {
                let has_newline = match source.op {
                    Op::Literal => source.runes[0] == 0xa,
                    Op::CharClass => source.class.contains(0xa),
                    op => op == Op::AnyChar,
                };
                if has_newline {
                    self.tree.node_mut(into).op = Op::AnyChar;
                }
            }
            Op::CharClass | Op::Literal => {
                if target.op == Op::Literal
                    && target.runes == source.runes
                    && target.flags == source.flags
                {
                    return;
                }
                let mut class = self.char_class(into);
                class.union(&self.char_class(from));
                let node = self.tree.node_mut(into);
                node.op = Op::CharClass;
                node.runes.clear();
                node.class = class;
            }
            // A dot matches all of it already.
            _ => {}
        }
    }

    /// The characters that a literal of one or a class matches.
    fn char_class(&self, id: Id) -> Class {
        let node = self.tree.node(id);
        match node.runes[..] {
            [rune] if node.flags.fold_case => class::orbit(rune),
            [rune] => Class::of(&[(rune, rune)]),
            _ => node.class.clone(),
        }
    }

    /// Factors common prefixes out of the branches of an alternation: `ABC|ABD|AEF` becomes
    /// `A(B[CD]|EF)`.
    pub(super) fn factor(&mut self, subs: Vec<Id>) -> Result<Vec<Id>> {
        if subs.len() < 2 {
            return Ok(subs);
        }
        let subs = self.factor_strings(subs)?;
        let subs = self.factor_classes(subs)?;
        let mut subs = self.join_characters(subs);
        subs.dedup_by(|next, kept| {
            self.tree.node(*kept).op == Op::EmptyMatch && self.tree.node(*next).op == Op::EmptyMatch
        });
        Ok(subs)
    }

    /// Round one: literal prefixes.
    fn factor_strings(&mut self, mut subs: Vec<Id>) -> Result<Vec<Id>> {
        let mut out = Vec::with_capacity(subs.len());
        let mut start = 0;
        let mut prefix: Vec<u32> = Vec::new();
        let mut fold_case = false;
        for at in 0..=subs.len() {
            let (leading, leading_fold) = match subs.get(at) {
                Some(sub) => self.leading_string(*sub),
                None => (Vec::new(), false),
            };
            if at < subs.len() && leading_fold == fold_case {
                let same = prefix
                    .iter()
                    .zip(&leading)
                    .take_while(|(one, two)| one == two)
                    .count();
                if same > 0 {
                    prefix.truncate(same);
                    continue;
                }
            }
            // The branches from `start` up to here begin with `prefix`; this one does not.
            if at == start + 1 {
                out.push(subs[start]);
            } else if at > start {
                let flags = Flags {
                    fold_case,
                    ..Flags::default()
                };
                let literal = self.tree.add(Op::Literal, flags);
                self.tree.node_mut(literal).runes.clone_from(&prefix);
                for sub in &mut subs[start..at] {
                    *sub = self.remove_leading_string(*sub, prefix.len());
                    self.check_limits(*sub)?;
                }
                out.push(self.prefixed(literal, subs[start..at].to_vec())?);
            }
            start = at;
            prefix = leading;
            fold_case = leading_fold;
        }
        Ok(out)
    }

    /// Round two: a common first item, if it is a character class, or one repeated a fixed number
    /// of times. Others are not safe to factor out.
    fn factor_classes(&mut self, mut subs: Vec<Id>) -> Result<Vec<Id>> {
        let mut out = Vec::with_capacity(subs.len());
        let mut start = 0;
        let mut first: Option<Id> = None;
        for at in 0..=subs.len() {
            let leading = subs.get(at).and_then(|sub| self.leading_node(*sub));
            if let (true, Some(first), Some(leading)) = (at < subs.len(), first, leading)
                && self.tree.equal(first, leading)
                && self.is_safe_prefix(first)
            {
                continue;
            }
            if at == start + 1 {
                out.push(subs[start]);
            } else if let (true, Some(first)) = (at > start, first) {
                for (index, sub) in subs[start..at].iter_mut().enumerate() {
                    // The first one's prefix is the one that stays.
                    *sub = self.remove_leading_node(*sub, index > 0);
                    self.check_limits(*sub)?;
                }
                out.push(self.prefixed(first, subs[start..at].to_vec())?);
            }
            start = at;
            first = leading;
        }
        Ok(out)
    }

    fn prefixed(&mut self, prefix: Id, branches: Vec<Id>) -> Result<Id> {
        let suffix = self.collapse(branches, Op::Alternate)?;
        let node = self.tree.add(Op::Concat, Flags::default());
        self.tree.node_mut(node).subs = vec![prefix, suffix];
        Ok(node)
    }

    fn is_safe_prefix(&self, id: Id) -> bool {
        let node = self.tree.node(id);
        self.tree.is_char_class(id)
            || (node.op == Op::Repeat
                && node.min == node.max
                && self.tree.is_char_class(node.subs[0]))
    }

    /// Round three: runs of single characters become one class.
    fn join_characters(&mut self, mut subs: Vec<Id>) -> Vec<Id> {
        let mut out = Vec::with_capacity(subs.len());
        let mut start = 0;
        for at in 0..=subs.len() {
            if subs
                .get(at)
                .is_some_and(|sub| self.tree.is_char_class(*sub))
            {
                continue;
            }
            if at == start + 1 {
                out.push(subs[start]);
            } else if at > start {
                let size = |id: &Id| {
                    let node = self.tree.node(*id);
                    (node.op, node.runes.len() + node.class.ranges().len())
                };
                // The most complex one takes up the others; of equal ones, the first.
                let run = &subs[start..at];
                let most = (0..run.len()).rev().max_by_key(|index| size(&run[*index]));
                subs.swap(start, start + most.unwrap_or(0));
                for sub in &subs[start + 1..at] {
                    self.merge_class(subs[start], *sub);
                    self.release(*sub);
                }
                self.clean(subs[start]);
                out.push(subs[start]);
            }
            out.extend(subs.get(at));
            start = at + 1;
        }
        out
    }

    /// The literal that a branch begins with, and whether its case is ignored.
    fn leading_string(&self, id: Id) -> (Vec<u32>, bool) {
        let mut node = self.tree.node(id);
        if let (Op::Concat, Some(first)) = (node.op, node.subs.first()) {
            node = self.tree.node(*first);
        }
        if node.op == Op::Literal {
            (node.runes.clone(), node.flags.fold_case)
        } else {
            (Vec::new(), false)
        }
    }

    fn remove_leading_string(&mut self, id: Id, count: usize) -> Id {
        let node = self.tree.node(id);
        if let (Op::Concat, Some(first)) = (node.op, node.subs.first().copied()) {
            let first = self.remove_leading_string(first, count);
            self.tree.node_mut(id).subs[0] = first;
            if self.tree.node(first).op != Op::EmptyMatch {
                return id;
            }
            self.release(first);
            return self.drop_first(id);
        }
        let node = self.tree.node_mut(id);
        if node.op == Op::Literal {
            node.runes.drain(..count.min(node.runes.len()));
            if node.runes.is_empty() {
                node.op = Op::EmptyMatch;
            }
        }
        id
    }

    fn leading_node(&self, id: Id) -> Option<Id> {
        let node = self.tree.node(id);
        let leading = match (node.op, node.subs.first()) {
            (Op::Concat, Some(first)) => *first,
            _ => id,
        };
        (self.tree.node(leading).op != Op::EmptyMatch).then_some(leading)
    }

    fn remove_leading_node(&mut self, id: Id, release: bool) -> Id {
        let node = self.tree.node(id);
        if let (Op::Concat, Some(first)) = (node.op, node.subs.first().copied()) {
            if release {
                self.release(first);
            }
            return self.drop_first(id);
        }
        if release {
            self.release(id);
        }
        self.tree.add(Op::EmptyMatch, Flags::default())
    }

    /// A concatenation without its first part.
    fn drop_first(&mut self, id: Id) -> Id {
        let node = self.tree.node_mut(id);
        node.subs.remove(0);
        match node.subs[..] {
            [] => {
                node.op = Op::EmptyMatch;
                id
            }
            [only] => {
                self.release(id);
                only
            }
            _ => id,
        }
    }
}
