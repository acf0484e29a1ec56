//! Nodes without a type: JSON for those who know what it means.

use serde_json::{Map, Number};

use super::node::Content;
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

    /// A mapping as JSON; null is an empty one.
    pub(crate) fn json_object(&self) -> Option<Map<String, serde_json::Value>> {
        let pairs = self.map("map[string]interface {}")?;
        let pairs = pairs
            .iter()
            .filter_map(|(key, value)| Some((key.string()?, value.json()?)));
        Some(pairs.collect())
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
