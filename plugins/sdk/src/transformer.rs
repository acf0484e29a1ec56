//! Transformers: edits of targets.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{Batch, Edit, Edits, Problem, Row, config};

/// Edits targets. The edits of a row depend on that row and the configuration alone: the host remembers them, and passes
/// rows in any order, batch and instance.
pub trait Transformer: Sized + 'static {
    /// `config` of an entry of `transformers:`. Its JSON Schema goes into the manifest; the host fills defaults in.
    type Config: DeserializeOwned + JsonSchema;

    /// Makes an instance and says which labels it needs, or what is wrong with its configuration.
    fn configure(config: Self::Config) -> Result<(Self, Interest), Vec<Problem>>;

    /// Edits one target.
    fn edit(&self, row: Row<'_>, edits: &mut Edits);
}

/// What the host may leave out of a batch. What is left out is not lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// Names, or `prefix*`, that the transformer reads; empty: all.
    pub reads: Vec<String>,
    /// Rows without every one of these labels are not passed.
    pub requires: Vec<String>,
}

// === impl Interest ===

impl Interest {
    /// Every label of every row.
    pub fn all() -> Self {
        Self::default()
    }

    /// Only these labels: names, or `prefix*`.
    pub fn reads<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self {
            reads: names.into_iter().map(Into::into).collect(),
            requires: Vec::new(),
        }
    }

    /// Only rows that have every one of these labels.
    #[must_use]
    pub fn requires<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.requires = names.into_iter().map(Into::into).collect();
        self
    }
}

/// A transformer from the JSON text that the host passes.
pub(crate) fn configure<T: Transformer>(config: &str) -> Result<(T, Interest), Vec<Problem>> {
    T::configure(config::parse(config)?)
}

/// The edits of every row of a batch.
pub(crate) fn transform<T: Transformer>(
    transformer: &T,
    batch: &Batch,
) -> Result<Vec<Edit>, String> {
    let mut edits = Edits::default();
    for row in batch.rows()? {
        edits.begin(row.index());
        transformer.edit(row, &mut edits);
    }
    Ok(edits.into_list())
}
