//! Upstream's limits on how large and how deep an expression may be.
//!
//! Both are tracked only once an expression is large enough to possibly break them, and what was
//! computed for a node stays until its number is used again, as upstream does it.

use std::collections::HashMap;

use super::super::ast::{Id, Node, Op};
use super::super::error::{ErrorKind, RegexError};
use super::{Parser, Result};

const MAX_HEIGHT: usize = 1000;
/// 128 MB in instructions of Go's program.
const MAX_SIZE: i64 = (128 << 20) / 40;
/// 128 MB in bounds of character classes.
const MAX_RUNES: usize = (128 << 20) / 4;

#[derive(Debug, Default)]
pub(super) struct Limits {
    runes: usize,
    /// The product of all counted repetitions.
    repeats: i64,
    heights: Option<HashMap<Id, usize>>,
    sizes: Option<HashMap<Id, i64>>,
}

impl Limits {
    pub(super) fn count_runes(&mut self, node: &Node) {
        self.runes += node.runes.len() + 2 * node.class.ranges().len();
    }

    pub(super) fn forget(&mut self, id: Id) {
        if let Some(heights) = &mut self.heights {
            heights.remove(&id);
        }
    }
}

impl Parser<'_> {
    pub(super) fn check_limits(&mut self, id: Id) -> Result<()> {
        if self.limits.runes > MAX_RUNES {
            return Err(self.too_large());
        }
        self.check_size(id)?;
        self.check_height(id)
    }

    fn check_size(&mut self, id: Id) -> Result<()> {
        if self.limits.sizes.is_none() {
            self.count_repeats(id);
            if (self.tree.allocated() as i64) < MAX_SIZE / self.limits.repeats {
                return Ok(());
            }
            self.limits.sizes = Some(HashMap::new());
            for id in self.stack.clone() {
                self.check_size(id)?;
            }
        }
        if self.size(id, true) > MAX_SIZE {
            Err(self.too_large())
        } else {
            Ok(())
        }
    }

    fn count_repeats(&mut self, id: Id) {
        let node = self.tree.node(id);
        let repeats = self.limits.repeats.max(1);
        self.limits.repeats = if node.op == Op::Repeat {
            let count = if node.max == -1 { node.min } else { node.max };
            let count = i64::from(count).max(1);
            if count > MAX_SIZE / repeats {
                MAX_SIZE
            } else {
                repeats * count
            }
        } else {
            repeats
        };
    }

    fn size(&mut self, id: Id, anew: bool) -> i64 {
        let known = self.limits.sizes.as_ref().and_then(|sizes| sizes.get(&id));
        if let (false, Some(size)) = (anew, known) {
            return *size;
        }
        let subs: i64 = self
            .tree
            .node(id)
            .subs
            .clone()
            .iter()
            .map(|sub| self.size(*sub, false))
            .sum();
        let node = self.tree.node(id);
        let (min, max) = (i64::from(node.min), i64::from(node.max));
        let size = match node.op {
            Op::Literal => node.runes.len() as i64,
            Op::Capture | Op::Star => 2 + subs,
            Op::Plus | Op::Quest => 1 + subs,
            Op::Concat => subs,
            Op::Alternate => subs + (node.subs.len() as i64 - 1).max(0),
            Op::Repeat if max == -1 && min == 0 => 2 + subs,
            Op::Repeat if max == -1 => 1 + min * subs,
            Op::Repeat => max * subs + (max - min),
            _ => 0,
        };
        let size = size.max(1);
        if let Some(sizes) = &mut self.limits.sizes {
            sizes.insert(id, size);
        }
        size
    }

    fn check_height(&mut self, id: Id) -> Result<()> {
        if self.tree.allocated() < MAX_HEIGHT {
            return Ok(());
        }
        if self.limits.heights.is_none() {
            self.limits.heights = Some(HashMap::new());
            for id in self.stack.clone() {
                self.check_height(id)?;
            }
        }
        if self.height(id, true) > MAX_HEIGHT {
            return Err(RegexError::new(ErrorKind::NestingDepth, self.whole));
        }
        Ok(())
    }

    fn height(&mut self, id: Id, anew: bool) -> usize {
        let known = self
            .limits
            .heights
            .as_ref()
            .and_then(|heights| heights.get(&id));
        if let (false, Some(height)) = (anew, known) {
            return *height;
        }
        let subs = self.tree.node(id).subs.clone();
        let height = 1 + subs
            .iter()
            .map(|sub| self.height(*sub, false))
            .max()
            .unwrap_or_default();
        if let Some(heights) = &mut self.limits.heights {
            heights.insert(id, height);
        }
        height
    }

    fn too_large(&self) -> RegexError {
        RegexError::new(ErrorKind::Large, self.whole)
    }
}
