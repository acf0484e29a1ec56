//! `static_configs`.

use std::sync::Arc;

use periplus_core::hash::ContentHasher;
use periplus_core::{LabelBuilder, LabelSet, TargetGroup};

use crate::section::{Section, SectionKind};
use crate::yaml::{Value, quote_bytes};

/// Reads all groups of a job as one section; adds each address with its place to `static_targets`.
pub(super) fn read<'a>(
    list: &Value<'a>,
    static_targets: &mut Vec<(String, Value<'a>)>,
) -> Option<Section> {
    let groups = list.list("[]*targetgroup.Group", |item| {
        read_group(&item, static_targets)
    })?;
    if groups.is_empty() {
        return None;
    }
    let mut hasher = ContentHasher::default();
    hasher.field(b"static");
    let mut numbered = Vec::with_capacity(groups.len());
    for (index, mut group) in groups.into_iter().enumerate() {
        group.source = index.to_string().into();
        hasher.field(&group.content_hash().0.to_le_bytes());
        numbered.push(Arc::new(group));
    }
    Some(Section {
        mechanism: "static".to_owned(),
        key_path: list.path.clone(),
        line: list.mark().line,
        identity: hasher.finish(),
        kind: SectionKind::Static(numbered),
    })
}

fn read_group<'a>(
    value: &Value<'a>,
    static_targets: &mut Vec<(String, Value<'a>)>,
) -> Option<TargetGroup> {
    if value.is_null() {
        value.error_with(
            "empty or null section in static_configs",
            "remove it, or add `targets:`",
        );
        return None;
    }
    let mut fields = value.fields()?;
    let targets = fields.read("targets", |value| {
        value.list("[]string", |item| Some((item.string()?, item)))
    });
    let labels = fields
        .read("labels", |value| read_labels(&value))
        .unwrap_or_default();
    fields.finish();
    let targets = targets.unwrap_or_default();
    let addresses = targets.iter().map(|(target, _)| {
        let mut builder = LabelBuilder::default();
        builder.set("__address__", target);
        builder.build()
    });
    let group = TargetGroup {
        source: Arc::default(),
        labels,
        targets: addresses.collect(),
    };
    static_targets.extend(targets);
    Some(group)
}

/// Labels of a group. A value that is empty stays, because it hides a job's default.
fn read_labels(value: &Value<'_>) -> Option<LabelSet> {
    let mut pairs = Vec::new();
    for (key, value) in value.map("model.LabelSet")? {
        let name = match key.bytes_as("string")? {
            Ok(name) if !name.is_empty() => name,
            // Upstream takes a null for a name that no label has, and loses it later.
            Ok(_) if key.is_null() => continue,
            Ok(_) => {
                value.error("\"\" is not a valid label name");
                continue;
            }
            Err(bytes) => {
                value.error(format!("{} is not a valid label name", quote_bytes(&bytes)));
                continue;
            }
        };
        if let Some(text) = value.string_as("model.LabelValue") {
            pairs.push((name, text));
        }
    }
    Some(pairs.into_iter().collect())
}
