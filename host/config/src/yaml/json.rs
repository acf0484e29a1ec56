//! Nodes without a type: JSON for those who know what it means.

use serde_json::{Map, Number};

use super::node::Content;
use super::report::Report;
use super::scalar::Scalar;
use super::value::Value;

// === impl Value ===

impl Value<'_> {
    /// The node as JSON. Dates stay text; what JSON does not know is an error.
    pub(crate) fn json(&self) -> Option<serde_json::Value> {
        match &self.node.content {
            Content::Scalar { .. } => self.json_scalar(),
            Content::Sequence(_) => self
                .list("[]interface {}", |item| item.json())
                .map(serde_json::Value::Array),
            Content::Mapping(_) => self.json_object().map(serde_json::Value::Object),
        }
    }

    /// A mapping as JSON; null is an empty one. What `<<` brings is overridden by what is written.
    pub(crate) fn json_object(&self) -> Option<Map<String, serde_json::Value>> {
        let mut object = Map::new();
        for (key, value) in self.map_over_merges("map[string]interface {}")? {
            if let (Some(key), Some(value)) = (key.string(), value.json()) {
                object.insert(key, value);
            }
        }
        Some(object)
    }

    /// The node as JSON for showing or handing on. A scalar has the type by which it was read, if
    /// it was; nothing is checked, and what JSON cannot say stays the text that was written.
    pub(crate) fn json_as_written(&self) -> serde_json::Value {
        let quiet = Report::default();
        let value = Value {
            node: self.node,
            path: String::new(),
            report: &quiet,
        };
        value.lossy(self.report)
    }

    fn lossy(&self, readers: &Report) -> serde_json::Value {
        match &self.node.content {
            Content::Scalar { text, .. } if readers.was_text(self.node) => text.as_str().into(),
            Content::Scalar { text, .. } => {
                self.json_scalar().unwrap_or_else(|| text.as_str().into())
            }
            Content::Sequence(_) => self.list("", |item| Some(item.lossy(readers))).into(),
            Content::Mapping(_) => {
                let pairs = self.map_over_merges("").unwrap_or_default();
                let pairs = pairs
                    .iter()
                    .map(|(key, value)| (key.string().unwrap_or_default(), value.lossy(readers)));
                serde_json::Value::Object(pairs.collect())
            }
        }
    }

    fn json_scalar(&self) -> Option<serde_json::Value> {
        Some(match self.scalar("interface {}")? {
            Scalar::Null => serde_json::Value::Null,
            Scalar::Bool(truth) => truth.into(),
            Scalar::Int(number) => number.into(),
            Scalar::Uint(number) => number.into(),
            Scalar::Float(number) => match Number::from_f64(number) {
                Some(number) => number.into(),
                None => {
                    self.error("a number that is not finite cannot be given to a plugin");
                    return None;
                }
            },
            Scalar::Text | Scalar::Timestamp => self.string()?.into(),
        })
    }
}
