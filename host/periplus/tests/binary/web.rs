//! `--web.config.file` of the whole binary: every listener, and secrets for those who prove who they are.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType,
};
use reqwest::{Certificate, Client, ClientBuilder, Identity};

use crate::lab::Lab;
use crate::running::{Answer, Running, logged_field};

const CONFIG: &str = "target_allocator: {}
scrape_configs: [{job_name: j, basic_auth: {username: u, password: hidden}, static_configs: [{targets: [a:1]}]}]
";

/// An authority that signs for both sides.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Certificate and key.
    fn sign(&self, usage: ExtendedKeyUsagePurpose) -> (String, String) {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, &self.0).unwrap();
        (signed.pem(), key.serialize_pem())
    }

    fn client(&self) -> ClientBuilder {
        let own = Certificate::from_pem(self.0.pem().as_bytes()).unwrap();
        Client::builder().no_proxy().tls_certs_only([own])
    }

    fn client_with_certificate(&self) -> Client {
        let (cert, key) = self.sign(ExtendedKeyUsagePurpose::ClientAuth);
        let identity = Identity::from_pem(format!("{cert}{key}").as_bytes()).unwrap();
        self.client().identity(identity).build().unwrap()
    }
}

/// Where a listener says that it is.
async fn url(host: &Running, what: &str) -> String {
    let line = host.until_logged(&[what, "url="]).await;
    logged_field(&line, "url=").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn collectors_with_a_certificate_are_told_secrets_over_tls() {
    let lab = Lab::new(CONFIG);
    let authority = Authority::new();
    let (cert, key) = authority.sign(ExtendedKeyUsagePurpose::ServerAuth);
    lab.write("server.crt", cert);
    lab.write("server.key", key);
    lab.write("ca.crt", authority.0.pem());
    let web = "tls_server_config: {cert_file: server.crt, key_file: server.key, \
               client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.crt}";
    lab.write("web.yml", web);
    let file = lab.path("web.yml");
    let options = ["--web.config.file", file.to_str().unwrap()];
    let host = lab
        .run(&[&options[..], &["--otel-listen", "127.0.0.1:0"]].concat())
        .await;
    let main = url(&host, "Serving address").await;
    let own = url(&host, "Serving collectors").await;
    assert!(main.starts_with("https://") && own.starts_with("https://"));
    for url in [
        format!("{main}/otel/scrape_configs"),
        format!("{own}/scrape_configs"),
    ] {
        for (client, told) in [
            (authority.client().build().unwrap(), false),
            (authority.client_with_certificate(), true),
        ] {
            let answer = Answer::to(client.get(&url)).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.text().contains("hidden"), told, "{}", answer.text());
        }
    }
    assert!(!host.log().contains("PRIVATE KEY"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_listener_asks_for_the_password() {
    let lab = Lab::new(CONFIG);
    // Of the password `test`.
    let hash = "$2b$04$";
    let tail = "EGdrhbKUv8Oc9vGiXX0HQOxzCYesxIedTuzxmiV6I0cpLLg5WmluK";
    lab.write(
        "web.yml",
        format!("basic_auth_users: {{alice: {hash}{tail}}}"),
    );
    let file = lab.path("web.yml");
    let options = ["--web.config.file", file.to_str().unwrap()];
    let host = lab
        .run(&[&options[..], &["--otel-listen", "127.0.0.1:0"]].concat())
        .await;
    let main = format!("{}/-/healthy", url(&host, "Serving address").await);
    let own = format!("{}/jobs", url(&host, "Serving collectors").await);
    assert_eq!(host.reload().await.status, 401);
    let client = Client::builder().no_proxy().build().unwrap();
    for url in [main, own] {
        for (password, status) in [(None, 401), (Some("wrong"), 401), (Some("test"), 200)] {
            let request = client.get(&url);
            let request = match password {
                Some(_) => request.basic_auth("alice", password),
                None => request,
            };
            assert_eq!(
                Answer::to(request).await.status,
                status,
                "{url} {password:?}"
            );
        }
    }
    let log = host.log();
    assert!(log.contains("basic_auth_users without TLS"), "{log}");
    assert!(!log.contains(tail), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_web_configuration_keeps_the_host_from_starting() {
    let lab = Lab::new(CONFIG);
    lab.write("web.yml", "basic_auth_users: {alice: plain-text}");
    let file = lab.path("web.yml");
    let ended = lab
        .run_in_vain(&["--web.config.file", file.to_str().unwrap()])
        .await;
    let stderr = ended.stderr;
    assert!(stderr.contains("basic_auth_users.alice"), "{stderr}");
    assert!(!stderr.contains("plain-text"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn administration_may_be_switched_off_and_sighup_still_reloads() {
    let lab = Lab::new(CONFIG);
    let host = lab.run(&["--admin-listen", "off"]).await;
    let main = url(&host, "Serving address").await;
    let client = Client::builder().no_proxy().build().unwrap();
    let answer = Answer::to(client.post(format!("{main}/-/reload"))).await;
    assert_eq!(answer.status, 404);
    assert!(
        answer.text().contains("--admin-listen"),
        "{}",
        answer.text()
    );
    assert!(!host.log().contains("Serving administration"));
    lab.configure(&CONFIG.replace("a:1", "b:1"));
    host.signal("HUP").await;
    host.until_addresses("j", &["b:1"]).await;
}
