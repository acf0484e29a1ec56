//! JSON Schemas of configurations: checking, and filling in defaults.

mod wording;

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

/// How deep defaults are filled in; a schema may refer to itself.
const MAX_DEPTH: usize = 32;
/// Problems that are told at once.
const MAX_PROBLEMS: usize = 20;

/// Something wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where, as a JSON pointer (RFC 6901); empty: the whole.
    pub path: String,
    /// What.
    pub message: String,
}

/// A compiled JSON Schema (2020-12). References outside itself are errors.
#[derive(Clone, Debug)]
pub(crate) struct ConfigSchema {
    schema: Value,
    validator: jsonschema::Validator,
}

// === impl Problem ===

impl Problem {
    /// A problem at a place.
    pub(crate) fn new(path: &str, message: &str) -> Self {
        Self {
            path: path.to_owned(),
            message: message.to_owned(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "`{}`: {}", self.path, self.message)
        }
    }
}

// === impl ConfigSchema ===

impl ConfigSchema {
    /// Compiles a schema.
    pub(crate) fn new(schema: Value) -> Result<Self, String> {
        let validator = jsonschema::options()
            .build(&schema)
            .map_err(|e| format!("it is not a JSON Schema: {e}"))?;
        Ok(Self { schema, validator })
    }

    /// Everything that is wrong with a value. Values are not repeated in the texts, since they
    /// may be secret.
    pub(crate) fn check(&self, value: &Value) -> Result<(), Vec<Problem>> {
        let problems: Vec<_> = self
            .validator
            .iter_errors(value)
            .take(MAX_PROBLEMS)
            .flat_map(|error| wording::problems(&error))
            .collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }

    /// The configuration as the plugin sees it: defaults filled in, then checked.
    pub(crate) fn resolve(&self, value: &Value) -> Result<Value, Vec<Problem>> {
        let mut value = if value.is_null() {
            Value::Object(Map::new())
        } else {
            value.clone()
        };
        self.fill(&self.schema, &mut value, 0);
        self.check(&value)?;
        Ok(value)
    }

    /// Whether the configuration has such a key at its top.
    pub(crate) fn has_key(&self, name: &str) -> bool {
        self.schema["properties"].get(name).is_some()
    }

    /// The schema itself.
    pub(crate) fn schema(&self) -> &Value {
        &self.schema
    }

    fn fill(&self, schema: &Value, value: &mut Value, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        if let Some(target) = schema["$ref"].as_str().and_then(|at| at.strip_prefix('#'))
            && let Some(referred) = self.schema.pointer(target)
        {
            self.fill(referred, value, depth + 1);
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.fill(part, value, depth + 1);
        }
        match value {
            Value::Object(fields) => {
                for (name, part) in schema["properties"].as_object().into_iter().flatten() {
                    if !fields.contains_key(name)
                        && let Some(default) = part.get("default")
                    {
                        fields.insert(name.clone(), default.clone());
                    }
                    if let Some(field) = fields.get_mut(name) {
                        self.fill(part, field, depth + 1);
                    }
                }
                self.fill_others(schema, fields, depth);
            }
            Value::Array(items) => {
                for item in items {
                    self.fill(&schema["items"], item, depth + 1);
                }
            }
            _ => {}
        }
    }

    fn fill_others(&self, schema: &Value, fields: &mut Map<String, Value>, depth: usize) {
        let others = &schema["additionalProperties"];
        if !others.is_object() {
            return;
        }
        for (name, field) in fields {
            if schema["properties"].get(name).is_none() {
                self.fill(others, field, depth + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> ConfigSchema {
        ConfigSchema::new(json!({
            "type": "object",
            "required": ["url"],
            "additionalProperties": false,
            "properties": {
                "url": {"type": "string"},
                "limit": {"type": "integer", "default": 10, "minimum": 1},
                "tls": {"$ref": "#/$defs/tls"},
                "sites": {"type": "array", "items": {"$ref": "#/$defs/tls"}},
            },
            "$defs": {"tls": {"type": "object", "default": {}, "properties": {"verify": {"default": true}}}},
        }))
        .unwrap()
    }

    #[test]
    fn defaults_are_filled_in_at_every_depth() {
        let resolved =
            schema().resolve(&json!({"url": "x", "tls": {}, "sites": [{}, {"verify": false}]}));
        assert_eq!(
            resolved.unwrap(),
            json!({"url": "x", "tls": {"verify": true}, "limit": 10,
                   "sites": [{"verify": true}, {"verify": false}]})
        );
    }

    #[test]
    fn problems_have_a_pointer_and_hide_the_value() {
        let problems = schema()
            .resolve(&json!({"limit": 0, "secret": "hunter2", "url": "x"}))
            .unwrap_err();
        let text = crate::error::list(&problems);
        assert!(text.contains("`/limit`"), "{text}");
        assert!(
            text.contains("secret") && !text.contains("hunter2"),
            "{text}"
        );
    }

    #[test]
    fn null_is_an_empty_configuration() {
        assert!(crate::error::list(&schema().resolve(&Value::Null).unwrap_err()).contains("url"));
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = ConfigSchema::new(json!({
            "properties": {"next": {"$ref": "#"}}, "allOf": [{"$ref": "#/$defs/loop"}],
            "$defs": {"loop": {"properties": {"x": {"default": {}}}}},
        }))
        .unwrap();
        schema.resolve(&json!({"next": {"next": {}}})).unwrap();
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        assert!(ConfigSchema::new(json!({"type": 7})).is_err());
    }
}
