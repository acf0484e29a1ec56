use periplus_config::{
    AttachMetadata, HttpClientConfig, NamePatterns, NamedCluster, OAuth2, Role, SecretUrl,
    TlsVersion,
};

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
fn every_role_is_served_with_all_that_can_be_attached() {
    for role in Role::ALL {
        let section = KubernetesSection {
            attach_metadata: AttachMetadata {
                node: true,
                namespace: true,
                deployment: true,
                job: true,
                cronjob: true,
            },
            drop_annotations: NamePatterns::new(["a/*"]).unwrap(),
            ..section(role)
        };
        assert_eq!(refusal(&section), None);
    }
}

#[test]
fn a_cluster_that_cannot_be_reached_as_it_is_written_is_named() {
    let mut http = Box::new(HttpClientConfig::default());
    http.tls.min_version = Some(TlsVersion::Tls13);
    let cluster = NamedCluster {
        name: "prod-eu".to_owned(),
        access: ClusterAccess::Server {
            url: "https://example.com".parse().unwrap(),
            http,
        },
    };
    let selection = ClusterSelection {
        named: vec![cluster],
        folders: Vec::new(),
    };
    let section = KubernetesSection {
        clusters: Some(selection),
        ..KubernetesSection::new(Role::Pod)
    };
    let refusal = refusal(&section).unwrap();
    assert!(
        refusal.starts_with("cluster `prod-eu`: `tls_config.min_version`"),
        "{refusal}"
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
    let token_url = refusal(&section).unwrap();
    assert!(token_url.contains("`oauth2.token_url`"), "{token_url}");
    section.http_client.oauth2 = Some(OAuth2 {
        token_url: SecretUrl::new("https://idp.example.com/token"),
        ..OAuth2::default()
    });
    assert_eq!(refusal(&section), None);
}
