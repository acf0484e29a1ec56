//! Selectors, evaluated on records instead of by the API server.

use std::sync::Arc;

use periplus_config::{FieldRequirement, FieldSelector, LabelSelector};

use crate::record::Record;
use crate::resource::ObjectKey;
use crate::resource::field::{field, has_field};
use crate::shared::Need;
use crate::view::ObjectKind;

/// Which objects of a wider watch a need is about.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    kind: ObjectKind,
    namespace: Option<Arc<str>>,
    labels: Option<LabelSelector>,
    fields: Vec<FieldRequirement>,
}

/// Whether the selectors of a need ask only for what records hold.
pub(crate) fn is_evaluable(need: &Need) -> bool {
    let labels = need.labels.as_deref().map(LabelSelector::parse);
    let fields = need.fields.as_deref().map(FieldSelector::parse);
    let has_fields = |selector: FieldSelector| {
        let mut required = selector.requirements().iter();
        required.all(|it| has_field(need.kind.object_kind(), &it.field))
    };
    labels.is_none_or(|it| it.is_ok()) && fields.is_none_or(|it| it.is_ok_and(has_fields))
}

// === impl Filter ===

impl Filter {
    /// What of the watch for `watch` the need is about; none if it is all of it.
    pub(crate) fn between(watch: &Need, need: &Need) -> Option<Self> {
        let is_same = watch.namespace == need.namespace
            && watch.labels == need.labels
            && watch.fields == need.fields;
        // What cannot be parsed was refused with the configuration, and is not evaluable.
        (!is_same).then(|| Self {
            kind: need.kind.object_kind(),
            namespace: need.namespace.clone(),
            labels: need
                .labels
                .as_deref()
                .and_then(|it| LabelSelector::parse(it).ok()),
            fields: need
                .fields
                .as_deref()
                .and_then(|it| FieldSelector::parse(it).ok())
                .map_or_else(Vec::new, |it| it.requirements().to_vec()),
        })
    }

    /// Whether the need is about this object.
    pub(crate) fn is_match(&self, key: &ObjectKey, record: &Record) -> bool {
        let in_namespace = self
            .namespace
            .as_deref()
            .is_none_or(|namespace| key.namespace() == namespace);
        in_namespace && self.has_labels(record) && self.has_fields(key, record)
    }

    fn has_labels(&self, record: &Record) -> bool {
        let label = |name: &str| {
            let mut labels = record.labels();
            labels.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        self.labels.as_ref().is_none_or(|it| it.is_match(label))
    }

    fn has_fields(&self, key: &ObjectKey, record: &Record) -> bool {
        self.fields.iter().all(|required| {
            let found = field(self.kind, key, record, &required.field);
            let is_equal = found.as_deref().unwrap_or_default() == required.value;
            is_equal == required.is_equal
        })
    }
}
