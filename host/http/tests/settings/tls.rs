//! `tls_config` and `enable_http2`.

use http::Response;
use periplus_config::{HttpClientConfig, Secret, TlsConfig, TlsVersion};
use periplus_http::ClientSettings;
use rustls::ALL_VERSIONS;
use rustls::version::{TLS12, TLS13};

use super::certificates::{Authority, Pair, config, self_signed};
use super::server::Server;
use super::{client, get, once};

const HOST: &str = "inventory.example.com";

fn with(tls: TlsConfig) -> HttpClientConfig {
    HttpClientConfig {
        tls,
        ..HttpClientConfig::default()
    }
}

fn trusting(authority: &Authority) -> TlsConfig {
    TlsConfig {
        ca: authority.pem(),
        ..TlsConfig::default()
    }
}

async fn serve(pair: &Pair, clients: Option<&Authority>) -> Server {
    let config = config(pair, clients, ALL_VERSIONS);
    Server::start(Some(config), |_| Response::default()).await
}

#[tokio::test]
async fn a_server_must_prove_its_name_to_the_configured_authority() {
    let authority = Authority::new();
    let server = serve(&authority.server(&[HOST]), None).await;
    let url = server.https(HOST);
    assert_eq!(once(with(trusting(&authority)), &url).await, Ok(200));
    let seen = server.last();
    assert_eq!(seen.server_name.as_deref(), Some(HOST));
    assert!(seen.line.ends_with("HTTP/2.0"), "{}", seen.line);

    let other = server.https("other.example.com");
    let error = once(with(trusting(&authority)), &other).await.unwrap_err();
    assert!(error.contains("not valid for name"), "{error}");
    let error = once(with(trusting(&Authority::new())), &url).await;
    let error = error.unwrap_err();
    assert!(error.contains("invalid peer certificate"), "{error}");
}

#[tokio::test]
async fn server_name_is_what_is_asked_for_and_proved() {
    let authority = Authority::new();
    let server = serve(&authority.server(&[HOST]), None).await;
    let tls = TlsConfig {
        server_name: HOST.to_owned(),
        ..trusting(&authority)
    };
    let url = server.https("127.0.0.1");
    assert_eq!(once(with(tls), &url).await, Ok(200));
    assert_eq!(server.last().server_name.as_deref(), Some(HOST));
    assert!(once(with(trusting(&authority)), &url).await.is_err());
}

#[tokio::test]
async fn a_self_signed_certificate_may_be_its_own_authority() {
    let pair = self_signed(&[HOST]);
    let server = serve(&pair, None).await;
    let tls = TlsConfig {
        ca: pair.cert.clone(),
        ..TlsConfig::default()
    };
    assert_eq!(once(with(tls.clone()), &server.https(HOST)).await, Ok(200));
    // Its name counts all the same, and so does which certificate it is.
    let other = server.https("other.example.com");
    assert!(once(with(tls), &other).await.is_err());
    let another = TlsConfig {
        ca: self_signed(&[HOST]).cert,
        ..TlsConfig::default()
    };
    assert!(once(with(another), &server.https(HOST)).await.is_err());
}

#[tokio::test]
async fn insecure_skip_verify_takes_anybody() {
    let server = serve(&self_signed(&["nobody"]), None).await;
    let tls = TlsConfig {
        insecure_skip_verify: true,
        ..TlsConfig::default()
    };
    assert_eq!(once(with(tls), &server.https(HOST)).await, Ok(200));
}

#[tokio::test]
async fn a_client_certificate_is_shown() {
    let authority = Authority::new();
    let server = serve(&authority.server(&[HOST]), Some(&authority)).await;
    let url = server.https(HOST);
    let error = once(with(trusting(&authority)), &url).await.unwrap_err();
    assert!(!error.is_empty());
    let Pair { cert, key } = authority.client("scraper");
    let tls = TlsConfig {
        cert,
        key: Secret::new(key),
        ..trusting(&authority)
    };
    assert_eq!(once(with(tls.clone()), &url).await, Ok(200));
    assert!(server.last().has_certificate);

    let stranger = TlsConfig {
        key: Secret::new(authority.client("scraper").key),
        ..tls
    };
    let error = once(with(stranger), &url).await.unwrap_err();
    assert!(error.contains("certificate and key are no pair"), "{error}");
}

#[tokio::test]
async fn files_are_read_again_when_they_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (old, new) = (Authority::new(), Authority::new());
    let server = serve(&new.server(&[HOST]), Some(&new)).await;
    let url = server.https(HOST);
    let write = |authority: &Authority| {
        let pair = authority.client("scraper");
        std::fs::write(path("ca"), authority.pem()).unwrap();
        std::fs::write(path("cert"), pair.cert).unwrap();
        std::fs::write(path("key"), pair.key).unwrap();
    };
    let tls = TlsConfig {
        ca_file: Some(path("ca")),
        cert_file: Some(path("cert")),
        key_file: Some(path("key")),
        ..TlsConfig::default()
    };
    let client = client(with(tls), &url);
    let error = get(&client, &url).await.unwrap_err().message;
    assert!(error.contains("failed to read"), "{error}");
    assert!(
        error.contains(&path("key").display().to_string()),
        "{error}"
    );
    write(&old);
    assert!(get(&client, &url).await.is_err());
    write(&new);
    assert_eq!(get(&client, &url).await.unwrap().status, 200);
    assert_eq!(get(&client, &url).await.unwrap().status, 200);
    // Nothing changed, so the connection stayed.
    let connections: Vec<_> = server.seen().iter().map(|it| it.connection).collect();
    assert_eq!(connections[0], connections[1]);
    write(&new);
    assert_eq!(get(&client, &url).await.unwrap().status, 200);
    assert_ne!(server.last().connection, connections[0]);
    std::fs::write(path("ca"), "nonsense").unwrap();
    let error = get(&client, &url).await.unwrap_err().message;
    assert!(error.contains("not PEM with certificates"), "{error}");
}

#[tokio::test]
async fn versions_are_kept_to() {
    let authority = Authority::new();
    let pair = authority.server(&[HOST]);
    let old = Server::start(Some(config(&pair, None, &[&TLS12])), |_| {
        Response::default()
    })
    .await;
    let new = Server::start(Some(config(&pair, None, &[&TLS13])), |_| {
        Response::default()
    })
    .await;
    use TlsVersion::{Tls10, Tls12, Tls13};
    for (min, max, with_old, with_new) in [
        (None, None, true, true),
        (Some(Tls13), None, false, true),
        (None, Some(Tls12), true, false),
        (Some(Tls12), Some(Tls13), true, true),
        // Older ones are never spoken.
        (Some(Tls10), None, true, true),
    ] {
        let tls = TlsConfig {
            min_version: min,
            max_version: max,
            ..trusting(&authority)
        };
        for (server, expected) in [(&old, with_old), (&new, with_new)] {
            let outcome = once(with(tls.clone()), &server.https(HOST)).await;
            assert_eq!(outcome.is_ok(), expected, "{min:?} {max:?}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn http2_can_be_switched_off() {
    let authority = Authority::new();
    let server = serve(&authority.server(&[HOST]), None).await;
    let config = HttpClientConfig {
        enable_http2: false,
        ..with(trusting(&authority))
    };
    assert_eq!(once(config, &server.https(HOST)).await, Ok(200));
    assert!(server.last().line.ends_with("HTTP/1.1"));
}

#[test]
fn settings_that_can_never_work_are_refused() {
    use TlsVersion::{Tls11, Tls12, Tls13};
    for (tls, reason) in [
        (
            TlsConfig {
                min_version: Some(Tls13),
                max_version: Some(Tls12),
                ..TlsConfig::default()
            },
            "tls_config.max_version must be greater than or equal to tls_config.min_version if both are specified",
        ),
        (
            TlsConfig {
                max_version: Some(Tls11),
                ..TlsConfig::default()
            },
            "`tls_config.max_version` cannot be used: this host speaks TLS 1.2 and 1.3 alone",
        ),
        (
            TlsConfig {
                server_name: "no name".to_owned(),
                ..TlsConfig::default()
            },
            "`tls_config.server_name` cannot be used",
        ),
        (
            TlsConfig {
                has_refs: true,
                ..TlsConfig::default()
            },
            "cannot use secret ref without manager",
        ),
    ] {
        let error = ClientSettings::new(with(tls)).err().unwrap().to_string();
        assert!(error.starts_with(reason), "{error}");
    }
}
