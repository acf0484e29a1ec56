//! From an answer to groups.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

use periplus_sdk::prelude::*;
use periplus_sdk::serde_json::Value;

use crate::config::{Plan, Port};
use crate::expression::Lack;

/// What an answer holds.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    pub(crate) update: Update,
    /// Labels that were left out because of their type, by item and pointer.
    pub(crate) unusable: Vec<String>,
}

/// An item of the answer.
struct Item<'a> {
    /// Its name in an object, or its number in a list.
    key: String,
    /// Where it stands in the answer.
    pointer: String,
    value: &'a Value,
}

/// An item that could not be read.
struct Failed {
    /// Its group, if that could be read.
    source: Option<String>,
    message: String,
}

#[derive(Default)]
struct Collected {
    groups: BTreeMap<String, BTreeSet<Target>>,
    failed: Vec<Failed>,
    unusable: Vec<String>,
}

/// Makes groups of an answer, or says why it is no inventory.
pub(crate) fn read(plan: &Plan, answer: &Value) -> Result<Inventory, Unavailable> {
    let items = items(plan, answer)?;
    let mut collected = Collected::default();
    for item in &items {
        if let Err(failed) = collected.add(plan, item) {
            collected.failed.push(failed);
        }
    }
    // More likely a slip in a pointer, or another answer than usual, than an inventory without targets.
    if let Some(first) = collected.failed.first()
        && collected.failed.len() == items.len()
    {
        let message = format!("no item of `{}` can be used: {}", plan.url, first.message);
        return Err(Unavailable::new(message));
    }
    Ok(collected.finish(plan))
}

fn items<'a>(plan: &Plan, answer: &'a Value) -> Result<Vec<Item<'a>>, Unavailable> {
    let item = |key: String, value: &'a Value| {
        let part = key.replace('~', "~0").replace('/', "~1");
        Item {
            pointer: format!("{}/{part}", plan.items),
            key,
            value,
        }
    };
    match answer.pointer(&plan.items) {
        Some(Value::Array(values)) => Ok(values
            .iter()
            .enumerate()
            .map(|(index, value)| item(index.to_string(), value))
            .collect()),
        Some(Value::Object(members)) => Ok(members
            .iter()
            .map(|(key, value)| item(key.clone(), value))
            .collect()),
        found => {
            let what = if found.is_some() {
                "holds no list and no object"
            } else {
                "has nothing"
            };
            let message = format!("the answer of `{}` {what} at `{}`", plan.url, plan.items);
            Err(Unavailable::new(message))
        }
    }
}

// === impl Collected ===

impl Collected {
    fn add(&mut self, plan: &Plan, item: &Item<'_>) -> Result<(), Failed> {
        let group = plan
            .group_by
            .as_ref()
            .map(|by| by.value(&item.key, item.value));
        let group = group.transpose().map_err(|lack| item.failed(None, lack))?;
        let host = match plan.address.value(&item.key, item.value) {
            Ok(host) => host,
            // The inventory says that there is nothing to scrape.
            Err(Lack::Empty(_)) => return Ok(()),
            Err(lack) => return Err(item.failed(group, lack)),
        };
        let address = match port(plan, item) {
            Ok(None) => host,
            Ok(Some(port)) => join(&host, port),
            Err(message) => return Err(item.failed(group, message)),
        };
        let target = self.labelled(Target::new(&address), plan, item);
        self.groups
            .entry(group.unwrap_or(address))
            .or_default()
            .insert(target);
        Ok(())
    }

    fn labelled(&mut self, mut target: Target, plan: &Plan, item: &Item<'_>) -> Target {
        for (name, expression) in &plan.labels {
            match expression.value(&item.key, item.value) {
                Ok(value) => target = target.label(name, value),
                Err(lack @ Lack::NotText(_)) => {
                    self.unusable
                        .push(format!("label `{name}` of item `{}`: {lack}", item.pointer));
                }
                Err(Lack::Missing(_) | Lack::Empty(_)) => {}
            }
        }
        target
    }

    fn finish(self, plan: &Plan) -> Inventory {
        // One that is known by its group stays as it was; the others are named together, since a source of their own
        // would hold nothing.
        let mut lapses: BTreeMap<String, String> = BTreeMap::new();
        let mut unplaced = Vec::new();
        for Failed { source, message } in self.failed {
            match source {
                Some(source) if !self.groups.contains_key(&source) => {
                    lapses.entry(source).or_insert(message);
                }
                _ => unplaced.push(message),
            }
        }
        let group = |(source, targets): (String, BTreeSet<Target>)| {
            let group = Group::new(&source)
                .label("__meta_json_http_url", &plan.url)
                .targets(targets);
            if plan.group_by.is_some() {
                group.label("__meta_json_http_group", source)
            } else {
                group
            }
        };
        let mut update = Update::complete(self.groups.into_iter().map(group));
        for (source, message) in lapses {
            update = update.lapse(source, message);
        }
        if let Some(first) = unplaced.first() {
            let source = "items that cannot be used";
            update = update.lapse(source, format!("{} in all, first {first}", unplaced.len()));
        }
        Inventory {
            update,
            unusable: self.unusable,
        }
    }
}

// === impl Item ===

impl Item<'_> {
    fn failed(&self, source: Option<String>, message: impl ToString) -> Failed {
        Failed {
            source,
            message: format!("item `{}`: {}", self.pointer, message.to_string()),
        }
    }
}

fn port(plan: &Plan, item: &Item<'_>) -> Result<Option<u16>, String> {
    let expression = match &plan.port {
        None => return Ok(None),
        Some(Port::Number(port)) => return Ok(Some(*port)),
        Some(Port::Expression(expression)) => expression,
    };
    let text = expression
        .value(&item.key, item.value)
        .map_err(|lack| lack.to_string())?;
    text.parse()
        .map(Some)
        .map_err(|_| format!("`{text}` is no port"))
}

fn join(host: &str, port: u16) -> String {
    if host.parse::<Ipv6Addr>().is_ok() {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}
