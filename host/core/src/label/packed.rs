//! The values of a label set in one text.
//!
//! The text begins with a table of where each value ends, written in ASCII so that table and values
//! are one `str`, one allocation, and no part of it has to be checked for UTF-8 again: one character
//! that tells the width of an entry, then the entries, seven bits a byte, the high ones first.

use std::cell::RefCell;
use std::sync::Arc;

use super::{LabelSet, names};

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
}

// === impl Packed ===

impl Packed {
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The value at `at` of `count`.
    pub(super) fn get(&self, at: usize, count: usize) -> &str {
        let bytes = self.0.as_bytes();
        let width = usize::from(bytes[0]);
        let end = |at: usize| {
            let entry = &bytes[1 + at * width..][..width];
            entry
                .iter()
                .fold(0_usize, |end, byte| end << BITS | usize::from(*byte))
        };
        let start = if at == 0 { 0 } else { end(at - 1) };
        let table = 1 + count * width;
        &self.0[table + start..table + end(at)]
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
            names: names::intern(&buffers.names, &buffers.name_ends),
            values: buffers.pack(),
        };
        buffers.clear();
        SPARE.with(|spare| *spare.borrow_mut() = self.0);
        set
    }
}

// === impl Buffers ===

impl Buffers {
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
