//! Pieces of Kubernetes objects as they come over the wire, borrowed from the bytes that were read.
//!
//! Only what discovery needs is named; everything else (`managedFields` above all) is skipped by
//! the parser. `null` stands for the empty value everywhere, as it does in Go.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::record::Writer;
use crate::resource::ObjectNames;
use crate::resource::filter::AnnotationFilter;

/// A string, borrowed unless it holds escapes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

/// A map of strings, sorted by key, the last of equal keys kept.
#[derive(Debug, Default)]
pub(crate) struct Pairs<'a>(pub(crate) Vec<(Text<'a>, Text<'a>)>);

/// The part of `metadata` that every role needs.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Metadata<'a> {
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
    #[serde(borrow)]
    pub(crate) namespace: Text<'a>,
    #[serde(borrow)]
    pub(crate) uid: Text<'a>,
    #[serde(borrow)]
    pub(crate) resource_version: Text<'a>,
    #[serde(borrow)]
    pub(crate) labels: Pairs<'a>,
    #[serde(borrow)]
    pub(crate) annotations: Pairs<'a>,
    #[serde(borrow, deserialize_with = "nullable")]
    pub(crate) owner_references: Vec<OwnerReference<'a>>,
}

/// One entry of `metadata.ownerReferences`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct OwnerReference<'a> {
    #[serde(borrow)]
    pub(crate) kind: Text<'a>,
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
    pub(crate) controller: Option<bool>,
}

/// A reference to another object.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct ObjectReference<'a> {
    #[serde(borrow)]
    pub(crate) kind: Text<'a>,
    #[serde(borrow)]
    pub(crate) namespace: Text<'a>,
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
}

/// One entry of `status.conditions`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Condition<'a> {
    #[serde(borrow, rename = "type")]
    pub(crate) kind: Text<'a>,
    #[serde(borrow)]
    pub(crate) status: Text<'a>,
}

/// The names in `metadata` alone: enough to delete an object, to skip it, or to go on after it.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Named<'a> {
    #[serde(borrow)]
    pub(crate) metadata: Names<'a>,
}

/// See [`Named`].
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Names<'a> {
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
    #[serde(borrow)]
    pub(crate) namespace: Text<'a>,
    #[serde(borrow)]
    pub(crate) resource_version: Text<'a>,
}

/// The owner that manages an object.
pub(crate) fn controller<'o, 'a>(
    owners: &'o [OwnerReference<'a>],
) -> Option<&'o OwnerReference<'a>> {
    owners.iter().find(|owner| owner.controller == Some(true))
}

/// Reads `null` as the empty value.
pub(crate) fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

// === impl Metadata ===

impl Metadata<'_> {
    /// The names of the object.
    pub(crate) fn names(&self) -> ObjectNames<'_> {
        ObjectNames {
            namespace: self.namespace.as_str(),
            name: self.name.as_str(),
            resource_version: self.resource_version.as_str(),
        }
    }

    /// Packs labels and annotations: the head of every record.
    pub(crate) fn pack(&self, writer: &mut Writer, left_out: &AnnotationFilter) {
        let annotations = self.annotations.iter();
        writer.block(|writer| {
            writer.pairs(self.labels.iter());
            if left_out.is_empty() {
                writer.pairs(annotations);
            } else {
                writer.pairs(annotations.filter(|(name, _)| !left_out.drops(name)));
            }
        });
    }

    /// The owner that manages the object.
    pub(crate) fn controller(&self) -> Option<&OwnerReference<'_>> {
        controller(&self.owner_references)
    }
}

// === impl Text ===

impl Text<'_> {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Text::default())
            }
        }

        deserializer.deserialize_any(TextVisitor)
    }
}

// === impl Pairs ===

impl Pairs<'_> {
    /// Names and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        let pairs = self.0.iter();
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;

        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of strings")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut pairs: Vec<(Text<'de>, Text<'de>)> = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                // The API server sorts; a stable sort of sorted input costs one pass.
                pairs.sort_by(|a, b| a.0.cmp(&b.0));
                pairs.dedup_by(|later, kept| {
                    let same = later.0 == kept.0;
                    if same {
                        std::mem::swap(later, kept);
                    }
                    same
                });
                Ok(Pairs(pairs))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Pairs::default())
            }
        }

        deserializer.deserialize_any(PairsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(json: &str) -> Vec<(String, String)> {
        let pairs: Pairs<'_> = serde_json::from_str(json).unwrap();
        pairs
            .0
            .iter()
            .map(|(n, v)| (n.as_str().to_owned(), v.as_str().to_owned()))
            .collect()
    }

    #[test]
    fn pairs_are_sorted_and_the_last_of_equal_keys_stands() {
        let expected = [("a", "3"), ("b", "x\"y")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(pairs(r#"{"b":"x\"y","a":"1","a":"2","a":"3"}"#), expected);
        assert_eq!(pairs("null"), []);
        assert_eq!(pairs("{}"), []);
    }

    #[test]
    fn text_borrows_unless_it_must_unescape() {
        let text: Text<'_> = serde_json::from_str(r#""plain""#).unwrap();
        assert!(matches!(text.0, Cow::Borrowed("plain")));
        let text: Text<'_> = serde_json::from_str(r#""tab\t""#).unwrap();
        assert_eq!(text.as_str(), "tab\t");
        assert_eq!(
            serde_json::from_str::<Text<'_>>("null").unwrap().as_str(),
            ""
        );
        assert!(serde_json::from_str::<Text<'_>>("7").is_err());
    }

    #[test]
    fn null_is_the_empty_value_in_metadata() {
        let json = r#"{"name":"a","labels":null,"annotations":null,"ownerReferences":null,
            "creationTimestamp":null,"managedFields":[{"fieldsV1":{"f:x":{}}}]}"#;
        let metadata: Metadata<'_> = serde_json::from_str(json).unwrap();
        assert_eq!(metadata.name.as_str(), "a");
        assert!(metadata.labels.0.is_empty() && metadata.owner_references.is_empty());
    }
}
