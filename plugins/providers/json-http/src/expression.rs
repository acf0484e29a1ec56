//! Where in an item a value stands: a JSON pointer, or a text with pointers in braces.
//!
//! `/net/ip` is what the item has there; `{/name}.example.com:{/port}` is a text with two such values; `{}` is the item
//! itself, and `{@key}` its name in an object, or its number in a list. `{{` and `}}` are braces.

use periplus_sdk::serde_json::Value;

/// A pointer or template, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expression {
    parts: Vec<Part>,
}

/// Why an expression has no value in an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    /// The item has nothing at this pointer.
    Missing(String),
    /// The item has `null` or an empty text or list at this pointer: it says that there is nothing.
    Empty(String),
    /// The item has an object at this pointer, or a list of lists.
    NotText(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Pointer(String),
    Key,
}

/// Whether `text` is a JSON pointer (RFC 6901).
pub(crate) fn is_pointer(text: &str) -> bool {
    let mut escapes = text.split('~').skip(1);
    (text.is_empty() || text.starts_with('/')) && escapes.all(|rest| rest.starts_with(['0', '1']))
}

// === impl Expression ===

impl Expression {
    /// Reads an expression; a text that is neither pointer nor template is more likely a slip than a constant.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('/') {
            return Ok(Self {
                parts: vec![pointer(text)?],
            });
        }
        let expression = Self {
            parts: parts(text)?,
        };
        if expression
            .parts
            .iter()
            .all(|part| matches!(part, Part::Text(_)))
        {
            return Err(format!(
                "`{text}` is no JSON pointer (`/{text}`) and has none in braces"
            ));
        }
        Ok(expression)
    }

    /// The value for an item that has the name `key` among its fellows.
    pub(crate) fn value(&self, key: &str, item: &Value) -> Result<String, Lack> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(constant) => text.push_str(constant),
                Part::Key => text.push_str(key),
                Part::Pointer(pointer) => text.push_str(&lookup(pointer, item)?),
            }
        }
        Ok(text)
    }
}

fn parts(mut rest: &str) -> Result<Vec<Part>, String> {
    let whole = rest;
    let mut parts = Vec::new();
    let mut constant = String::new();
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        constant.push_str(before);
        if from.starts_with("{{") || from.starts_with("}}") {
            constant.push_str(&from[..1]);
            rest = &from[2..];
            continue;
        }
        let inner = from.strip_prefix('{').and_then(|from| from.split_once('}'));
        let Some((inner, after)) = inner else {
            return Err(format!(
                "a brace of `{whole}` has no partner (`{{{{` and `}}}}` are braces)"
            ));
        };
        if !constant.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut constant)));
        }
        parts.push(if inner == "@key" {
            Part::Key
        } else {
            pointer(inner)?
        });
        rest = after;
    }
    constant.push_str(rest);
    if !constant.is_empty() {
        parts.push(Part::Text(constant));
    }
    Ok(parts)
}

fn pointer(text: &str) -> Result<Part, String> {
    if is_pointer(text) {
        Ok(Part::Pointer(text.to_owned()))
    } else {
        Err(format!("`{text}` is no JSON pointer"))
    }
}

fn lookup(pointer: &str, item: &Value) -> Result<String, Lack> {
    let value = item
        .pointer(pointer)
        .ok_or_else(|| Lack::Missing(pointer.to_owned()))?;
    let text = match value {
        // As Prometheus writes lists into labels, so that a rule finds `,a,` wherever it stands.
        Value::Array(values) if !values.is_empty() => {
            let texts: Option<Vec<String>> = values.iter().map(scalar).collect();
            texts.map(|texts| format!(",{},", texts.join(",")))
        }
        Value::Array(_) => Some(String::new()),
        value => scalar(value),
    };
    match text {
        Some(text) if text.is_empty() => Err(Lack::Empty(pointer.to_owned())),
        Some(text) => Ok(text),
        None => Err(Lack::NotText(pointer.to_owned())),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

// === impl Lack ===

impl std::fmt::Display for Lack {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (pointer, what) = match self {
            Self::Missing(pointer) => (pointer, "is missing"),
            Self::Empty(pointer) => (pointer, "is empty"),
            Self::NotText(pointer) => (pointer, "is an object or a list of more than texts"),
        };
        // The empty pointer is the item itself.
        if pointer.is_empty() {
            write!(formatter, "the item {what}")
        } else {
            write!(formatter, "`{pointer}` {what}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use periplus_sdk::serde_json::json;

    #[test]
    fn values_stand_where_the_expression_says() {
        let item = json!({
            "ip": "10.0.0.1", "net": {"port": 9100}, "up": true, "a/b": "slash", "tags": ["x", 2], "ips": [{"v": 4}],
        });
        let cases = [
            ("/ip", "10.0.0.1"),
            ("/net/port", "9100"),
            ("/up", "true"),
            ("/a~1b", "slash"),
            ("/ips/0/v", "4"),
            ("/tags", ",x,2,"),
            ("{/ip}:{/net/port}", "10.0.0.1:9100"),
            ("{@key}.example.com", "web1.example.com"),
            ("{{{/ip}}}", "{10.0.0.1}"),
        ];
        for (text, expected) in cases {
            let value = Expression::parse(text).unwrap().value("web1", &item);
            assert_eq!(value.as_deref(), Ok(expected), "{text}");
        }
        let value = Expression::parse("{}")
            .unwrap()
            .value("0", &json!("10.0.0.2:9100"));
        assert_eq!(value.as_deref(), Ok("10.0.0.2:9100"));
    }

    #[test]
    fn what_an_item_lacks_is_named() {
        let item = json!({"ip": null, "name": "", "tags": [], "net": {}, "nested": [["x"]]});
        let cases = [
            ("/port", "`/port` is missing"),
            ("/ip", "`/ip` is empty"),
            ("{/name}:1", "`/name` is empty"),
            ("/tags", "`/tags` is empty"),
            ("/net", "`/net` is an object or a list of more than texts"),
            (
                "/nested",
                "`/nested` is an object or a list of more than texts",
            ),
            ("{}", "the item is an object or a list of more than texts"),
        ];
        for (text, expected) in cases {
            let lack = Expression::parse(text)
                .unwrap()
                .value("0", &item)
                .unwrap_err();
            assert_eq!(lack.to_string(), expected);
        }
    }

    #[test]
    fn slips_are_refused() {
        let cases = [
            ("ip", "`ip` is no JSON pointer (`/ip`)"),
            ("", "is no JSON pointer"),
            ("/a~2", "`/a~2` is no JSON pointer"),
            ("/a~", "`/a~` is no JSON pointer"),
            ("{ip}:9100", "`ip` is no JSON pointer"),
            ("{/ip", "has no partner"),
            ("/ip}", ""),
            ("a}{/ip}", "has no partner"),
        ];
        for (text, message) in cases {
            match Expression::parse(text) {
                Ok(_) => assert_eq!(message, "", "{text}"),
                Err(error) => assert!(
                    !message.is_empty() && error.contains(message),
                    "{text}: {error}"
                ),
            }
        }
    }
}
