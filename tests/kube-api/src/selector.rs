//! Label and field selectors, in the form that URLs carry them.

use crate::object::Object;

/// A selector of a request; empty selects everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
}

impl Selector {
    /// Fails with the sentence of a `400` answer.
    pub(crate) fn parse(labels: &str, fields: &str, resource: &str) -> Result<Self, String> {
        let labels = split(labels)
            .into_iter()
            .map(|part| requirement(&part))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|part| format!("unable to parse requirement: {part}"))?;
        let fields = split(fields)
            .into_iter()
            .map(|part| requirement(&part))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|part| format!("invalid selector: '{part}'; can't understand '{part}'"))?;
        for Requirement { key, test } in &fields {
            let known = matches!(key.as_str(), "metadata.name" | "metadata.namespace")
                || (resource == "pods" && matches!(key.as_str(), "spec.nodeName" | "status.phase"));
            if !known {
                return Err(format!("field label not supported: {key}"));
            }
            if matches!(test, Test::Exists | Test::Absent) {
                return Err(format!(
                    "invalid selector: '{key}'; can't understand '{key}'"
                ));
            }
        }
        Ok(Self { labels, fields })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub(crate) fn matches(&self, object: &Object) -> bool {
        let label = |key: &str| object.labels.get(key).map(String::as_str);
        let field = |key: &str| match key {
            "metadata.name" => Some(object.name.as_str()),
            "metadata.namespace" => Some(object.namespace.as_str()),
            other => object.fields.get(other).map(String::as_str),
        };
        self.labels.iter().all(|r| r.holds(label(&r.key)))
            && self.fields.iter().all(|r| r.holds(field(&r.key)))
    }
}

impl Requirement {
    fn holds(&self, value: Option<&str>) -> bool {
        match &self.test {
            Test::In(wanted) => value.is_some_and(|v| wanted.iter().any(|w| w == v)),
            Test::NotIn(refused) => value.is_none_or(|v| refused.iter().all(|r| r != v)),
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
        }
    }
}

/// Splits at commas outside parentheses.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_u32;
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match parts.last_mut() {
            Some(part) if c != ',' || depth > 0 => part.push(c),
            _ => parts.push(String::new()),
        }
    }
    parts
        .into_iter()
        .map(|p| p.trim().to_owned())
        .filter(|p| !p.is_empty())
        .collect()
}

fn requirement(part: &str) -> Result<Requirement, String> {
    let make = |key: &str, test| Requirement {
        key: key.trim().to_owned(),
        test,
    };
    let one = |value: &str| vec![value.trim().to_owned()];
    if let Some((key, value)) = part.split_once("!=") {
        return Ok(make(key, Test::NotIn(one(value))));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Ok(make(key, Test::In(one(value))));
    }
    if let Some(key) = part.strip_prefix('!') {
        return Ok(make(key, Test::Absent));
    }
    let words: Vec<&str> = part.splitn(3, ' ').collect();
    match words.as_slice() {
        [key] => Ok(make(key, Test::Exists)),
        [key, operator, set] => {
            let set = set
                .trim()
                .strip_prefix('(')
                .and_then(|s| s.strip_suffix(')'));
            let values = set
                .ok_or(part)?
                .split(',')
                .map(|v| v.trim().to_owned())
                .collect();
            match *operator {
                "in" => Ok(make(key, Test::In(values))),
                "notin" => Ok(make(key, Test::NotIn(values))),
                _ => Err(part.to_owned()),
            }
        }
        _ => Err(part.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn selects(labels: &str, fields: &str) -> bool {
        let pod = json!({
            "metadata": {"namespace": "a", "name": "p", "labels": {"app": "web", "tier": "x"}},
            "spec": {"nodeName": "n1"}, "status": {"phase": "Running"}
        });
        Selector::parse(labels, fields, "pods")
            .unwrap()
            .matches(&Object::new(&pod, 1))
    }

    #[test]
    fn label_selectors_select_as_documented() {
        for (selector, expected) in [
            ("", true),
            ("app=web", true),
            ("app==web,tier=x", true),
            ("app=db", false),
            ("app!=db", true),
            ("other!=db", true),
            ("app in (db, web)", true),
            ("app in (db)", false),
            ("app notin (web),tier", false),
            ("other notin (web)", true),
            ("tier", true),
            ("other", false),
            ("!other", true),
            ("!app", false),
        ] {
            assert_eq!(selects(selector, ""), expected, "{selector}");
        }
    }

    #[test]
    fn field_selectors_select_by_the_fields_of_a_pod() {
        assert!(selects("", "spec.nodeName=n1,status.phase!=Pending"));
        assert!(!selects("", "metadata.name=q"));
        assert!(selects("", "metadata.namespace=a"));
    }

    #[test]
    fn what_a_server_would_refuse_is_refused() {
        assert!(Selector::parse("app in web", "", "pods").is_err());
        assert!(Selector::parse("", "spec.nodeName=n1", "nodes").is_err());
        assert!(Selector::parse("", "metadata.name", "pods").is_err());
    }
}
