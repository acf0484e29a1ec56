//! What a transformer asks for.

/// One change of a batch, as the contract has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Sets a label of a row; an empty value removes it.
    Set {
        /// Which row.
        row: u32,
        /// The label's name.
        name: String,
        /// Its new value.
        value: String,
    },
    /// Removes a row.
    Drop(u32),
    /// Adds a copy of a row as it came, with these labels set.
    Add {
        /// Which row is copied.
        row: u32,
        /// Labels set on the copy.
        labels: Vec<(String, String)>,
    },
}

/// Collects the edits of one row after the other.
#[derive(Debug, Default)]
pub struct Edits {
    row: u32,
    list: Vec<Edit>,
}

impl Edits {
    /// Sets a label. An empty value removes it.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.list.push(Edit::Set {
            row: self.row,
            name: name.into(),
            value: value.into(),
        });
    }

    /// Removes a label.
    pub fn remove(&mut self, name: impl Into<String>) {
        self.set(name, "");
    }

    /// Drops the target.
    pub fn drop_target(&mut self) {
        self.list.push(Edit::Drop(self.row));
    }

    /// Adds a copy of the target as it came, with these labels set.
    pub fn add<N: Into<String>, V: Into<String>>(
        &mut self,
        labels: impl IntoIterator<Item = (N, V)>,
    ) {
        let labels = labels
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        self.list.push(Edit::Add {
            row: self.row,
            labels,
        });
    }

    /// Edits that follow are those of `row`.
    pub(crate) fn begin(&mut self, row: u32) {
        self.row = row;
    }

    pub(crate) fn into_list(self) -> Vec<Edit> {
        self.list
    }
}
