//! The rows that pointers find, as records hold them: each text once, and a row as the numbers of
//! its texts. So a record is about as large as its object, however often a value is repeated.

use periplus_config::ResourcePointers;
use rustc_hash::FxHashMap;
use serde_json::Value;

use super::Spec;
use crate::record::{Record, Writer};

/// The number that stands for no text.
const NONE: u64 = 0;

/// What a record holds of an object, besides its metadata.
#[derive(Debug)]
pub(crate) struct CustomFields<'a> {
    /// Row by row: the address, the port, and each label in the order of their names.
    cells: Vec<Option<&'a str>>,
    /// Cells of one row.
    width: usize,
}

/// What one target is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CustomRow<'r> {
    /// Its address.
    pub(crate) address: &'r str,
    /// Its port; if the section has a pointer to ports, every row has one.
    pub(crate) port: Option<&'r str>,
    /// The values of labels, in the order of the labels' names.
    pub(crate) labels: &'r [Option<&'r str>],
}

/// Numbers for texts, in the order in which they were seen first.
#[derive(Default)]
struct Texts<'t> {
    numbers: FxHashMap<&'t str, u64>,
    texts: Vec<&'t str>,
}

/// Packs what the pointers find in an object.
pub(super) fn pack(pointers: &ResourcePointers, object: &Value, writer: &mut Writer) {
    let found = pointers.rows(object);
    let mut texts = Texts::default();
    let mut numbers = Vec::with_capacity(found.rows.len() * width(pointers));
    for row in &found.rows {
        numbers.push(texts.number(&row.address));
        numbers.push(row.port.as_deref().map_or(NONE, |port| texts.number(port)));
        let mut labels = row.labels.iter().peekable();
        numbers.extend(pointers.labels.keys().map(|name| {
            let label = labels.next_if(|(found, _)| found == name);
            label.map_or(NONE, |(_, value)| texts.number(value))
        }));
    }
    writer.flag(found.is_cut);
    writer.block(|writer| texts.texts.iter().for_each(|text| writer.text(text)));
    for number in numbers {
        writer.number(number);
    }
}

/// Whether rows were left out of a record, because the object has too many.
pub(super) fn is_cut(record: &Record) -> bool {
    record.body().flag()
}

fn width(pointers: &ResourcePointers) -> usize {
    2 + pointers.labels.len()
}

// === impl CustomFields ===

impl<'a> CustomFields<'a> {
    /// What an object's record holds.
    pub(crate) fn of(record: &'a Record, spec: &Spec) -> Self {
        let mut reader = record.body();
        let _is_cut = reader.flag();
        let mut block = reader.block();
        let mut texts = vec![None];
        while !block.is_empty() {
            texts.push(Some(block.text()));
        }
        let mut cells = Vec::new();
        while !reader.is_empty() {
            cells.push(texts[reader.number() as usize]);
        }
        Self {
            cells,
            width: width(&spec.pointers),
        }
    }

    /// The rows, in the order of the object.
    pub(crate) fn rows(&self) -> impl Iterator<Item = CustomRow<'_>> {
        let rows = self.cells.chunks_exact(self.width);
        rows.filter_map(|cells| match *cells {
            [Some(address), port, ref labels @ ..] => Some(CustomRow {
                address,
                port,
                labels,
            }),
            // Every row has an address.
            _ => None,
        })
    }
}

// === impl Texts ===

impl<'t> Texts<'t> {
    fn number(&mut self, text: &'t str) -> u64 {
        *self.numbers.entry(text).or_insert_with(|| {
            self.texts.push(text);
            self.texts.len() as u64
        })
    }
}
