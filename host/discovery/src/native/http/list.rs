//! From a body to target groups, as Go's decoder reads it: names of fields in any case, `null` for
//! what is empty, anything unknown refused.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use periplus_core::{LabelSet, TargetGroup};
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Why a body is no list of target groups.
#[derive(Debug, thiserror::Error)]
pub(in crate::native) enum ListError {
    #[error("the body is no list of target groups: {0}")]
    Json(#[from] serde_json::Error),
    #[error("nil target group item found")]
    NullGroup,
    #[error("{} is not a valid label name", periplus_core::quote(.0))]
    LabelName(String),
}

/// A group as written.
#[derive(Default)]
struct Written {
    targets: Vec<Option<String>>,
    labels: BTreeMap<String, Option<String>>,
}

/// Reads a body. Groups are named after `url` and their place, and carry it as `__meta_url`.
pub(in crate::native) fn read(body: &[u8], url: &str) -> Result<Vec<Arc<TargetGroup>>, ListError> {
    let text = as_utf8(body);
    let written: Option<Vec<Option<Written>>> = serde_json::from_str(&text)?;
    let written = written.unwrap_or_default().into_iter().enumerate();
    let groups = written.map(|(index, written)| {
        let written = written.ok_or(ListError::NullGroup)?;
        written.into_group(index, url).map(Arc::new)
    });
    groups.collect()
}

/// As Go's decoder: a replacement character for each byte that is not UTF-8.
fn as_utf8(body: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(body) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Cow::Owned(text)
}

// === impl Written ===

impl Written {
    fn into_group(self, index: usize, url: &str) -> Result<TargetGroup, ListError> {
        let mut labels = self.labels;
        if labels.contains_key("") {
            return Err(ListError::LabelName(String::new()));
        }
        labels.insert("__meta_url".to_owned(), Some(url.to_owned()));
        let labels = labels
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref().unwrap_or_default()));
        let targets = self.targets.into_iter();
        let address = |target: Option<String>| {
            LabelSet::from_iter([("__address__", target.unwrap_or_default())])
        };
        Ok(TargetGroup {
            source: format!("{url}:{index}").into(),
            labels: labels.collect(),
            targets: targets.map(address).collect(),
        })
    }
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(WrittenVisitor)
    }
}

struct WrittenVisitor;

/// A list or an object that may be `null`.
struct OrDefault<T>(std::marker::PhantomData<T>);

// === impl WrittenVisitor ===

impl<'de> Visitor<'de> for WrittenVisitor {
    type Value = Written;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a target group: an object with `targets` and `labels`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
        let mut written = Written::default();
        while let Some(key) = map.next_key::<String>()? {
            if key.eq_ignore_ascii_case("targets") {
                written.targets = map.next_value_seed(OrDefault(std::marker::PhantomData))?;
            } else if key.eq_ignore_ascii_case("labels") {
                written.labels = map.next_value_seed(OrDefault(std::marker::PhantomData))?;
            } else {
                map.next_value::<IgnoredAny>()?;
                return Err(A::Error::unknown_field(&key, &["targets", "labels"]));
            }
        }
        Ok(written)
    }
}

impl<'de, T: Deserialize<'de> + Default> DeserializeSeed<'de> for OrDefault<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
