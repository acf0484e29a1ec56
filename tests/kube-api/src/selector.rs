//! Label and field selectors, in the form that URLs carry them.

use crate::fields;
use crate::object::Object;
use crate::resource::Resource;

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
    pub(crate) fn parse(labels: &str, fields: &str, resource: &Resource) -> Result<Self, String> {
        let labels = split(labels)
            .into_iter()
            .map(|part| requirement(&part))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|part| format!("unable to parse requirement: {part}"))?;
        let mut fields = split(fields)
            .into_iter()
            .map(|part| requirement(&part))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|part| format!("invalid selector: '{part}'; can't understand '{part}'"))?;
        for Requirement { key, test } in &mut fields {
            if matches!(test, Test::Exists | Test::Absent) {
                return Err(format!(
                    "invalid selector: '{key}'; can't understand '{key}'"
                ));
            }
            *key = fields::check(resource, key)?.to_owned();
        }
        Ok(Self { labels, fields })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub(crate) fn matches(&self, object: &Object) -> bool {
        let label = |key: &str| object.labels.get(key).map(String::as_str);
        self.labels.iter().all(|r| r.holds(label(&r.key)))
            && self
                .fields
                .iter()
                .all(|r| r.holds(Some(object.field(&r.key))))
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

    fn of_kind(api_version: &str, kind: &str) -> Resource {
        Resource::guess(api_version, kind, kind != "Node" && kind != "GatewayClass")
    }

    fn selects(labels: &str, fields: &str) -> bool {
        let pod = json!({
            "metadata": {"namespace": "a", "name": "p", "labels": {"app": "web", "tier": "x"}},
            "spec": {"nodeName": "n1"}, "status": {"phase": "Running"}
        });
        Selector::parse(labels, fields, &of_kind("v1", "Pod"))
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
    fn fields_that_say_nothing_have_the_default_of_the_server() {
        assert!(selects(
            "",
            "spec.hostNetwork=false,spec.restartPolicy=Always"
        ));
        assert!(selects("", "spec.schedulerName=default-scheduler"));
        assert!(selects("", "status.nominatedNodeName=,status.podIPs="));
        assert!(!selects("", "spec.restartPolicy!=Always"));
        assert!(selects("", "spec.host=n1"), "the old name of spec.nodeName");
    }

    #[test]
    fn each_kind_has_its_fields() {
        let object = json!({
            "metadata": {"name": "o", "namespace": "x"},
            "spec": {"clusterIP": "10.0.0.1", "type": "NodePort", "unschedulable": true,
                     "hostNetwork": true, "restartPolicy": "Never", "serviceAccountName": "sa"},
            "status": {"succeeded": 3, "podIPs": [{"ip": "10.1.1.1"}, {"ip": "fd::1"}]}
        });
        let object = Object::new(&object, 1);
        for (kind, selector, expected) in [
            (
                ("v1", "Service"),
                "spec.clusterIP=10.0.0.1,spec.type=NodePort",
                true,
            ),
            (("v1", "Service"), "spec.clusterIP=None", false),
            (("v1", "Node"), "spec.unschedulable=true", true),
            (("v1", "Node"), "spec.unschedulable=false", false),
            (("batch/v1", "Job"), "status.successful=3", true),
            (("batch/v1", "Job"), "status.successful!=3", false),
            (
                ("v1", "Pod"),
                "status.podIP=10.1.1.1,spec.hostNetwork=true",
                true,
            ),
            (
                ("v1", "Pod"),
                "spec.serviceAccountName=sa,spec.restartPolicy=Never",
                true,
            ),
            (
                ("apps/v1", "Deployment"),
                "metadata.name=o,metadata.namespace=x",
                true,
            ),
            (
                ("gateway.networking.k8s.io/v1", "HTTPRoute"),
                "metadata.namespace=y",
                false,
            ),
        ] {
            let parsed = Selector::parse("", selector, &of_kind(kind.0, kind.1)).unwrap();
            assert_eq!(parsed.matches(&object), expected, "{kind:?} {selector}");
        }
    }

    #[test]
    fn what_a_server_would_refuse_is_refused_in_its_words() {
        let plain = |field: &str| {
            format!(
                "\"{field}\" is not a known field selector: only \"metadata.name\", \
                 \"metadata.namespace\""
            )
        };
        let unsupported = |field: &str| format!("field label not supported: {field}");
        for (kind, selector, expected) in [
            (("v1", "Pod"), "spec.x=1", unsupported("spec.x")),
            (
                ("v1", "Node"),
                "spec.nodeName=n1",
                unsupported("spec.nodeName"),
            ),
            (
                ("v1", "Node"),
                "metadata.namespace=x",
                unsupported("metadata.namespace"),
            ),
            (
                ("v1", "Service"),
                "status.phase=x",
                unsupported("status.phase"),
            ),
            (("v1", "Endpoints"), "spec.x=1", plain("spec.x")),
            (
                ("networking.k8s.io/v1", "Ingress"),
                "spec.x=1",
                plain("spec.x"),
            ),
            (
                ("gateway.networking.k8s.io/v1", "Gateway"),
                "spec.x=1",
                unsupported("spec.x"),
            ),
            (
                ("gateway.networking.k8s.io/v1", "GatewayClass"),
                "metadata.namespace=x",
                unsupported("metadata.namespace"),
            ),
        ] {
            let refused = Selector::parse("", selector, &of_kind(kind.0, kind.1));
            assert_eq!(refused.unwrap_err(), expected, "{kind:?} {selector}");
        }
        let pods = of_kind("v1", "Pod");
        assert!(Selector::parse("app in web", "", &pods).is_err());
        assert!(Selector::parse("", "metadata.name", &pods).is_err());
    }
}
