use periplus_config::{AttachMetadata, HttpClientConfig, NamePatterns, OAuth2, TlsVersion};

use super::*;

fn section(role: Role) -> KubernetesSection {
    KubernetesSection {
        kubeconfig_file: Some("/nowhere/kubeconfig".into()),
        ..KubernetesSection::new(role)
    }
}

fn refusal(section: &KubernetesSection) -> Option<String> {
    let mechanism = KubernetesMechanism::new(KubernetesOptions::default());
    mechanism.discoverer(section, "kubernetes/1").err()
}

#[test]
fn roles_that_are_not_built_are_refused_by_name() {
    for role in Role::ALL {
        let refusal = refusal(&section(role));
        if matches!(role, Role::Pod | Role::Node) {
            assert_eq!(refusal, None);
        } else {
            assert_eq!(refusal, Some(format!("role `{role}` is not served yet")));
        }
    }
}

#[test]
fn metadata_that_is_not_attached_yet_is_refused_where_it_would_matter() {
    let attach_metadata = AttachMetadata {
        node: true,
        ..AttachMetadata::default()
    };
    let pods = KubernetesSection {
        attach_metadata,
        ..section(Role::Pod)
    };
    assert_eq!(
        refusal(&pods).as_deref(),
        Some("`attach_metadata.node` is not served yet for role `pod`")
    );
    let nodes = KubernetesSection {
        attach_metadata,
        ..section(Role::Node)
    };
    assert_eq!(refusal(&nodes), None);
}

#[test]
fn keys_that_are_not_served_yet_are_refused_by_name() {
    let clusters = KubernetesSection {
        clusters: Some(periplus_config::ClusterSelection::default()),
        ..section(Role::Pod)
    };
    assert_eq!(
        refusal(&clusters).as_deref(),
        Some("`clusters` is not served yet")
    );
    let annotations = KubernetesSection {
        drop_annotations: NamePatterns::new(["a/*"]).unwrap(),
        ..section(Role::Pod)
    };
    assert_eq!(
        refusal(&annotations).as_deref(),
        Some("`drop_annotations` is not served yet")
    );
}

#[test]
fn client_settings_that_cannot_be_done_are_refused() {
    let mut section = section(Role::Pod);
    section.kubeconfig_file = None;
    section.api_server = Some("https://example.com".parse().unwrap());
    assert_eq!(refusal(&section), None);
    section.http_client.tls.min_version = Some(TlsVersion::Tls12);
    section.http_client.tls.max_version = Some(TlsVersion::Tls13);
    assert_eq!(refusal(&section), None);
    section.http_client.tls.min_version = Some(TlsVersion::Tls13);
    assert!(
        refusal(&section)
            .unwrap()
            .contains("`tls_config.min_version`")
    );
    section.http_client = HttpClientConfig {
        oauth2: Some(OAuth2::default()),
        ..HttpClientConfig::default()
    };
    assert!(refusal(&section).unwrap().contains("`oauth2`"));
}
