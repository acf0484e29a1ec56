//! Rows as the guest sees them: cells over one table of distinct strings.

use periplus_core::LabelSet;
use rustc_hash::FxHashMap;

use crate::bindings::transformer::exports::periplus::discovery::transformer::{Batch, Interest};
use crate::names::NamePatterns;

/// What a guest wants to see.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    /// Empty: everything.
    reads: NamePatterns,
    requires: Vec<String>,
}

/// A batch, and which rows are in it.
pub(super) struct Encoded {
    pub(super) batch: Batch,
    /// For row r of the batch, its place among the rows that came.
    pub(super) places: Vec<usize>,
}

/// The table of distinct strings under construction.
#[derive(Default)]
struct Table<'a> {
    text: Vec<u8>,
    ends: Vec<u32>,
    symbols: FxHashMap<&'a str, u32>,
}

// === impl Filter ===

impl Filter {
    pub(super) fn new(interest: Interest) -> Self {
        Self {
            reads: NamePatterns::new(interest.reads),
            requires: interest.requires,
        }
    }

    /// Encodes the rows that the guest asks for, with the labels that it asks for.
    pub(super) fn encode(&self, rows: &[LabelSet]) -> Encoded {
        let mut table = Table::default();
        let (mut ends, mut cells, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for (place, row) in rows.iter().enumerate().filter(|(_, row)| self.wants(row)) {
            for (name, value) in row {
                if !value.is_empty() && (self.reads.is_empty() || self.reads.contains(name)) {
                    cells.push(table.symbol(name));
                    cells.push(table.symbol(value));
                }
            }
            ends.push(cells.len() as u32);
            places.push(place);
        }
        let batch = Batch {
            text: table.text,
            ends: table.ends,
            rows: ends,
            cells,
        };
        Encoded { batch, places }
    }

    fn wants(&self, row: &LabelSet) -> bool {
        self.requires
            .iter()
            .all(|name| row.get(name).is_some_and(|value| !value.is_empty()))
    }
}

// === impl Table ===

impl<'a> Table<'a> {
    fn symbol(&mut self, string: &'a str) -> u32 {
        *self.symbols.entry(string).or_insert_with(|| {
            self.text.extend_from_slice(string.as_bytes());
            self.ends.push(self.text.len() as u32);
            self.ends.len() as u32 - 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<LabelSet> {
        vec![
            [("a", "1"), ("b", "2")].into_iter().collect(),
            [("a", "2"), ("empty", "")].into_iter().collect(),
        ]
    }

    fn filter(reads: &[&str], requires: &[&str]) -> Filter {
        let own = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Filter::new(Interest {
            reads: own(reads),
            requires: own(requires),
        })
    }

    /// The rows as text again.
    fn decode(batch: &Batch) -> Vec<Vec<(String, String)>> {
        let string = |symbol: u32| {
            let start = symbol
                .checked_sub(1)
                .map_or(0, |before| batch.ends[before as usize]);
            let bytes = &batch.text[start as usize..batch.ends[symbol as usize] as usize];
            String::from_utf8(bytes.to_vec()).unwrap()
        };
        let mut start = 0;
        batch
            .rows
            .iter()
            .map(|&end| {
                let cells = &batch.cells[std::mem::replace(&mut start, end as usize)..end as usize];
                cells
                    .chunks(2)
                    .map(|pair| (string(pair[0]), string(pair[1])))
                    .collect()
            })
            .collect()
    }

    fn pairs(labels: &[(&str, &str)]) -> Vec<(String, String)> {
        labels
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn rows_survive_and_strings_stand_once() {
        let encoded = filter(&[], &[]).encode(&rows());
        assert_eq!(
            decode(&encoded.batch),
            vec![pairs(&[("a", "1"), ("b", "2")]), pairs(&[("a", "2")])]
        );
        assert_eq!(encoded.batch.text, b"a1b2");
        assert_eq!(encoded.places, vec![0, 1]);
    }

    #[test]
    fn only_what_is_read_is_passed() {
        let encoded = filter(&["b*"], &[]).encode(&rows());
        assert_eq!(
            decode(&encoded.batch),
            vec![pairs(&[("b", "2")]), pairs(&[])]
        );
    }

    #[test]
    fn rows_without_a_required_label_stay_out() {
        let encoded = filter(&[], &["b"]).encode(&rows());
        assert_eq!(encoded.places, vec![0]);
        assert!(filter(&[], &["empty"]).encode(&rows()).places.is_empty());
    }
}
