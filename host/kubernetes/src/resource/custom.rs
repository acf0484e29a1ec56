//! Objects of any kind, of which a section says by pointers what is kept.

mod walk;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use periplus_config::{KubernetesResourceSection, Pointer};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::filter::AnnotationFilter;
use super::{Kind, ObjectNames, Resource};
use crate::record::{Reader, Record, Writer};
use crate::wire::{Metadata, nullable};

/// What is kept of the objects of a custom kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Spec {
    kind: Kind,
    address: Pointer,
    port: Option<Pointer>,
    labels: BTreeMap<String, Pointer>,
}

/// The objects of one custom kind.
#[derive(Clone, Debug)]
pub(crate) struct Custom {
    spec: Arc<Spec>,
    left_out: AnnotationFilter,
}

/// An object as read: its metadata, and all of its text for the pointers to be followed in.
#[derive(Debug)]
pub(crate) struct CustomWire<'a> {
    metadata: Metadata<'a>,
    object: &'a RawValue,
}

/// What a record holds of an object, besides its metadata.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CustomFields<'a> {
    /// The values of the addresses, of the ports, and of each label in the order of their names.
    values: Reader<'a>,
}

// === impl Spec ===

impl Spec {
    /// What a section asks for.
    pub(crate) fn of(section: &KubernetesResourceSection) -> Self {
        let resource = &section.resource;
        let (group_path, qualified) = if resource.group.is_empty() {
            (
                format!("/api/{}", resource.version),
                resource.plural.clone(),
            )
        } else {
            (
                format!("/apis/{}/{}", resource.group, resource.version),
                format!("{}.{}", resource.plural, resource.group),
            )
        };
        Self {
            kind: Kind {
                group_path: Cow::Owned(group_path),
                plural: Cow::Owned(resource.plural.clone()),
                namespaced: !section.cluster_scoped,
                metadata_only: false,
                role: "resource",
                key_prefix: Cow::Owned(qualified),
            },
            address: section.address.clone(),
            port: section.port.clone(),
            labels: section.labels.clone(),
        }
    }

    /// The kind of the objects.
    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The ends of the names of labels, in ascending order.
    pub(crate) fn suffixes(&self) -> impl Iterator<Item = &str> {
        self.labels.keys().map(String::as_str)
    }
}

// === impl Custom ===

impl Custom {
    /// The kind, with annotations left out.
    pub(crate) fn new(spec: Arc<Spec>, left_out: AnnotationFilter) -> Self {
        Self { spec, left_out }
    }
}

impl Resource for Custom {
    type Wire<'a> = CustomWire<'a>;

    fn kind(&self) -> &Kind {
        self.spec.kind()
    }

    fn names<'w>(&self, wire: &'w CustomWire<'_>) -> ObjectNames<'w> {
        wire.metadata.names()
    }

    fn pack(&self, wire: &CustomWire<'_>, writer: &mut Writer) {
        wire.metadata.pack(writer, &self.left_out);
        let Spec {
            address,
            port,
            labels,
            ..
        } = &*self.spec;
        let pointers = [Some(address), port.as_ref()]
            .into_iter()
            .chain(labels.values().map(Some));
        for values in walk::find(wire.object, pointers) {
            writer.block(|writer| values.iter().for_each(|value| writer.text(value)));
        }
    }
}

// === impl CustomWire ===

impl<'de: 'a, 'a> Deserialize<'de> for CustomWire<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Object<'a> {
            #[serde(borrow, deserialize_with = "nullable")]
            metadata: Metadata<'a>,
        }

        let object: &'de RawValue = Deserialize::deserialize(deserializer)?;
        let Object { metadata } =
            serde_json::from_str(object.get()).map_err(serde::de::Error::custom)?;
        Ok(Self { metadata, object })
    }
}

// === impl CustomFields ===

impl<'a> CustomFields<'a> {
    /// What an object's record holds.
    pub(crate) fn of(record: &'a Record) -> Self {
        let values = record.body();
        Self { values }
    }

    /// The values that each pointer found: those of the addresses first, then those of the ports,
    /// then those of each label.
    pub(crate) fn values(&self) -> impl Iterator<Item = Vec<&'a str>> + use<'a> {
        let mut reader = self.values;
        std::iter::from_fn(move || {
            if reader.is_empty() {
                return None;
            }
            let mut block = reader.block();
            let texts = std::iter::from_fn(|| (!block.is_empty()).then(|| block.text()));
            Some(texts.collect())
        })
    }
}
