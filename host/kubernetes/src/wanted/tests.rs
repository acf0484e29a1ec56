use periplus_config::{AttachMetadata, NamePatterns, RoleSelector};

use super::*;

/// Needs as `plural in namespace [labels|fields]`.
fn shown(needs: &[Need]) -> Vec<String> {
    let text = |text: &Option<Arc<str>>| text.as_deref().unwrap_or("").to_owned();
    let shown = |need: &Need| match (&need.labels, &need.fields) {
        (None, None) => need.to_string(),
        (labels, fields) => format!("{need} [{}|{}]", text(labels), text(fields)),
    };
    needs.iter().map(shown).collect()
}

#[test]
fn each_kind_is_needed_in_each_namespace_once() {
    let mut section = KubernetesSection::new(Role::EndpointSlice);
    section.namespaces.names = vec!["a".to_owned(), "b".to_owned(), "a".to_owned()];
    section.attach_metadata = AttachMetadata {
        node: true,
        namespace: true,
        ..AttachMetadata::default()
    };
    let needs = Wanted::of(&section).needs(Some("b"));
    assert_eq!(
        shown(&needs),
        [
            "`endpointslices` in `a`",
            "`endpointslices` in `b`",
            "`services` in `a`",
            "`services` in `b`",
            "`pods` in `a`",
            "`pods` in `b`",
            "`nodes`",
            "`namespaces`",
        ]
    );
}

#[test]
fn without_names_or_with_an_empty_one_all_namespaces_are_needed() {
    let mut section = KubernetesSection::new(Role::Pod);
    assert_eq!(shown(&Wanted::of(&section).needs(None)), ["`pods`"]);
    assert_eq!(
        shown(&Wanted::of(&section).needs(Some("own"))),
        ["`pods` in `own`"]
    );
    section.namespaces.names = vec!["a".to_owned(), String::new()];
    assert_eq!(shown(&Wanted::of(&section).needs(None)), ["`pods`"]);
}

#[test]
fn selectors_hold_for_the_kind_of_their_role() {
    let mut section = KubernetesSection::new(Role::Pod);
    section.attach_metadata.node = true;
    section.attach_metadata.deployment = true;
    section.drop_annotations = NamePatterns::new(["x/*"]).unwrap();
    let selector = |role, label: &str, field: &str| RoleSelector {
        role,
        label: Some(label.to_owned()),
        field: Some(field.to_owned()),
    };
    section.selectors = vec![
        selector(Role::Node, "disk=ssd", ""),
        selector(Role::Pod, "", "status.phase=Running"),
    ];
    let needs = Wanted::of(&section).needs(None);
    assert_eq!(
        shown(&needs),
        [
            "`pods` [|status.phase=Running]",
            "`nodes` [disk=ssd|]",
            "`replicasets`",
        ]
    );
    let dropped: Vec<bool> = needs.iter().map(|need| !need.drop.is_empty()).collect();
    assert_eq!(
        dropped,
        [true, true, false],
        "owners have no annotations anyway"
    );
}
