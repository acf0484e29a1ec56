//! What the pointers of a section find in an object: a row for each target.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::pointer::{Pointer, Segment};
use super::resource::KubernetesResourceSection;

/// Targets of one object. An object of the API holds 1.5 MB at most, but addresses times ports may
/// still be more than anyone wants.
const ROW_LIMIT: usize = 10_000;

/// Bytes of one value, alone or joined: it is copied into every target, and no address, port or
/// label that means something is longer.
const VALUE_LIMIT: usize = 4096;

/// The pointers of a section.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ResourcePointers {
    /// Where addresses stand.
    pub address: Pointer,
    /// Where ports stand.
    pub port: Option<Pointer>,
    /// Where the values of labels stand, by the end of the label's name.
    pub labels: BTreeMap<String, Pointer>,
}

/// What one target is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceRow<'v> {
    /// The address, never empty.
    pub address: Cow<'v, str>,
    /// The port, never empty; only if the section has a pointer to ports.
    pub port: Option<Cow<'v, str>>,
    /// Values by the end of the label's name, sorted by it. What the object does not have is left
    /// out; several values are joined by commas.
    pub labels: Vec<(&'v str, Cow<'v, str>)>,
}

/// The rows of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceRows<'v> {
    /// The rows in the order of the object.
    pub rows: Vec<ResourceRow<'v>>,
    /// Whether there are more than 10,000, which were left out.
    pub is_cut: bool,
}

/// A value, and which element each `*` on the way to it stands for.
struct Found<'v> {
    text: Cow<'v, str>,
    choices: Vec<usize>,
}

/// What was found, by the choices that it depends on, so that no part of an object is walked again
/// for each target.
type Memo<T> = HashMap<Vec<usize>, T>;

// === impl KubernetesResourceSection ===

impl KubernetesResourceSection {
    /// The section's pointers.
    #[must_use]
    pub fn pointers(&self) -> ResourcePointers {
        ResourcePointers {
            address: self.address.clone(),
            port: self.port.clone(),
            labels: self.labels.clone(),
        }
    }
}

// === impl ResourcePointers ===

impl ResourcePointers {
    /// What the pointers find in an object.
    ///
    /// Pointers that are the same up to a `*` go through it together: with addresses at
    /// `/spec/listeners/*/hostname` and ports at `/spec/listeners/*/port`, each host name has its
    /// own listener's port. Otherwise each address has a row for each port. With a pointer to
    /// ports, an address without one has no row. Texts, numbers and truths are values; nothing,
    /// lists, mappings, and texts that are empty or longer than 4 KiB are none.
    #[must_use]
    pub fn rows<'v>(&'v self, object: &'v Value) -> ResourceRows<'v> {
        let mut rows = ResourceRows::default();
        let mut ports: Memo<Vec<Found<'v>>> = Memo::new();
        let mut labels: Vec<Memo<Option<Cow<'v, str>>>> = vec![Memo::new(); self.labels.len()];
        for address in find(&self.address, object, &[]) {
            let bound = self.port.as_ref().map(|pointer| {
                let bound = bound(pointer, [(&self.address, &address)]);
                if !ports.contains_key(bound) {
                    ports.insert(bound.to_vec(), find(pointer, object, bound));
                }
                bound
            });
            let ports: Vec<Option<&Found<'v>>> = match bound {
                Some(bound) => ports[bound].iter().map(Some).collect(),
                None => vec![None],
            };
            for port in ports {
                if rows.rows.len() == ROW_LIMIT {
                    rows.is_cut = true;
                    return rows;
                }
                rows.rows.push(ResourceRow {
                    address: address.text.clone(),
                    port: port.map(|port| port.text.clone()),
                    labels: self.labels_of(object, &address, port, &mut labels),
                });
            }
        }
        rows
    }

    fn labels_of<'v>(
        &'v self,
        object: &'v Value,
        address: &Found<'v>,
        port: Option<&Found<'v>>,
        known: &mut [Memo<Option<Cow<'v, str>>>],
    ) -> Vec<(&'v str, Cow<'v, str>)> {
        let mut labels = Vec::with_capacity(self.labels.len());
        for ((name, pointer), known) in self.labels.iter().zip(known) {
            let of_port = self.port.as_ref().zip(port);
            let walked = [(&self.address, address)].into_iter().chain(of_port);
            let bound = bound(pointer, walked);
            if !known.contains_key(bound) {
                known.insert(bound.to_vec(), joined(find(pointer, object, bound)));
            }
            labels.extend(known[bound].clone().map(|value| (name.as_str(), value)));
        }
        labels
    }
}

/// The values with commas between them, as many as fit.
fn joined(values: Vec<Found<'_>>) -> Option<Cow<'_, str>> {
    let mut values = values.into_iter().map(|found| found.text);
    let mut joined = values.next()?;
    for value in values {
        if joined.len() + 1 + value.len() > VALUE_LIMIT {
            break;
        }
        let text = joined.to_mut();
        text.push(',');
        text.push_str(&value);
    }
    Some(joined)
}

/// The choices that a pointer shares with those that were walked already: of the one that is the
/// same for longest.
fn bound<'f, 'v: 'f>(
    pointer: &Pointer,
    walked: impl IntoIterator<Item = (&'f Pointer, &'f Found<'v>)>,
) -> &'f [usize] {
    let shared = walked.into_iter().map(|(other, found)| {
        let pairs = pointer.segments().iter().zip(other.segments());
        let same = pairs.take_while(|(left, right)| left == right);
        let stars = same.filter(|(left, _)| **left == Segment::Each).count();
        &found.choices[..stars]
    });
    shared
        .max_by_key(|choices| choices.len())
        .unwrap_or_default()
}

/// The values at a pointer whose first `*` stand for the elements `bound`; one more than are used,
/// if there are, so that it shows.
fn find<'v>(pointer: &Pointer, object: &'v Value, bound: &[usize]) -> Vec<Found<'v>> {
    let mut found = Vec::new();
    let mut choices = Vec::new();
    walk(pointer.segments(), object, bound, &mut choices, &mut found);
    found
}

fn walk<'v>(
    segments: &[Segment],
    value: &'v Value,
    bound: &[usize],
    choices: &mut Vec<usize>,
    found: &mut Vec<Found<'v>>,
) {
    if found.len() > ROW_LIMIT {
        return;
    }
    let Some((segment, rest)) = segments.split_first() else {
        found.extend(text_of(value).map(|text| Found {
            text,
            choices: choices.clone(),
        }));
        return;
    };
    match segment {
        Segment::Key(key) => {
            if let Some(value) = member(value, key) {
                walk(rest, value, bound, choices, found);
            }
        }
        Segment::Each => {
            let chosen = bound.get(choices.len()).copied();
            for (index, element) in elements(value, chosen) {
                choices.push(index);
                walk(rest, element, bound, choices, found);
                choices.pop();
            }
        }
    }
}

fn member<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    match value {
        Value::Object(members) => members.get(key),
        // RFC 6901: digits alone, without a leading zero.
        Value::Array(items) if key == "0" || !key.starts_with(['0', '+']) => {
            items.get(key.parse::<usize>().ok()?)
        }
        _ => None,
    }
}

/// All elements with their numbers, or the chosen one.
fn elements(value: &Value, chosen: Option<usize>) -> Vec<(usize, &Value)> {
    let (skipped, taken) = chosen.map_or((0, usize::MAX), |index| (index, 1));
    match value {
        Value::Array(items) => numbered(items.iter(), skipped, taken),
        Value::Object(members) => numbered(members.values(), skipped, taken),
        _ => Vec::new(),
    }
}

fn numbered<'v>(
    elements: impl Iterator<Item = &'v Value>,
    skipped: usize,
    taken: usize,
) -> Vec<(usize, &'v Value)> {
    elements.enumerate().skip(skipped).take(taken).collect()
}

fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) if text.is_empty() || text.len() > VALUE_LIMIT => None,
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(truth) => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
