use std::fs;

use periplus_config::{Authorization, HttpClientConfig, OAuth2, Secret, SecretUrl};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use std::time::Duration;

use futures::StreamExt;
use periplus_kube_api::load::Load;
use periplus_kube_api::{KubeApi, Options};

use super::*;
use crate::api::http::HttpApi;
use crate::api::{Api, Call, Collection, Request};
use crate::metrics::KubernetesMetrics;

fn error(result: Result<Config, ApiError>) -> String {
    result
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default()
}

fn settings(http: HttpClientConfig) -> ClientSettings {
    ClientSettings::new(http).unwrap()
}

#[test]
fn a_kubeconfig_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    let access = Access::Kubeconfig {
        file: path.clone(),
        context: None,
    };
    let named = format!("cannot use kubeconfig `{}`: ", path.display());
    let missing = error(access.load());
    assert!(missing.starts_with(&named), "{missing}");
    assert!(missing.contains("No such file"), "{missing}");
    fs::write(&path, "clusters: [").unwrap();
    let broken = error(access.load());
    assert!(broken.starts_with(&named), "{broken}");
    fs::write(&path, "{apiVersion: v1, kind: Config, current-context: x}").unwrap();
    let incomplete = error(access.load());
    assert!(
        incomplete.starts_with(&named) && incomplete.contains("context"),
        "{incomplete}"
    );
}

#[test]
fn the_service_account_gives_namespace_token_and_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let account = ServiceAccount::new(folder.path());
    let access = Access::InCluster(account.clone());
    let missing = access.own_namespace().unwrap_err();
    assert!(
        missing.starts_with("could not determine the pod's namespace: "),
        "{missing}"
    );
    fs::write(folder.path().join("namespace"), "\n").unwrap();
    assert_eq!(
        access.own_namespace().unwrap_err(),
        "could not read own namespace name (empty file)"
    );
    fs::write(folder.path().join("namespace"), "team-a\n").unwrap();
    assert_eq!(access.own_namespace().unwrap(), "team-a");

    let no_ca = error(account.load_for("10.0.0.1", "443"));
    assert!(no_ca.contains("ca.crt"), "{no_ca}");
    fs::write(folder.path().join("ca.crt"), "nothing here").unwrap();
    let empty_ca = error(account.load_for("10.0.0.1", "443"));
    assert!(empty_ca.starts_with("no certificate in"), "{empty_ca}");
    fs::write(
        folder.path().join("ca.crt"),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    let config = account.load_for("fd00::1", "6443").unwrap();
    assert_eq!(config.cluster_url.to_string(), "https://[fd00::1]:6443/");
    assert_eq!(config.root_cert.as_ref().map(Vec::len), Some(1));
    assert!(config.auth_info.token_file.unwrap().ends_with("/token"));
}

#[tokio::test]
async fn headers_are_made_of_files_as_they_are_now() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let settings = settings(HttpClientConfig {
        authorization: Some(Authorization {
            kind: "Bearer".to_owned(),
            credentials_file: Some(path.clone()),
            ..Authorization::default()
        }),
        ..HttpClientConfig::default()
    });
    let missing = server::headers(&settings).await.unwrap_err().to_string();
    assert!(
        missing.contains(&format!("failed to read `{}`", path.display())),
        "{missing}"
    );
    for token in ["first", "second"] {
        fs::write(&path, format!("{token}\n")).unwrap();
        let headers = server::headers(&settings).await.unwrap();
        assert_eq!(headers["authorization"], format!("Bearer {token}"));
        assert!(headers["authorization"].is_sensitive());
    }
}

/// A server that issues `t0`, `t1`, ...
async fn token_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"client_credentials") {
                let byte = stream.read_u8().await.unwrap();
                request.push(byte);
            }
            let body = format!("{{\"access_token\": \"t{number}\"}}");
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    url
}

#[tokio::test]
async fn oauth2_tokens_are_kept_until_the_server_refuses_them() {
    let oauth2 = OAuth2 {
        client_id: "periplus".to_owned(),
        token_url: SecretUrl::new(token_server().await),
        ..OAuth2::default()
    };
    let access = ClusterAccess::Server {
        url: Url::parse("http://127.0.0.1:1").unwrap(),
        http: Box::new(HttpClientConfig {
            oauth2: Some(oauth2),
            ..HttpClientConfig::default()
        }),
    };
    let access = Access::of(&access, ServiceAccount::new(Path::new("/nowhere"))).unwrap();
    let connection = Connection::new(access, "test");
    for expected in ["Bearer t0", "Bearer t0"] {
        let (_, headers) = connection.clients().await.unwrap();
        assert_eq!(headers["authorization"], expected);
    }
    let (clients, _) = connection.clients().await.unwrap();
    connection.discard(&clients).await;
    let (_, headers) = connection.clients().await.unwrap();
    assert_eq!(headers["authorization"], "Bearer t1");
}

#[test]
fn a_proxy_is_left_out_for_hosts_that_are_reached_directly() {
    let proxy = |host: &str, no_proxy: &str| {
        let mut http = HttpClientConfig {
            proxy_url: Some(periplus_config::SecretUrl::new(
                "http://proxy.example.com:3128",
            )),
            ..HttpClientConfig::default()
        };
        http.proxy.no_proxy = no_proxy.to_owned();
        let url = Url::parse(&format!("https://{host}/")).unwrap();
        let loaded = server::load(&url, &settings(http)).unwrap();
        loaded.proxy_url.is_some()
    };
    for (host, no_proxy, used) in [
        ("kube.example.com", "", true),
        ("kube.example.com", "example.com", false),
        ("kube.example.com", ".example.com", false),
        ("example.com", ".example.com", true),
        ("kube.example.com", "*.example.com", false),
        ("kube.example.com", "other.com, kube.example.com", false),
        ("notexample.com", "example.com", true),
        ("kube.example.com:6443", "kube.example.com:6443", false),
        ("kube.example.com:6443", "kube.example.com:443", true),
        ("[fd00::1]:6443", "fd00::1", false),
        ("10.0.0.1", "*", false),
        ("10.0.0.1", "10.0.0.0/8", false),
        ("localhost:6443", "other.com", false),
    ] {
        assert_eq!(proxy(host, no_proxy), used, "{host} with {no_proxy:?}");
    }
}

#[test]
fn tls_settings_are_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    let mut http = HttpClientConfig::default();
    http.tls.ca_file = Some(ca.clone());
    http.tls.server_name = "kube".to_owned();
    http.tls.insecure_skip_verify = true;
    http.tls.cert = "CERT".to_owned();
    http.tls.key = Secret::new("KEY");
    let url = Url::parse("https://10.0.0.1:6443").unwrap();
    let missing = error(server::load(&url, &settings(http.clone())));
    assert!(
        missing.starts_with(&format!("cannot read `{}`", ca.display())),
        "{missing}"
    );
    fs::write(
        &ca,
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    let config = server::load(&url, &settings(http)).unwrap();
    assert_eq!(config.root_cert.as_ref().map(Vec::len), Some(1));
    assert_eq!(config.tls_server_name.as_deref(), Some("kube"));
    assert!(config.accept_invalid_certs);
    assert_eq!(
        config.auth_info.client_certificate_data.as_deref(),
        Some("Q0VSVA==")
    );
    assert!(config.auth_info.client_key_data.is_some());
}

#[tokio::test]
async fn answers_that_nobody_reads_hold_up_no_other() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let api = KubeApi::start(Options {
        tls: true,
        gzip: false,
        ..Options::default()
    })
    .await
    .unwrap();
    let load = Load {
        pods: 100,
        ..Load::default()
    };
    load.fill(&api);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    fs::write(&file, api.kubeconfig()).unwrap();
    let access = Access::Kubeconfig {
        file,
        context: None,
    };
    let http = HttpApi::new(
        Connection::new(access, "test"),
        KubernetesMetrics::default(),
    );
    let collection = Arc::new(Collection {
        group_path: "/api/v1".into(),
        plural: "pods".into(),
        ..Collection::default()
    });
    let list = Request {
        collection,
        call: Call::List {
            limit: None,
            continue_token: None,
        },
    };
    let mut unread = Vec::new();
    for _ in 0..60 {
        unread.push(http.send(&list).await.unwrap());
    }
    // More than a window of the stream, on the same connection.
    let mut read = http.send(&list).await.unwrap();
    let whole = async {
        let mut size = 0;
        while let Some(piece) = read.next().await {
            size += piece.unwrap().len();
        }
        size
    };
    let size = tokio::time::timeout(Duration::from_secs(20), whole).await;
    assert!(size.expect("nothing comes any more") > 512 << 10);
    let requests = api.requests();
    assert!(
        requests
            .iter()
            .all(|request| request.connection == requests[0].connection)
    );
}
