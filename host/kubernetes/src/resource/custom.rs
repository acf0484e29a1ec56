//! Objects of any kind, of which a section says by pointers what is kept.

mod rows;

use std::borrow::Cow;
use std::sync::Arc;

use periplus_config::{KubernetesResourceSection, ResourcePointers};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

pub(crate) use self::rows::{CustomFields, CustomRow};
use super::filter::AnnotationFilter;
use super::{Kind, ObjectNames, Resource};
use crate::record::{Record, Writer};
use crate::wire::{Metadata, nullable};

/// What is kept of the objects of a custom kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Spec {
    kind: Kind,
    pointers: ResourcePointers,
}

/// The objects of one custom kind.
#[derive(Clone, Debug)]
pub(crate) struct Custom {
    spec: Arc<Spec>,
    left_out: AnnotationFilter,
}

/// An object as read: its metadata, and all of it for the pointers to be followed in. One object
/// is read at a time, and none is larger than a frame may be.
#[derive(Debug)]
pub(crate) struct CustomWire<'a> {
    metadata: Metadata<'a>,
    object: Value,
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
            pointers: section.pointers(),
        }
    }

    /// The kind of the objects.
    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The ends of the names of labels, in ascending order.
    pub(crate) fn suffixes(&self) -> impl Iterator<Item = &str> {
        self.pointers.labels.keys().map(String::as_str)
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
        rows::pack(&self.spec.pointers, &wire.object, writer);
    }

    fn remark(&self, record: &Record) -> Option<&'static str> {
        rows::is_cut(record).then_some("more than 10,000 targets: the others are left out")
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

        let text: &'de RawValue = Deserialize::deserialize(deserializer)?;
        let text = text.get();
        let Object { metadata } = serde_json::from_str(text).map_err(serde::de::Error::custom)?;
        let object = serde_json::from_str(text).map_err(serde::de::Error::custom)?;
        Ok(Self { metadata, object })
    }
}

#[cfg(test)]
mod tests {
    use periplus_config::{ClusterAccess, NamePatterns, Namespaces, Pointer, ResourceName};
    use serde_json::json;

    use super::*;
    use crate::resource::testing::keyed_record_of;

    fn custom(address: &str, label: &str) -> Custom {
        let pointer = |text: &str| Pointer::parse(text).unwrap();
        let section = KubernetesResourceSection {
            resource: ResourceName {
                group: String::new(),
                version: "v1".to_owned(),
                plural: "nodes".to_owned(),
            },
            cluster_scoped: true,
            access: ClusterAccess::Local,
            clusters: None,
            namespaces: Namespaces::default(),
            label_selector: None,
            field_selector: None,
            address: pointer(address),
            port: None,
            labels: [("x".to_owned(), pointer(label))].into(),
            drop_annotations: NamePatterns::default(),
        };
        Custom::new(Arc::new(Spec::of(&section)), AnnotationFilter::default())
    }

    #[test]
    fn a_value_that_many_rows_share_is_kept_once() {
        let them = custom("/addresses/*", "/long");
        let long = "x".repeat(4000);
        let addresses: Vec<_> = (0..1000).collect();
        let object = json!({"metadata": {"name": "n"}, "long": long, "addresses": addresses});
        let (key, record) = keyed_record_of(&them, &object).unwrap();
        assert_eq!(key.as_str(), "nodes/n");
        assert!(record.len() < 12_000, "{}", record.len());
        let fields = CustomFields::of(&record, &them.spec);
        let rows: Vec<_> = fields.rows().collect();
        assert_eq!(rows.len(), 1000);
        let last = rows[999];
        assert_eq!((last.address, last.port), ("999", None));
        assert_eq!(last.labels, [Some(long.as_str())]);
        assert_eq!(them.remark(&record), None);
    }

    #[test]
    fn an_object_with_too_many_rows_is_cut_and_remarked_on() {
        let them = custom("/addresses/*", "/nothing");
        let addresses: Vec<_> = (0..10_001).collect();
        let object = json!({"metadata": {"name": "n"}, "addresses": addresses});
        let (_, record) = keyed_record_of(&them, &object).unwrap();
        assert_eq!(CustomFields::of(&record, &them.spec).rows().count(), 10_000);
        let remark = them.remark(&record);
        assert!(remark.is_some_and(|remark| remark.contains("10,000")));
    }

    #[test]
    fn what_is_nested_deeper_than_any_object_is_refused() {
        let text = format!(
            r#"{{"metadata":{{"name":"n"}},"deep":{}1{}}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        let read: Result<CustomWire<'_>, _> = serde_json::from_str(&text);
        assert!(read.unwrap_err().to_string().contains("recursion limit"));
    }
}
