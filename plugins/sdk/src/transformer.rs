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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::testing;

    /// Splits a target by its label `ports`, names its host, and drops what is marked.
    struct Splitter;

    impl Transformer for Splitter {
        type Config = BTreeMap<String, String>;

        fn configure(_config: Self::Config) -> Result<(Self, Interest), Vec<Problem>> {
            Ok((Self, Interest::reads(["ports", "mark"]).requires(["host"])))
        }

        fn edit(&self, row: Row<'_>, edits: &mut Edits) {
            if row.get("mark").is_some() {
                return edits.drop_target();
            }
            edits.set("seen", "yes");
            edits.remove("ports");
            for port in row
                .get("ports")
                .into_iter()
                .flat_map(|ports| ports.split(','))
            {
                edits.add([("port", port), ("ports", "")]);
            }
        }
    }

    fn labels(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
        labels
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect()
    }

    #[test]
    fn a_row_is_edited_split_and_dropped() {
        let (splitter, interest) = configure::<Splitter>("{}").unwrap();
        assert_eq!(interest.requires, ["host"]);
        let edited = testing::edit(&splitter, &[("host", "a"), ("ports", "1,2")]);
        assert_eq!(
            edited.labels,
            Some(labels(&[("host", "a"), ("seen", "yes")]))
        );
        let copies = ["1", "2"].map(|port| labels(&[("host", "a"), ("port", port)]));
        assert_eq!(edited.added, copies);
        let edited = testing::edit(&splitter, &[("host", "a"), ("mark", "x")]);
        assert_eq!(edited.labels, None);
    }

    #[test]
    fn edits_name_the_row_they_belong_to() {
        let batch = Batch {
            text: b"markx".to_vec(),
            ends: vec![4, 5],
            rows: vec![0, 2],
            cells: vec![0, 1],
        };
        let edits = transform(&Splitter, &batch).unwrap();
        let set = |name: &str, value: &str| Edit::Set {
            row: 0,
            name: name.into(),
            value: value.into(),
        };
        assert_eq!(edits, [set("seen", "yes"), set("ports", ""), Edit::Drop(1)]);
    }

    #[test]
    fn a_broken_batch_fails_as_a_whole() {
        let batch = Batch {
            rows: vec![2],
            ..Batch::default()
        };
        assert!(transform(&Splitter, &batch).is_err());
    }
}
