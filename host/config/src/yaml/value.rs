//! A node on its way into a type.

use std::rc::Rc;

use super::binary::{decode_base64, quote_bytes};
use super::node::{Content, Mark, Node};
use super::report::Report;
use super::scalar::{self, PREFIX, Scalar};

/// How much of a wrong value an error repeats; it may be a whole file pasted under a key.
const SHOWN_CHARACTERS: usize = 40;

/// A node, the path of keys that leads to it, and where its errors go.
///
/// The methods that read it give `None` if the node does not fit, which is reported then, and a
/// type's zero for a null, as Go does.
#[derive(Clone)]
pub(crate) struct Value<'a> {
    pub(crate) node: &'a Rc<Node>,
    pub(crate) path: String,
    pub(crate) report: &'a Report,
}

// === impl Value ===

impl<'a> Value<'a> {
    pub(crate) fn mark(&self) -> Mark {
        self.node.mark
    }

    /// Whether this is null for a type that reads itself.
    pub(crate) fn is_null(&self) -> bool {
        self.node.is_null()
    }

    /// Whether this is any spelling of null.
    pub(crate) fn is_nil(&self) -> bool {
        self.node.is_null() || self.resolved() == Some(Ok(Scalar::Null))
    }

    pub(crate) fn error(&self, message: impl Into<String>) {
        self.report
            .error(self.mark(), &self.path, message.into(), None);
    }

    pub(crate) fn error_with(&self, message: impl Into<String>, hint: impl Into<String>) {
        self.report
            .error(self.mark(), &self.path, message.into(), Some(hint.into()));
    }

    pub(crate) fn warn_with(&self, message: impl Into<String>, hint: impl Into<String>) {
        self.report
            .warning(self.mark(), &self.path, message.into(), Some(hint.into()));
    }

    /// Text for the Go type `string`.
    pub(crate) fn string(&self) -> Option<String> {
        self.string_as("string")
    }

    /// Text for a Go type that is a string.
    pub(crate) fn string_as(&self, type_name: &str) -> Option<String> {
        match self.bytes_as(type_name)? {
            Ok(text) => Some(text),
            Err(bytes) => {
                self.error(format!("{} is not valid UTF-8", quote_bytes(&bytes)));
                None
            }
        }
    }

    /// Text that may be bytes (`!!binary`), which are in `Err` if they are no UTF-8.
    pub(crate) fn bytes_as(&self, type_name: &str) -> Option<Result<String, Vec<u8>>> {
        if self.is_null() {
            return Some(Ok(String::new()));
        }
        let Content::Scalar { text, .. } = &self.node.content else {
            self.mismatch(type_name);
            return None;
        };
        if self
            .node
            .tag
            .as_deref()
            .and_then(|tag| tag.strip_prefix(PREFIX))
            == Some("binary")
        {
            let Some(bytes) = decode_base64(text) else {
                self.error("!!binary value contains invalid base64 data");
                return None;
            };
            return Some(String::from_utf8(bytes).map_err(std::string::FromUtf8Error::into_bytes));
        }
        match self.scalar(type_name)? {
            Scalar::Null => Some(Ok(String::new())),
            _ => {
                self.report.is_text(self.node);
                Some(Ok(text.clone()))
            }
        }
    }

    /// A truth of YAML 1.1.
    pub(crate) fn bool(&self) -> Option<bool> {
        match self.scalar("bool")? {
            Scalar::Null => Some(false),
            Scalar::Bool(value) => Some(value),
            _ => {
                self.mismatch("bool");
                None
            }
        }
    }

    /// A whole number for Go's `uint`; fractions are cut off, as Go does.
    pub(crate) fn uint(&self) -> Option<u64> {
        self.uint_as("uint")
    }

    /// A whole number for one of Go's unsigned types of 64 bits.
    pub(crate) fn uint_as(&self, type_name: &str) -> Option<u64> {
        let number = match self.scalar(type_name)? {
            Scalar::Null => Some(0),
            Scalar::Int(number) => u64::try_from(number).ok(),
            Scalar::Uint(number) => Some(number),
            Scalar::Float(number) if number <= u64::MAX as f64 => Some(number as u64),
            _ => None,
        };
        if number.is_none() {
            self.mismatch(type_name);
        }
        number
    }

    /// A whole number for Go's `int`.
    pub(crate) fn int(&self) -> Option<i64> {
        let number = match self.scalar("int")? {
            Scalar::Null => Some(0),
            Scalar::Int(number) => Some(number),
            Scalar::Float(number) if number <= i64::MAX as f64 => Some(number as i64),
            _ => None,
        };
        if number.is_none() {
            self.mismatch("int");
        }
        number
    }

    /// Any number.
    pub(crate) fn float(&self) -> Option<f64> {
        match self.scalar("float64")? {
            Scalar::Null => Some(0.0),
            Scalar::Int(number) => Some(number as f64),
            Scalar::Uint(number) => Some(number as f64),
            Scalar::Float(number) => Some(number),
            _ => {
                self.mismatch("float64");
                None
            }
        }
    }

    /// The elements of a list; those that `read` refuses are left out.
    pub(crate) fn list<T>(
        &self,
        type_name: &str,
        mut read: impl FnMut(Value<'a>) -> Option<T>,
    ) -> Option<Vec<T>> {
        if self.is_nil() {
            return Some(Vec::new());
        }
        let Content::Sequence(items) = &self.node.content else {
            self.mismatch(type_name);
            return None;
        };
        let items = items.iter().enumerate();
        Some(
            items
                .filter_map(|(index, node)| read(self.element(index, node)))
                .collect(),
        )
    }

    /// Whether this is a single value rather than a list or a mapping.
    pub(crate) fn is_scalar(&self) -> bool {
        matches!(self.node.content, Content::Scalar { .. })
    }

    /// The number, if this is a whole one that is not negative.
    pub(crate) fn whole_number(&self) -> Option<u64> {
        match self.resolved()?.ok()? {
            Scalar::Int(number) => u64::try_from(number).ok(),
            Scalar::Uint(number) => Some(number),
            _ => None,
        }
    }

    /// The value of one key of a mapping, or the mapping itself where the key is missing.
    pub(crate) fn key(&self, key: &str) -> Value<'a> {
        let Content::Mapping(pairs) = &self.node.content else {
            return self.clone();
        };
        let found = pairs
            .iter()
            .find(|(name, _)| matches!(&name.content, Content::Scalar { text, .. } if text == key));
        found.map_or_else(|| self.clone(), |(_, node)| self.member(key, node))
    }

    /// A list of texts.
    pub(crate) fn strings(&self) -> Option<Vec<String>> {
        self.list("[]string", |item| item.string())
    }

    /// Says that the node does not fit where a value of this type, by its name in Go, belongs.
    pub(crate) fn mismatch(&self, type_name: &str) {
        let found = match &self.node.content {
            Content::Sequence(_) => "a list".to_owned(),
            Content::Mapping(_) => "a mapping".to_owned(),
            Content::Scalar { text, .. } => {
                let kind = match self.resolved() {
                    Some(Ok(Scalar::Null)) => "the null",
                    Some(Ok(Scalar::Bool(_))) => "the boolean",
                    Some(Ok(Scalar::Int(_) | Scalar::Uint(_) | Scalar::Float(_))) => "the number",
                    _ => "the text",
                };
                let shown: String = text.chars().take(SHOWN_CHARACTERS).collect();
                let rest = if shown.len() < text.len() { "..." } else { "" };
                format!("{kind} `{shown}{rest}`")
            }
        };
        let (wanted, hint) = expected(type_name);
        self.error_with(format!("expected {wanted}, found {found}"), hint);
    }

    /// What the scalar means; reports what is none.
    pub(crate) fn scalar(&self, type_name: &str) -> Option<Scalar> {
        match self.resolved() {
            Some(Ok(scalar)) => Some(scalar),
            Some(Err(message)) => {
                self.error(message);
                None
            }
            None => {
                self.mismatch(type_name);
                None
            }
        }
    }

    pub(super) fn resolved(&self) -> Option<Result<Scalar, String>> {
        match &self.node.content {
            Content::Scalar { text, plain } => {
                Some(scalar::resolve(self.node.tag.as_deref(), text, *plain))
            }
            _ => None,
        }
    }

    pub(super) fn element(&self, index: usize, node: &'a Rc<Node>) -> Value<'a> {
        Value {
            node,
            path: format!("{}[{index}]", self.path),
            report: self.report,
        }
    }

    pub(super) fn member(&self, key: &str, node: &'a Rc<Node>) -> Value<'a> {
        let path = if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        };
        Value {
            node,
            path,
            report: self.report,
        }
    }
}

/// What to write for a Go type, in words.
fn expected(type_name: &str) -> (&'static str, &'static str) {
    match type_name {
        "bool" => ("a boolean", "write `true` or `false`, without quotes"),
        "uint" | "uint64" => (
            "a whole number, zero or more",
            "write it without quotes: `5000`",
        ),
        "int" => ("a whole number", "write it without quotes: `5000`"),
        "float64" => ("a number", "write it without quotes: `1.5`"),
        name if name.starts_with("[]") => {
            ("a list", "write `[a, b]`, or lines that begin with `- `")
        }
        name if name.contains('.') || name.starts_with("map[") => {
            ("a mapping", "write `key: value` lines here")
        }
        _ => ("a single value", "write it here, not a list or a mapping"),
    }
}
