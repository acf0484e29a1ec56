//! The rows that a transformer reads: targets over one table of strings, read in place.

use std::str;

/// Targets as rows over one table of strings, as the contract passes them. Checked once, in [`Batch::rows`].
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Every distinct name and value, one after the other, in UTF-8.
    pub text: Vec<u8>,
    /// For symbol i, the byte offset in `text` where it ends.
    pub ends: Vec<u32>,
    /// For row r, the offset in `cells` where it ends.
    pub rows: Vec<u32>,
    /// Name symbol, value symbol, and so on; names ascend by bytes within a row.
    pub cells: Vec<u32>,
}

/// One target with the labels of its group. Looking a label up allocates nothing.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    table: Table<'a>,
    index: u32,
    cells: &'a [u32],
}

/// The strings of a batch, known to be in order and within the text.
#[derive(Clone, Copy, Debug)]
struct Table<'a> {
    text: &'a str,
    ends: &'a [u32],
}

// === impl Batch ===

impl Batch {
    /// The rows in order, or what is wrong with the batch.
    pub fn rows(&self) -> Result<impl Iterator<Item = Row<'_>>, String> {
        let table = self.table()?;
        self.check_cells()?;
        let mut start = 0;
        Ok(self.rows.iter().zip(0..).map(move |(&end, index)| {
            let cells = &self.cells[start..end as usize];
            start = end as usize;
            Row {
                table,
                index,
                cells,
            }
        }))
    }

    fn table(&self) -> Result<Table<'_>, String> {
        let text = str::from_utf8(&self.text)
            .map_err(|error| format!("text of the batch is not UTF-8: {error}"))?;
        let mut last = 0;
        for (symbol, &end) in self.ends.iter().enumerate() {
            if end < last || !text.is_char_boundary(end as usize) {
                return Err(format!(
                    "symbol {symbol} of the batch ends at {end}, out of order"
                ));
            }
            last = end;
        }
        Ok(Table {
            text,
            ends: &self.ends,
        })
    }

    fn check_cells(&self) -> Result<(), String> {
        let mut last = 0;
        for (row, &end) in self.rows.iter().enumerate() {
            if end < last || end as usize > self.cells.len() || (end - last) % 2 != 0 {
                return Err(format!(
                    "row {row} of the batch ends at cell {end}, out of order"
                ));
            }
            last = end;
        }
        match self
            .cells
            .iter()
            .find(|&&symbol| symbol as usize >= self.ends.len())
        {
            Some(symbol) => Err(format!("the batch has no symbol {symbol}")),
            None => Ok(()),
        }
    }
}

// === impl Row ===

impl<'a> Row<'a> {
    /// The value of a label, if the row has it.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let pairs = self.cells.as_chunks::<2>().0;
        let found = pairs
            .binary_search_by(|[known, _]| self.table.symbol(*known).cmp(name))
            .ok()?;
        Some(self.table.symbol(pairs[found][1]))
    }

    /// Names and values, names ascending by bytes.
    pub fn labels(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let table = self.table;
        let pairs = self.cells.as_chunks::<2>().0.iter();
        pairs.map(move |[name, value]| (table.symbol(*name), table.symbol(*value)))
    }

    /// The row's place in its batch.
    pub(crate) fn index(&self) -> u32 {
        self.index
    }
}

// === impl Table ===

impl<'a> Table<'a> {
    fn symbol(&self, symbol: u32) -> &'a str {
        let symbol = symbol as usize;
        let start = if symbol == 0 {
            0
        } else {
            self.ends[symbol - 1] as usize
        };
        &self.text[start..self.ends[symbol] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rows, `a=1 b=é` and none, over the symbols a, 1, b, é.
    fn batch() -> Batch {
        Batch {
            text: "a1bé".as_bytes().to_vec(),
            ends: vec![1, 2, 3, 5],
            rows: vec![4, 4],
            cells: vec![0, 1, 2, 3],
        }
    }

    #[test]
    fn labels_are_found_by_name() {
        let batch = batch();
        let rows: Vec<Row<'_>> = batch.rows().unwrap().collect();
        assert_eq!(rows[0].get("a"), Some("1"));
        assert_eq!(rows[0].get("b"), Some("é"));
        assert_eq!(rows[0].get("c"), None);
        assert_eq!(
            rows[0].labels().collect::<Vec<_>>(),
            [("a", "1"), ("b", "é")]
        );
        assert_eq!(rows[1].labels().count(), 0);
        assert_eq!((rows[0].index(), rows[1].index()), (0, 1));
    }

    #[test]
    fn a_broken_batch_is_refused() {
        type Damage = fn(&mut Batch);
        let cases: [(&str, Damage); 6] = [
            ("not UTF-8", |batch| batch.text[3] = 0xff),
            ("symbol 1", |batch| batch.ends[1] = 0),
            ("symbol 3", |batch| batch.ends[3] = 4),
            ("row 1", |batch| batch.rows[1] = 2),
            ("row 0", |batch| batch.rows[0] = 3),
            ("no symbol 9", |batch| batch.cells[0] = 9),
        ];
        for (message, damage) in cases {
            let mut batch = batch();
            damage(&mut batch);
            let error = batch.rows().map(|_| ()).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }
}
