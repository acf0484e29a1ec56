//! Label selectors, as in PromQL: `{job="web",env=~"a|b"}`.

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::name::{NameScheme, is_valid_label_name};
use crate::quote;
use crate::regex::Regex;

mod parse;

/// A list of matchers that all have to hold. A label that a target does not have counts as empty.
#[derive(Clone)]
pub struct Selector {
    text: String,
    matchers: Vec<Matcher>,
}

/// Why a text is no selector.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("selector {} is not valid at byte {at}: {problem}", quote(.text))]
pub struct SelectorError {
    text: String,
    /// Where, counted from 0.
    at: usize,
    problem: String,
}

#[derive(Clone)]
struct Matcher {
    name: String,
    test: Test,
}

#[derive(Clone)]
enum Test {
    Equal(String),
    NotEqual(String),
    Match(Regex),
    NoMatch(Regex),
}

// === impl Selector ===

impl Selector {
    /// Reads a selector: matchers `name="value"` with `=`, `!=`, `=~` or `!~` between braces, with
    /// commas between them. Names that are no plain words are quoted; values are quoted as in
    /// PromQL, by double or single quotes with escapes or by backticks without. Regular expressions
    /// are Prometheus', anchored at both ends.
    ///
    /// # Errors
    /// If the text is no selector; the error says where and what is expected.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let matchers = parse::matchers(text).map_err(|(at, problem)| SelectorError {
            text: text.to_owned(),
            at,
            problem,
        })?;
        Ok(Self {
            text: text.to_owned(),
            matchers,
        })
    }

    /// Whether all matchers hold; `value` gives the value of a label, empty if there is none.
    pub fn is_match<'a>(&self, value: impl Fn(&str) -> &'a str) -> bool {
        let mut matchers = self.matchers.iter();
        matchers.all(|matcher| matcher.test.holds(value(&matcher.name)))
    }
}

impl PartialEq for Selector {
    /// As written.
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Selector {}

impl Hash for Selector {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Selector({})", self.text)
    }
}

// === impl Test ===

impl Test {
    /// Makes the test that an operator asks for.
    fn new(operator: &str, value: String) -> Result<Self, String> {
        let regex = |value: &str| Regex::new(value).map_err(|error| error.to_string());
        Ok(match operator {
            "=" => Self::Equal(value),
            "!=" => Self::NotEqual(value),
            "=~" => Self::Match(regex(&value)?),
            _ => Self::NoMatch(regex(&value)?),
        })
    }

    fn holds(&self, value: &str) -> bool {
        match self {
            Self::Equal(wanted) => value == wanted,
            Self::NotEqual(unwanted) => value != unwanted,
            Self::Match(regex) => regex.is_match(value),
            Self::NoMatch(regex) => !regex.is_match(value),
        }
    }
}

fn is_word(name: &str) -> bool {
    is_valid_label_name(name, NameScheme::Legacy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_match(selector: &str, labels: &[(&str, &'static str)]) -> bool {
        let selector = Selector::parse(selector).unwrap();
        selector.is_match(|name| {
            labels
                .iter()
                .find(|(it, _)| *it == name)
                .map_or("", |it| it.1)
        })
    }

    #[test]
    fn matchers_test_labels_as_in_promql() {
        let labels = [
            ("job", "web"),
            ("env", "prod"),
            ("app.kubernetes.io/name", "x"),
            ("odd", "a\"b\\\n\u{e9}"),
        ];
        for (selector, expected) in [
            ("{}", true),
            (" { } ", true),
            (r#"{job="web"}"#, true),
            (r#"{job="web",}"#, true),
            (r#"{ job = "web" , env =~ "prod|test" }"#, true),
            (r#"{job="web",env="test"}"#, false),
            (r#"{job!="web"}"#, false),
            (r#"{env=~"pro"}"#, false),
            (r#"{env=~"pro."}"#, true),
            (r#"{env!~"p.*"}"#, false),
            (r#"{env!~"q.*"}"#, true),
            (r#"{missing=""}"#, true),
            (r#"{missing!=""}"#, false),
            (r#"{missing=~".*"}"#, true),
            (r#"{missing=~".+"}"#, false),
            (r#"{"app.kubernetes.io/name"="x"}"#, true),
            ("{job='web'}", true),
            ("{job=`web`}", true),
            (r#"{odd="a\"b\\\n\u00e9"}"#, true),
            (r#"{odd="a\x22b\134\x0a\xc3\xa9"}"#, true),
            ("{odd=`a\"b\\\n\u{e9}`}", true),
        ] {
            assert_eq!(is_match(selector, &labels), expected, "{selector}");
        }
    }

    #[test]
    fn errors_name_the_place_and_what_is_expected() {
        for (selector, at, problem) in [
            ("", 0, "expected `{`"),
            ("job", 0, "expected `{`"),
            ("{", 1, "expected a label name or `}`"),
            ("{,}", 1, "expected a label name or `}`"),
            ("{1a=\"x\"}", 1, "expected a label name or `}`"),
            ("{job}", 4, "expected `=`, `!=`, `=~` or `!~`"),
            ("{job==\"x\"}", 5, "expected a quoted value"),
            ("{job=x}", 5, "expected a quoted value"),
            ("{job=\"x\"", 8, "expected `,` or `}`"),
            ("{job=\"x\" env=\"y\"}", 9, "expected `,` or `}`"),
            ("{job=\"x\"}}", 9, "unexpected text behind `}`"),
            ("{job=\"x", 5, "the quoted text has no end"),
            ("{job=\"x\n\"}", 5, "the quoted text has no end"),
            (r#"{job="\q"}"#, 6, "unknown escape"),
            (r#"{job="\x4"}"#, 6, "unknown escape"),
            (r#"{job="\ud800"}"#, 6, "unknown escape"),
            (r#"{job="\xff"}"#, 5, "the quoted text is not valid UTF-8"),
            ("{\"\"=\"x\"}", 1, "a label name must not be empty"),
        ] {
            let error = Selector::parse(selector).unwrap_err();
            assert_eq!((error.at, &*error.problem), (at, problem), "{selector}");
        }
        let error = Selector::parse(r#"{job=~"a("}"#).unwrap_err();
        assert_eq!(error.at, 6);
        assert!(error.problem.contains("missing closing )"), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in r#"(\{|\}|,|=|!|~|"|'|`|\\|[a-z0-9_ ]|\PC){0,40}"#) {
            let _ = Selector::parse(&text);
        }

        #[test]
        fn quoted_value_comes_back(value in "\\PC{0,20}") {
            let quoted = quote(&value);
            let selector = Selector::parse(&format!("{{{quoted}={quoted}}}"));
            if value.is_empty() {
                proptest::prop_assert!(selector.is_err());
            } else {
                let selector = selector.unwrap();
                let is_match = selector.is_match(|name| if name == value { &value } else { "" });
                proptest::prop_assert!(is_match);
                proptest::prop_assert!(!selector.is_match(|_| "other than that"));
            }
        }
    }
}
