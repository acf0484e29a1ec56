//! Edits of a batch: all checked, then all applied, or none.

use periplus_core::{LabelBuilder, LabelSet};

use crate::bindings::transformer::exports::periplus::discovery::transformer::Edit;
use crate::limits::{MAX_EDITS_PER_ROW, MAX_LABELS};
use crate::manifest::Writes;

/// A row under edit.
struct Row {
    labels: LabelBuilder,
    changed: bool,
    dropped: bool,
    added: Vec<LabelSet>,
}

/// Applies the edits of a batch whose row r is `rows[places[r]]`; rows that were not passed stay.
pub(super) fn apply(
    rows: &[LabelSet],
    places: &[usize],
    edits: Vec<Edit>,
    writes: &Writes,
) -> Result<Vec<Vec<LabelSet>>, String> {
    if edits.len() > places.len().saturating_mul(MAX_EDITS_PER_ROW) {
        return Err(format!(
            "{} edits of {} rows pass the limit",
            edits.len(),
            places.len()
        ));
    }
    let mut edited: Vec<Option<Row>> = rows.iter().map(|_| None).collect();
    let place = |row: u32| {
        let at = usize::try_from(row).ok().and_then(|row| places.get(row));
        at.copied()
            .ok_or_else(|| format!("an edit names row {row} of {}", places.len()))
    };
    for edit in edits {
        match edit {
            Edit::Set(set) => {
                check_name(&set.name, writes)?;
                let at = place(set.row)?;
                let row = edited[at].get_or_insert_with(|| Row::new(&rows[at]));
                row.labels.set(&set.name, &set.value);
                row.changed = true;
            }
            Edit::Drop(row) => {
                let at = place(row)?;
                edited[at]
                    .get_or_insert_with(|| Row::new(&rows[at]))
                    .dropped = true;
            }
            Edit::Add(add) => {
                let at = place(add.row)?;
                let row = edited[at].get_or_insert_with(|| Row::new(&rows[at]));
                row.added.push(added(&rows[at], &add.labels, writes)?);
            }
        }
    }
    Ok(rows
        .iter()
        .zip(edited)
        .map(|(row, edited)| finish(row, edited))
        .collect())
}

/// A copy of the row as it came, with these labels.
fn added(row: &LabelSet, labels: &[(String, String)], writes: &Writes) -> Result<LabelSet, String> {
    if labels.len() > MAX_LABELS {
        return Err(format!(
            "{} labels pass the limit of {MAX_LABELS}",
            labels.len()
        ));
    }
    let mut builder = LabelBuilder::from_set(row);
    for (name, value) in labels {
        check_name(name, writes)?;
        builder.set(name, value);
    }
    Ok(builder.build())
}

fn check_name(name: &str, writes: &Writes) -> Result<(), String> {
    if name.is_empty() {
        return Err("an edit sets a label without a name".to_owned());
    }
    if !writes.allow(name) {
        let name: String = name
            .chars()
            .take(128)
            .flat_map(char::escape_debug)
            .collect();
        return Err(format!(
            "label `{name}` is not among those that the manifest `writes`"
        ));
    }
    Ok(())
}

fn finish(original: &LabelSet, edited: Option<Row>) -> Vec<LabelSet> {
    let Some(row) = edited else {
        return vec![original.clone()];
    };
    let mut answer = Vec::with_capacity(1 + row.added.len());
    if !row.dropped {
        answer.push(if row.changed {
            row.labels.build()
        } else {
            original.clone()
        });
    }
    answer.extend(row.added);
    answer
}

// === impl Row ===

impl Row {
    fn new(row: &LabelSet) -> Self {
        Self {
            labels: LabelBuilder::from_set(row),
            changed: false,
            dropped: false,
            added: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::transformer::exports::periplus::discovery::transformer::{
        AddTarget, SetLabel,
    };
    use crate::names::NamePatterns;

    fn set(row: u32, name: &str, value: &str) -> Edit {
        Edit::Set(SetLabel {
            row,
            name: name.into(),
            value: value.into(),
        })
    }

    fn add(row: u32, name: &str, value: &str) -> Edit {
        Edit::Add(AddTarget {
            row,
            labels: vec![(name.into(), value.into())],
        })
    }

    fn labels(pairs: &[(&str, &str)]) -> LabelSet {
        pairs.iter().copied().collect()
    }

    fn applied(edits: Vec<Edit>) -> Result<Vec<Vec<LabelSet>>, String> {
        let rows = [
            labels(&[("a", "0")]),
            labels(&[("a", "1")]),
            labels(&[("a", "2")]),
        ];
        // The batch has the last two.
        apply(&rows, &[1, 2], edits, &Writes::Plain)
    }

    #[test]
    fn edits_are_applied_in_order_to_the_rows_they_name() {
        let edits = vec![
            set(0, "b", "x"),
            set(0, "b", "y"),
            set(0, "a", ""),
            Edit::Drop(1),
        ];
        assert_eq!(
            applied(edits).unwrap(),
            vec![
                vec![labels(&[("a", "0")])],
                vec![labels(&[("b", "y")])],
                vec![]
            ]
        );
    }

    #[test]
    fn a_dropped_row_stays_dropped_and_its_copies_live() {
        let edits = vec![Edit::Drop(0), set(0, "b", "x"), add(0, "c", "z")];
        assert_eq!(
            applied(edits).unwrap()[1],
            vec![labels(&[("a", "1"), ("c", "z")])]
        );
    }

    #[test]
    fn a_copy_is_of_the_row_as_it_came() {
        let answer = applied(vec![set(0, "b", "x"), add(0, "c", "z")]).unwrap();
        assert_eq!(
            answer[1],
            vec![
                labels(&[("a", "1"), ("b", "x")]),
                labels(&[("a", "1"), ("c", "z")])
            ]
        );
    }

    #[test]
    fn a_bad_edit_fails_the_whole_batch() {
        for (edit, expected) in [
            (set(2, "b", "x"), "row 2 of 2"),
            (set(0, "", "x"), "without a name"),
            (set(0, "__address__", "x"), "`__address__` is not among"),
            (add(0, "__param_x", "x"), "`__param_x` is not among"),
            (Edit::Drop(u32::MAX), "row 4294967295"),
        ] {
            let error = applied(vec![set(1, "b", "x"), edit]).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_flood_of_edits_is_refused() {
        let flood = vec![Edit::Drop(0); 2 * MAX_EDITS_PER_ROW + 1];
        assert!(applied(flood).unwrap_err().contains("limit"));
    }

    #[test]
    fn what_the_manifest_writes_may_be_written() {
        let rows = [labels(&[("a", "0")])];
        let writes = Writes::Named(NamePatterns::new(["__param_*"]));
        let answer = apply(&rows, &[0], vec![set(0, "__param_x", "1")], &writes).unwrap();
        assert_eq!(answer[0][0].get("__param_x"), Some("1"));
        assert!(apply(&rows, &[0], vec![set(0, "b", "1")], &writes).is_err());
    }
}
