//! The web configuration file: TLS, client certificates, passwords, headers and rotation, with real
//! connections on loopback.

mod authority;
mod client;
mod files;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use periplus_serve::{ClientCertificate, ServeLimits, WebConfig, serve_secured};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::authority::Authority;
use self::client::Client;

const PATIENCE: Duration = Duration::from_secs(20);
const TLS: &str = "tls_server_config: {cert_file: server.crt, key_file: server.key";

/// A folder with certificates and a web configuration.
struct Lab {
    folder: tempfile::TempDir,
    authority: Authority,
}

/// A listener with a route that tells whether the client's certificate was verified.
struct Server {
    address: SocketAddr,
    _stop: DropGuard,
}

impl Lab {
    fn new(config: &str) -> Self {
        let lab = Self {
            folder: tempfile::tempdir().unwrap(),
            authority: Authority::new("first"),
        };
        lab.write("web.yml", config);
        lab.certify(&lab.authority);
        lab.write("ca.pem", lab.authority.pem());
        lab
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a new certificate in the place of the server's.
    fn certify(&self, authority: &Authority) {
        let (cert, key) = authority.server();
        self.write("server.crt", cert);
        self.write("server.key", key);
    }

    async fn load(&self) -> WebConfig {
        WebConfig::load(&self.path("web.yml")).await.unwrap()
    }

    async fn serve(&self) -> Server {
        Server::start(self.load().await).await
    }

    fn client(&self) -> Client {
        Client::new(&[&self.authority])
    }
}

impl Server {
    async fn start(web: WebConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let route = get(async |request: Request| {
            let verified = request.extensions().get::<ClientCertificate>().is_some();
            format!("{:?} verified={verified}", request.version())
        });
        let router = Router::new().route("/", route);
        let limits = ServeLimits::default();
        let following = web.clone();
        let stopped = stop.clone();
        tokio::spawn(async move { following.follow(stopped).await });
        tokio::spawn(serve_secured(
            listener,
            router,
            Some(web),
            stop.clone(),
            limits,
        ));
        Self {
            address,
            _stop: stop.drop_guard(),
        }
    }
}

async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it took far too long")
}

async fn error(file: &Path) -> String {
    use std::error::Error;
    let error = WebConfig::load(file).await.expect_err("it was accepted");
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[tokio::test]
async fn answers_come_over_tls() {
    let server = Lab::new(&format!("{TLS}}}"));
    let (lab, server) = (&server, server.serve().await);
    let answer = lab.client().get(server.address).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("HTTP/1.1 verified=false"), "{answer}");
}

#[tokio::test]
async fn plain_http_is_told_that_this_is_https() {
    let lab = Lab::new(&format!("{TLS}}}"));
    let server = lab.serve().await;
    let answer = client::plain(server.address, "").await;
    assert!(answer.contains("400 Bad Request"), "{answer}");
    assert!(
        answer.contains("Client sent an HTTP request to an HTTPS server."),
        "{answer}"
    );
}

#[tokio::test]
async fn http2_is_offered_unless_switched_off() {
    for (http, expected) in [
        ("", "h2"),
        ("http_server_config: {http2: false}", "http/1.1"),
    ] {
        let lab = Lab::new(&format!("{TLS}}}\n{http}"));
        let server = lab.serve().await;
        let agreed = lab.client().protocol(server.address).await;
        assert_eq!(agreed.as_deref(), Some(expected));
    }
}

#[tokio::test]
async fn texts_may_stand_in_the_file_itself() {
    let lab = Lab::new("");
    let (cert, key) = lab.authority.server();
    let indented = |pem: String| pem.replace('\n', "\n    ");
    lab.write(
        "web.yml",
        format!(
            "tls_server_config:\n  cert: |\n    {}\n  key: |\n    {}\n",
            indented(cert),
            indented(key)
        ),
    );
    let server = lab.serve().await;
    let answer = lab.client().get(server.address).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn each_policy_takes_the_clients_that_it_should() {
    let stranger = Authority::new("stranger");
    // Without a certificate, with one of the authority, with one of a stranger: the answer's end, or
    // nothing where the connection is refused.
    let (no, yes) = (Some("verified=false"), Some("verified=true"));
    for (policy, expected) in [
        ("NoClientCert", [no, no, no]),
        ("RequestClientCert", [no, no, no]),
        ("RequireAnyClientCert", [None, no, no]),
        ("RequireClientCert", [None, no, no]),
        ("VerifyClientCertIfGiven", [no, yes, None]),
        ("RequireAndVerifyClientCert", [None, yes, None]),
    ] {
        let ca = if policy == "NoClientCert" {
            ""
        } else {
            ", client_ca_file: ca.pem"
        };
        let lab = Lab::new(&format!("{TLS}, client_auth_type: {policy}{ca}}}"));
        let server = lab.serve().await;
        let clients = [
            lab.client(),
            lab.client().with(lab.authority.client("reader.example")),
            lab.client().with(stranger.client("reader.example")),
        ];
        for (client, expected) in clients.iter().zip(expected) {
            let answer = client.get(server.address).await;
            match expected {
                Some(end) => assert!(answer.unwrap().ends_with(end), "{policy}"),
                None => assert!(answer.is_err(), "{policy}: {answer:?}"),
            }
        }
    }
}

#[tokio::test]
async fn only_allowed_alternative_names_come_in() {
    let names = "[one, reader.example, 10.1.2.3, 'spiffe://a/b', 'a@b.example']";
    let lab = Lab::new(&format!(
        "{TLS}, client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem, \
         client_allowed_sans: {names}}}"
    ));
    let server = lab.serve().await;
    for (name, allowed) in [
        ("reader.example", true),
        ("10.1.2.3", true),
        ("spiffe://a/b", true),
        ("a@b.example", true),
        ("other.example", false),
        ("x.reader.example", false),
        ("10.1.2.4", false),
    ] {
        let client = lab.client().with(lab.authority.client(name));
        assert_eq!(client.get(server.address).await.is_ok(), allowed, "{name}");
    }
}

#[tokio::test]
async fn self_signed_client_certificate_may_be_its_own_authority() {
    let own = Authority::new("own");
    let lab = Lab::new(&format!(
        "{TLS}, client_auth_type: RequireAndVerifyClientCert, client_ca_file: own.pem}}"
    ));
    lab.write("own.pem", own.pem());
    let server = lab.serve().await;
    let answer = lab.client().with(own.own()).get(server.address).await;
    assert!(answer.unwrap().ends_with("verified=true"));
    let another = Authority::new("own");
    let answer = lab.client().with(another.own()).get(server.address).await;
    assert!(answer.is_err(), "{answer:?}");
}

#[tokio::test]
async fn passwords_are_asked_for_over_tls_and_without() {
    let hash = bcrypt::hash("secret", 4).unwrap();
    let users = format!("basic_auth_users: {{alice: '{hash}'}}");
    for with_tls in [true, false] {
        let tls = if with_tls {
            format!("{TLS}}}\n")
        } else {
            String::new()
        };
        let lab = Lab::new(&format!("{tls}{users}"));
        let server = lab.serve().await;
        for (header, status) in [
            ("", "401 Unauthorized"),
            ("authorization: Basic YWxpY2U6c2VjcmV0\r\n", "200 OK"),
            (
                "authorization: Basic YWxpY2U6c2VjcmV1\r\n",
                "401 Unauthorized",
            ),
            (
                "authorization: Basic Ym9iOnNlY3JldA==\r\n",
                "401 Unauthorized",
            ),
        ] {
            let answer = if with_tls {
                lab.client().ask(server.address, header).await.unwrap()
            } else {
                client::plain(server.address, header).await
            };
            assert!(answer.contains(status), "{header}: {answer}");
            let challenged = answer.contains("www-authenticate: Basic\r\n");
            assert_eq!(challenged, status.starts_with("401"), "{answer}");
        }
    }
}

#[tokio::test]
async fn headers_are_added_to_every_answer() {
    let lab = Lab::new(
        "http_server_config: {headers: {X-Frame-Options: deny, Strict-Transport-Security: max-age=1, \
         X-XSS-Protection: ''}}",
    );
    let server = lab.serve().await;
    let answer = client::plain(server.address, "").await;
    assert!(answer.contains("x-frame-options: deny\r\n"), "{answer}");
    assert!(
        answer.contains("strict-transport-security: max-age=1\r\n"),
        "{answer}"
    );
    assert!(!answer.contains("x-xss-protection"), "{answer}");
}

#[tokio::test]
async fn rate_is_limited() {
    let lab = Lab::new("rate_limit: {interval: 1h, burst: 2}");
    let server = lab.serve().await;
    for expected in ["200 OK", "200 OK", "429 Too Many Requests"] {
        let answer = client::plain(server.address, "").await;
        assert!(answer.contains(expected), "{answer}");
    }
}

#[tokio::test]
async fn new_certificate_reaches_new_connections_and_leaves_open_ones() {
    let lab = Lab::new(&format!("{TLS}}}"));
    let server = lab.serve().await;
    let second = Authority::new("second");
    let client = Client::new(&[&lab.authority, &second]);
    let mut open = client.connect(server.address).await.unwrap();
    let old = open.certificate();
    open.keep_asking().await;

    lab.certify(&second);
    let changed = client
        .connect_until(server.address, |it| it.certificate() != old)
        .await;
    assert_ne!(changed.certificate(), old);
    open.keep_asking().await;
}

#[tokio::test]
async fn changed_file_changes_who_comes_in() {
    let hash = bcrypt::hash("secret", 4).unwrap();
    let lab = Lab::new(&format!("basic_auth_users: {{alice: '{hash}'}}"));
    let server = lab.serve().await;
    assert!(client::plain(server.address, "").await.contains("401"));
    lab.write("web.yml", "");
    within(async {
        while !client::plain(server.address, "").await.contains("200 OK") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}
