//! A section of `json_http_sd_configs`: as written, then checked.

use std::collections::BTreeMap;

use periplus_sdk::prelude::*;

use crate::expression::{self, Expression};

/// Where the inventory is, and where in it targets and labels stand. A pointer is a JSON pointer (`/net/ip`); where an
/// expression is asked for, a text with pointers in braces (`{/name}.example.com:{/port}`) will do too.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// What is asked, with GET.
    #[schemars(extend("format" = "uri"), regex(pattern = r"^https?(\+unix)?://."))]
    url: String,
    /// Pointer to the items: a list, or an object whose members are the items. Empty: the whole answer.
    #[serde(default)]
    items: String,
    /// Expression for the address of an item. An item that has `null` or nothing there is passed over.
    address: String,
    /// Port to add to the address: a number, or an expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port: Option<RawPort>,
    /// Labels by name, each with an expression; one that an item has no value for is left out.
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// Expression for the group of an item. Without it, each address is a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group_by: Option<String>,
    /// Headers of the request. Credentials belong into the HTTP client settings of the section.
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
enum RawPort {
    Number(u16),
    Expression(String),
}

/// What to read from each item.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) items: String,
    pub(crate) address: Expression,
    pub(crate) port: Option<Port>,
    pub(crate) labels: Vec<(String, Expression)>,
    pub(crate) group_by: Option<Expression>,
}

#[derive(Debug)]
pub(crate) enum Port {
    Number(u16),
    Expression(Expression),
}

/// Collects problems, so that all are reported at once.
#[derive(Default)]
struct Checker {
    problems: Vec<Problem>,
}

// === impl Plan ===

impl Plan {
    /// Checks a configuration; all problems of it, each at its place.
    pub(crate) fn new(config: Config) -> Result<Self, Vec<Problem>> {
        let mut checker = Checker::default();
        checker.url(&config.url);
        if !expression::is_pointer(&config.items) {
            checker.add("/items", format!("`{}` is no JSON pointer", config.items));
        }
        for name in config.headers.keys().filter(|name| name.is_empty()) {
            checker.add(format!("/headers/{name}"), "a header needs a name");
        }
        let address = checker.expression("/address", &config.address);
        let port = config.port.map(|port| match port {
            RawPort::Number(number) => Some(Port::Number(number)),
            RawPort::Expression(text) => checker.expression("/port", &text).map(Port::Expression),
        });
        let labels = checker.labels(&config.labels);
        let group_by = config
            .group_by
            .map(|text| checker.expression("/group_by", &text));
        match address {
            Some(address) if checker.problems.is_empty() => Ok(Self {
                url: config.url,
                headers: config.headers.into_iter().collect(),
                items: config.items,
                address,
                port: port.flatten(),
                labels,
                group_by: group_by.flatten(),
            }),
            _ => Err(checker.problems),
        }
    }
}

// === impl Checker ===

impl Checker {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem::new(path, message));
    }

    fn url(&mut self, url: &str) {
        let rest = ["http://", "https://", "http+unix://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme));
        if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with('/')) {
            self.add(
                "/url",
                format!("`{url}` is no URL with `http` or `https` and a host"),
            );
        }
    }

    fn expression(&mut self, path: &str, text: &str) -> Option<Expression> {
        Expression::parse(text)
            .map_err(|message| self.add(path, message))
            .ok()
    }

    fn labels(&mut self, labels: &BTreeMap<String, String>) -> Vec<(String, Expression)> {
        let mut checked = Vec::new();
        for (name, text) in labels {
            let path = format!("/labels/{}", name.replace('~', "~0").replace('/', "~1"));
            match name.as_str() {
                "" => self.add(&path, "a label needs a name"),
                "__address__" => self.add(&path, "the address has a key of its own, `address`"),
                _ => {}
            }
            checked.extend(
                self.expression(&path, text)
                    .map(|value| (name.clone(), value)),
            );
        }
        checked
    }
}
