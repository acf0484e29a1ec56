//! Rules as they are written.

use serde::{Deserialize, Deserializer, Serialize};

/// A relabeling rule as written: a key that is absent is `None`.
///
/// A null text counts as empty, as upstream reads it, but for `regex` and `action`, where a null
/// (`Some(None)`) means something of its own.
#[derive(Deserialize, Serialize, Clone, Debug, Default, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct RawRule {
    /// Labels whose values are joined to the value that the rule looks at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_labels: Option<Vec<String>>,
    /// What stands between the joined values; `;` if absent.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "text")]
    pub separator: Option<String>,
    /// The label that the rule sets or compares.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "text")]
    pub target_label: Option<String>,
    /// The expression, without anchors; `(.*)` if absent, empty if null.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub regex: Option<Option<String>>,
    /// The divisor of `hashmod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modulus: Option<u64>,
    /// The template of the new value or name; `$1` if absent.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "text")]
    pub replacement: Option<String>,
    /// The action's name in any case; `replace` if absent, an error if null.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub action: Option<Option<String>>,
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Some(Option::deserialize(deserializer)?.unwrap_or_default()))
}

#[allow(
    clippy::option_option,
    reason = "absent, null and a text are three things"
)]
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
