//! Selectors as requirements, for those who evaluate them.

use std::collections::BTreeSet;

use crate::read::selector::{fields, labels};

/// A label selector: all requirements must hold. Without any it selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector(Vec<LabelRequirement>);

/// What one part of a label selector requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelRequirement {
    key: String,
    operator: LabelOperator,
    values: BTreeSet<String>,
}

/// How a label is held against the values of a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelOperator {
    /// The label is there, with one of the values.
    In,
    /// The label is not there, or has none of the values.
    NotIn,
    /// The label is there.
    Present,
    /// The label is not there.
    Absent,
    /// The label is a number above the value.
    Greater,
    /// The label is a number below the value.
    Less,
}

/// A field selector: all requirements must hold. Without any it selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector(Vec<FieldRequirement>);

/// What one part of a field selector requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRequirement {
    /// The field's path, such as `spec.nodeName`.
    pub field: String,
    /// Whether the field must equal the value, or must not.
    pub is_equal: bool,
    /// The value; empty for a field that is not set.
    pub value: String,
}

// === impl LabelSelector ===

impl LabelSelector {
    /// Reads a selector.
    ///
    /// # Errors
    /// The text of client-go.
    pub fn parse(text: &str) -> Result<Self, String> {
        labels::parse(text).map(Self)
    }

    /// Whether an object with these labels is selected, as the API server decides it.
    pub fn is_match<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.0.iter().all(|it| it.is_met(label(&it.key)))
    }
}

// === impl LabelRequirement ===

impl LabelRequirement {
    pub(crate) fn new<'v>(
        key: &str,
        operator: LabelOperator,
        values: impl IntoIterator<Item = &'v str>,
    ) -> Self {
        Self {
            key: key.to_owned(),
            operator,
            values: values.into_iter().map(str::to_owned).collect(),
        }
    }

    fn is_met(&self, value: Option<&str>) -> bool {
        match self.operator {
            LabelOperator::In => value.is_some_and(|value| self.values.contains(value)),
            LabelOperator::NotIn => value.is_none_or(|value| !self.values.contains(value)),
            LabelOperator::Present => value.is_some(),
            LabelOperator::Absent => value.is_none(),
            LabelOperator::Greater => self.is_beyond(value, |value, bound| value > bound),
            LabelOperator::Less => self.is_beyond(value, |value, bound| value < bound),
        }
    }

    fn is_beyond(&self, value: Option<&str>, order: impl Fn(i64, i64) -> bool) -> bool {
        let value = value.and_then(|value| value.parse().ok());
        let bound = self.values.first().and_then(|bound| bound.parse().ok());
        value
            .zip(bound)
            .is_some_and(|(value, bound)| order(value, bound))
    }
}

// === impl FieldSelector ===

impl FieldSelector {
    /// Reads a selector.
    ///
    /// # Errors
    /// The text of apimachinery.
    pub fn parse(text: &str) -> Result<Self, String> {
        fields::parse(text).map(Self)
    }

    /// What the selector requires.
    #[must_use]
    pub fn requirements(&self) -> &[FieldRequirement] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_selected_as_the_server_does() {
        let labels = [("app", "web"), ("tier", "7"), ("empty", "")];
        let label = |key: &str| labels.iter().find(|(k, _)| *k == key).map(|(_, v)| *v);
        for (selector, expected) in [
            ("", true),
            ("app=web", true),
            ("app==web,tier=7", true),
            ("app=web,tier=8", false),
            ("app!=web", false),
            ("other!=web", true),
            ("app in (db, web)", true),
            ("app notin (db, web)", false),
            ("other notin (db)", true),
            ("app", true),
            ("!app", false),
            ("!other", true),
            ("empty=", true),
            ("empty", true),
            ("other=", false),
            ("tier>6", true),
            ("tier>7", false),
            ("tier<8", true),
            ("app>1", false),
            ("other<1", false),
        ] {
            let found = LabelSelector::parse(selector).unwrap().is_match(label);
            assert_eq!(found, expected, "{selector}");
        }
    }

    #[test]
    fn fields_are_read_with_escapes() {
        let selector = FieldSelector::parse(r"spec.nodeName=n1,status.phase!=a\,b,x==").unwrap();
        let shown = selector.requirements().iter();
        let shown: Vec<_> = shown
            .map(|it| (&it.field[..], it.is_equal, &it.value[..]))
            .collect();
        assert_eq!(
            shown,
            [
                ("spec.nodeName", true, "n1"),
                ("status.phase", false, "a,b"),
                ("x", true, ""),
            ]
        );
    }
}
