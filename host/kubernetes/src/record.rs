//! Packed records: what is kept of an object, in one allocation.
//!
//! A record is a run of length-prefixed strings and numbers: first labels and annotations, alike
//! for all kinds, then what its resource wrote, in that order. A Pod of 8.6 KB JSON packs into less
//! than 1 KB, two records are compared by their bytes, and reading one back allocates nothing.

use std::sync::Arc;

/// What is kept of one object. Equal records mean equal targets. Cloning is a reference count.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Record(Arc<[u8]>);

/// Writes records. Its buffer is reused from object to object.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

/// Reads a record in the order in which it was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

/// Packed pairs, such as labels, in ascending order of their names.
#[derive(Clone, Debug)]
pub(crate) struct PairIter<'a> {
    reader: Reader<'a>,
    left: u64,
}

// === impl Record ===

impl Record {
    /// The size of the packed bytes.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Labels and annotations: two records with equal bytes here have equal ones.
    pub(crate) fn metadata_bytes(&self) -> &[u8] {
        Reader(&self.0).block().0
    }

    /// The object's labels.
    pub(crate) fn labels(&self) -> PairIter<'_> {
        Reader(&self.0).block().pairs()
    }

    /// The object's annotations, but for those that were left out.
    pub(crate) fn annotations(&self) -> PairIter<'_> {
        let mut metadata = Reader(&self.0).block();
        metadata.skip_pairs();
        metadata.pairs()
    }

    /// The value of a label.
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        let mut labels = self.labels();
        labels.find_map(|(known, value)| (known == name).then_some(value))
    }

    /// Reads what comes after the metadata, which differs from kind to kind.
    pub(crate) fn body(&self) -> Reader<'_> {
        let mut reader = Reader(&self.0);
        reader.block();
        reader
    }
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Record({:?})", String::from_utf8_lossy(&self.0))
    }
}

// === impl Writer ===

impl Writer {
    /// Adds a string.
    pub(crate) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    /// Adds a number, seven bits a byte, the low ones first.
    pub(crate) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number as u8) | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// Adds a truth value.
    pub(crate) fn flag(&mut self, flag: bool) {
        self.0.push(u8::from(flag));
    }

    /// Adds a string that may be absent.
    pub(crate) fn optional_text(&mut self, text: Option<&str>) {
        self.flag(text.is_some());
        if let Some(text) = text {
            self.text(text);
        }
    }

    /// Adds a truth value that may be absent.
    pub(crate) fn optional_flag(&mut self, flag: Option<bool>) {
        self.number(flag.map_or(0, |flag| 1 + u64::from(flag)));
    }

    /// Adds what `write` writes behind its length, so that it can be compared and skipped whole.
    pub(crate) fn block(&mut self, write: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        write(self);
        let end = self.0.len();
        self.number((end - start) as u64);
        let prefix = self.0.len() - end;
        self.0[start..].rotate_right(prefix);
    }

    /// Adds pairs behind their number.
    pub(crate) fn pairs<'p>(&mut self, pairs: impl Iterator<Item = (&'p str, &'p str)> + Clone) {
        self.number(pairs.clone().count() as u64);
        for (name, value) in pairs {
            self.text(name);
            self.text(value);
        }
    }

    /// The finished record; the writer is empty afterwards.
    pub(crate) fn take(&mut self) -> Record {
        let record = Record(self.0.as_slice().into());
        self.0.clear();
        record
    }

    /// Throws away what was written since the last record.
    pub(crate) fn reset(&mut self) {
        self.0.clear();
    }

    /// Whether what was written since the last record equals `record`; no allocation.
    pub(crate) fn equals(&self, record: &Record) -> bool {
        self.0[..] == record.0[..]
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    /// The next string.
    pub(crate) fn text(&mut self) -> &'a str {
        std::str::from_utf8(self.block().0).expect("a record is read as it was written")
    }

    /// The next string, if it is there.
    pub(crate) fn optional_text(&mut self) -> Option<&'a str> {
        self.flag().then(|| self.text())
    }

    /// The next truth value, if it is there.
    pub(crate) fn optional_flag(&mut self) -> Option<bool> {
        self.number().checked_sub(1).map(|flag| flag != 0)
    }

    /// The next block, or the bytes of the next string.
    pub(crate) fn block(&mut self) -> Reader<'a> {
        let length = self.number() as usize;
        let (block, rest) = self.0.split_at(length);
        self.0 = rest;
        Reader(block)
    }

    /// How many blocks or strings are left, if there is nothing else.
    pub(crate) fn block_count(mut self) -> usize {
        let mut count = 0;
        while !self.is_empty() {
            self.block();
            count += 1;
        }
        count
    }

    /// The next pairs. They must not be followed by anything: they are not read over.
    pub(crate) fn pairs(mut self) -> PairIter<'a> {
        PairIter {
            left: self.number(),
            reader: self,
        }
    }

    /// Reads over pairs.
    pub(crate) fn skip_pairs(&mut self) {
        for _ in 0..self.number() {
            self.block();
            self.block();
        }
    }

    /// What is left.
    pub(crate) fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Whether all was read.
    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The next number.
    pub(crate) fn number(&mut self) -> u64 {
        let mut number = 0;
        let mut shift = 0;
        loop {
            let byte = self.0[0];
            self.0 = &self.0[1..];
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return number;
            }
            shift += 7;
        }
    }

    /// The next truth value.
    pub(crate) fn flag(&mut self) -> bool {
        self.number() != 0
    }
}

// === impl PairIter ===

impl<'a> Iterator for PairIter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = self.reader.text();
        Some((name, self.reader.text()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for PairIter<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record with nothing in its head, and `write` behind it.
    fn record(write: impl FnOnce(&mut Writer)) -> Record {
        let mut writer = Writer::default();
        writer.block(|_| {});
        write(&mut writer);
        writer.take()
    }

    #[test]
    fn what_is_written_is_read() {
        let long = "x".repeat(300);
        let texts = ["", "größe", &long];
        let numbers = [0, 127, 128, 65_535, u64::MAX];
        let record = record(|writer| {
            for text in texts {
                writer.text(text);
            }
            writer.block(|writer| {
                for number in numbers {
                    writer.number(number);
                }
            });
            writer.flag(true);
            writer.flag(false);
            for text in [None, Some(""), Some("a")] {
                writer.optional_text(text);
            }
            for flag in [None, Some(false), Some(true)] {
                writer.optional_flag(flag);
            }
        });
        let mut reader = record.body();
        assert_eq!([(); 3].map(|()| reader.text()), texts);
        let mut block = reader.block();
        assert_eq!([(); 5].map(|()| block.number()), numbers);
        assert!(block.is_empty());
        assert_eq!([(); 2].map(|()| reader.flag()), [true, false]);
        let optional = [(); 3].map(|()| reader.optional_text());
        assert_eq!(optional, [None, Some(""), Some("a")]);
        let optional = [(); 3].map(|()| reader.optional_flag());
        assert_eq!(optional, [None, Some(false), Some(true)]);
        assert!(reader.is_empty());
    }

    #[test]
    fn metadata_is_read_without_knowing_the_kind() {
        let mut writer = Writer::default();
        let annotations = [("c", "x".repeat(500))];
        writer.block(|writer| {
            writer.pairs([("a", "1"), ("b", "")].into_iter());
            writer.pairs(annotations.iter().map(|(name, value)| (*name, &**value)));
        });
        writer.text("body");
        let record = writer.take();
        assert_eq!(record.labels().collect::<Vec<_>>(), [("a", "1"), ("b", "")]);
        assert_eq!(record.annotations().len(), 1);
        assert_eq!(record.annotations().next().unwrap().1.len(), 500);
        assert_eq!((record.label("a"), record.label("c")), (Some("1"), None));
        assert_eq!(record.body().text(), "body");
        assert!(record.metadata_bytes().len() > 500);
    }

    #[test]
    fn a_writer_compares_before_it_allocates() {
        let mut writer = Writer::default();
        writer.text("a");
        let record = writer.take();
        writer.text("a");
        assert!(writer.equals(&record));
        writer.text("b");
        assert!(!writer.equals(&record));
        writer.reset();
        writer.text("a");
        assert_eq!(writer.take(), record);
    }
}
