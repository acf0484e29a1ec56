//! What a schema refuses, in words for operators instead of the schema's own.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value;

use super::Problem;

/// An error of the validator as problems at the places that are meant. Values are not repeated,
/// since they may be secret.
pub(super) fn problems(error: &ValidationError<'_>) -> Vec<Problem> {
    let path = error.instance_path().to_string();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let unknown = unexpected.iter().map(|key| Problem {
                path: format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")),
                message: format!("unknown key `{key}`"),
            });
            unknown.collect()
        }
        _ => vec![Problem {
            path,
            message: message(error),
        }],
    }
}

fn message(error: &ValidationError<'_>) -> String {
    match error.kind() {
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            let branches = || context.iter().filter_map(|branch| branch.first());
            // A branch that refuses more than the type or the value is the one that was meant.
            if let Some(meant) = branches().find(|first| accepted(first).is_none()) {
                return message(meant);
            }
            let mut wanted: Vec<String> = branches().filter_map(accepted).flatten().collect();
            wanted.dedup();
            expected(&wanted)
        }
        ValidationErrorKind::Required {
            property: Value::String(key),
        } => {
            format!("key `{key}` is missing")
        }
        _ => match accepted(error) {
            Some(wanted) => expected(&wanted),
            None => error.masked_with("the value").to_string(),
        },
    }
}

fn expected(wanted: &[String]) -> String {
    format!("expected {}", wanted.join(" or "))
}

/// What would have been accepted, if it is a matter of the type or of certain values.
fn accepted(error: &ValidationError<'_>) -> Option<Vec<String>> {
    match error.kind() {
        ValidationErrorKind::Constant { expected_value } => Some(vec![shown(expected_value)]),
        ValidationErrorKind::Enum { options } => Some(
            options
                .as_array()
                .into_iter()
                .flatten()
                .map(shown)
                .collect(),
        ),
        ValidationErrorKind::Type { kind } => Some(match kind {
            TypeKind::Single(kind) => vec![type_name(&kind.to_string())],
            TypeKind::Multiple(kinds) => kinds
                .iter()
                .map(|kind| type_name(&kind.to_string()))
                .collect(),
        }),
        _ => None,
    }
}

fn shown(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| format!("`{value}`"), |text| format!("`{text}`"))
}

/// A type of JSON as people who write YAML call it.
fn type_name(name: &str) -> String {
    let name = match name.trim_matches('"') {
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "`true` or `false`",
        "array" => "a list",
        "object" => "a mapping",
        "null" => "nothing",
        other => other,
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::schema::ConfigSchema;

    #[test]
    fn what_is_refused_is_said_without_words_of_schemas() {
        let schema = ConfigSchema::new(json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["url"],
            "properties": {
                "url": {"type": "string"},
                "ports": {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "string"}]}},
                "host": {"type": ["string", "null"]},
                "unknown": {"oneOf": [{"const": "keep"}, {"const": "drop"}]},
                "mode": {"enum": ["fast", "safe"]},
                "range": {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^[0-9]+$"}]},
            },
        }))
        .unwrap();
        let cases = [
            (
                json!({"url": "u", "range": "x"}),
                "/range",
                "the value does not match \"^[0-9]+$\"",
            ),
            (
                json!({"url": "u", "porst": 3}),
                "/porst",
                "unknown key `porst`",
            ),
            (json!({"url": "u", "a/b": 3}), "/a~1b", "unknown key `a/b`"),
            (json!({}), "", "key `url` is missing"),
            (json!({"url": 5}), "/url", "expected a text"),
            (
                json!({"url": "u", "ports": [true]}),
                "/ports/0",
                "expected a whole number or a text",
            ),
            (
                json!({"url": "u", "host": 5}),
                "/host",
                "expected nothing or a text",
            ),
            (
                json!({"url": "u", "unknown": "dorp"}),
                "/unknown",
                "expected `keep` or `drop`",
            ),
            (
                json!({"url": "u", "mode": "x"}),
                "/mode",
                "expected `fast` or `safe`",
            ),
        ];
        for (value, path, message) in cases {
            let problems = schema.check(&value).unwrap_err();
            assert_eq!(problems.len(), 1, "{value}");
            assert_eq!(
                (problems[0].path.as_str(), problems[0].message.as_str()),
                (path, message)
            );
        }
    }
}
