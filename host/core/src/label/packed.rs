//! The values of a label set in one text.
//!
//! The text begins with a table of where each value ends, written in ASCII so that table and values
//! are one `str`, one allocation, and no part of it has to be checked for UTF-8 again: one character
//! that tells the width of an entry, then the entries, seven bits a byte, the high ones first.

use std::cell::RefCell;
use std::sync::Arc;

use super::LabelSet;
use super::names::{self, Names};

/// Bits of an entry in one byte: ASCII has seven.
const BITS: usize = 7;

thread_local! {
    /// Buffers of the last packer of this thread, so that packing allocates nothing but its result.
    static SPARE: RefCell<Buffers> = RefCell::default();
}

/// Packed values; what they are the values of is known elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Packed(Arc<str>);

/// Builds a label set from labels in ascending order of their names, each name once.
pub(super) struct Packer(Buffers);

#[derive(Default)]
struct Buffers {
    names: String,
    name_ends: Vec<u32>,
    values: String,
    value_ends: Vec<usize>,
    packed: String,
    /// The names of the last sets, the last one first: the next set mostly has the same.
    recent: [Option<Arc<Names>>; 4],
}

// === impl Packed ===

impl Packed {
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The value at `at` of `count`.
    pub(super) fn get(&self, at: usize, count: usize) -> &str {
        self.get_from(at, count, self.start(at)).0
    }

    /// Where the value before `at` ends.
    pub(super) fn start(&self, at: usize) -> usize {
        if at == 0 { 0 } else { self.end(at - 1) }
    }

    /// The value at `at` of `count`, which begins at `start`, and where it ends.
    pub(super) fn get_from(&self, at: usize, count: usize, start: usize) -> (&str, usize) {
        let table = 1 + count * self.width();
        let end = self.end(at);
        (&self.0[table + start..table + end], end)
    }

    fn end(&self, at: usize) -> usize {
        let bytes = self.0.as_bytes();
        if self.width() == 2 {
            // By far the most frequent one: the values of a target have a few hundred bytes.
            let at = 1 + at * 2;
            return usize::from(bytes[at]) << BITS | usize::from(bytes[at + 1]);
        }
        let entry = &bytes[1 + at * self.width()..][..self.width()];
        entry
            .iter()
            .fold(0_usize, |end, byte| end << BITS | usize::from(*byte))
    }

    fn width(&self) -> usize {
        usize::from(self.0.as_bytes()[0])
    }
}

// === impl Packer ===

impl Default for Packer {
    fn default() -> Self {
        Self(SPARE.with(|spare| std::mem::take(&mut *spare.borrow_mut())))
    }
}

impl Packer {
    pub(super) fn push(&mut self, name: &str, value: &str) {
        let buffers = &mut self.0;
        buffers.names.push_str(name);
        // Names of more than 4 GB do not reach us: every source of labels is bounded far below.
        buffers.name_ends.push(buffers.names.len() as u32);
        buffers.values.push_str(value);
        buffers.value_ends.push(buffers.values.len());
    }

    pub(super) fn finish(mut self) -> LabelSet {
        let buffers = &mut self.0;
        let set = LabelSet {
            names: buffers.intern(),
            values: buffers.pack(),
        };
        buffers.clear();
        SPARE.with(|spare| *spare.borrow_mut() = self.0);
        set
    }
}

// === impl Buffers ===

impl Buffers {
    fn intern(&mut self) -> Arc<Names> {
        let is_it = |names: &Option<Arc<Names>>| {
            names
                .as_ref()
                .is_some_and(|names| names.is(&self.names, &self.name_ends))
        };
        let at = self.recent.iter().position(is_it).unwrap_or_else(|| {
            let last = self.recent.len() - 1;
            self.recent[last] = Some(names::intern(&self.names, &self.name_ends));
            last
        });
        self.recent[..=at].rotate_right(1);
        self.recent[0].clone().unwrap_or_else(Names::none)
    }

    fn pack(&mut self) -> Packed {
        if self.value_ends.is_empty() {
            return Packed::default();
        }
        let width = width_of(self.values.len());
        self.packed.push(char::from(width as u8));
        for end in &self.value_ends {
            for byte in (0..width).rev() {
                let bits = (end >> (byte * BITS)) as u8 & ((1 << BITS) - 1);
                self.packed.push(char::from(bits));
            }
        }
        self.packed.push_str(&self.values);
        Packed(self.packed.as_str().into())
    }

    fn clear(&mut self) {
        self.names.clear();
        self.name_ends.clear();
        self.values.clear();
        self.value_ends.clear();
        self.packed.clear();
    }
}

/// How many bytes an entry of a table takes whose values have `length` bytes together.
fn width_of(length: usize) -> usize {
    let mut width = 1;
    while length >> (width * BITS) > 0 {
        width += 1;
    }
    width
}
