//! A plugin's configuration: JSON text to the plugin's own type, with problems at JSON pointers.

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

/// Something wrong with a configuration, at the place that `path` points to (RFC 6901; empty: the whole of it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// JSON pointer into the configuration, for example `/ports/include/0`.
    pub path: String,
    /// Lower case, no full stop.
    pub message: String,
}

impl Problem {
    /// A problem at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }
}

/// Reads a configuration. The first value that does not fit its type is the one problem reported.
pub(crate) fn parse<C: DeserializeOwned>(text: &str) -> Result<C, Vec<Problem>> {
    let value: serde_json::Value = serde_json::from_str(text)
        .map_err(|error| vec![Problem::new("", format!("not JSON: {error}"))])?;
    // From a value and not from the text: positions in text that the host wrote would tell the operator nothing.
    serde_path_to_error::deserialize(value).map_err(|error| {
        vec![Problem::new(
            pointer(error.path()),
            error.inner().to_string(),
        )]
    })
}

/// Escapes one part of a JSON pointer: `a/b~c` becomes `a~1b~0c`.
pub(crate) fn escape(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        let part = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => escape(key),
            // Which variant was tried is no place in the text that the operator wrote.
            Segment::Enum { .. } | Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&part);
    }
    pointer
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        hosts: Vec<Host>,
        #[serde(default)]
        names: BTreeMap<u16, String>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Host {
        port: u16,
    }

    fn problem(text: &str) -> Problem {
        let mut problems = parse::<Sample>(text).unwrap_err();
        assert_eq!(problems.len(), 1);
        problems.remove(0)
    }

    #[test]
    fn a_wrong_type_is_pointed_at() {
        let problem = problem(r#"{"hosts": [{"port": 1}, {"port": "x"}]}"#);
        assert_eq!(problem.path, "/hosts/1/port");
        assert_eq!(problem.message, r#"invalid type: string "x", expected u16"#);
    }

    #[test]
    fn keys_are_escaped_in_pointers() {
        let problem = problem(r#"{"hosts": [], "names": {"a/b~c": "x"}}"#);
        assert!(problem.path.starts_with("/names"), "{problem:?}");
        assert_eq!(escape("a/b~c"), "a~1b~0c");
    }

    #[test]
    fn a_missing_field_is_named() {
        let problem = problem("{}");
        assert_eq!(problem, Problem::new("", "missing field `hosts`"));
    }

    #[test]
    fn an_unknown_key_is_named() {
        let problem = problem(r#"{"hosts": [], "prots": 1}"#);
        assert!(
            problem.message.starts_with("unknown field `prots`"),
            "{problem:?}"
        );
    }

    #[test]
    fn text_that_is_not_json_is_a_problem_of_the_whole() {
        assert_eq!(problem("{").path, "");
    }

    #[test]
    fn numbers_may_be_keys() {
        let sample: Sample = parse(r#"{"hosts": [], "names": {"9100": "node"}}"#).unwrap();
        assert_eq!(sample.names[&9100], "node");
    }
}
