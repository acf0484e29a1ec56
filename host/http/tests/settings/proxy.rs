//! `proxy_url`, `no_proxy` and `proxy_connect_header`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http::Response;
use periplus_config::{HttpClientConfig, ProxyConfig, Secret, SecretUrl, TlsConfig};
use rustls::ALL_VERSIONS;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::certificates::{Authority, config};
use super::once;
use super::server::Server;

const HOST: &str = "inventory.example.com";

fn through(proxy: &str, proxies: ProxyConfig, tls: TlsConfig) -> HttpClientConfig {
    HttpClientConfig {
        proxy_url: Some(SecretUrl::new(proxy)),
        proxy: proxies,
        tls,
        ..HttpClientConfig::default()
    }
}

/// What a proxy was asked for.
type Asked = Arc<Mutex<Vec<Vec<u8>>>>;
type Served = futures::future::BoxFuture<'static, ()>;

/// A proxy that tunnels to `127.0.0.1`, whatever it is asked for; it remembers the requests.
struct Tunnels {
    port: u16,
    asked: Asked,
}

impl Tunnels {
    async fn start(serve: fn(TcpStream, Asked) -> Served) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&log)));
            }
        });
        Self { port, asked }
    }

    fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        let texts = asked.iter().map(|it| String::from_utf8_lossy(it).into());
        texts.collect()
    }
}

fn http_connect(mut stream: TcpStream, asked: Asked) -> Served {
    Box::pin(async move {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if stream.read_exact(&mut byte).await.is_err() {
                return;
            }
            head.push(byte[0]);
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        asked.lock().unwrap().push(head);
        let target = text.split(' ').nth(1).unwrap_or_default();
        let Some((host, port)) = target.rsplit_once(':') else {
            return;
        };
        if host.starts_with("forbidden.") {
            let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").await;
            return;
        }
        let mut server = TcpStream::connect(format!("127.0.0.1:{port}"))
            .await
            .unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let _ = copy_bidirectional(&mut stream, &mut server).await;
    })
}

/// SOCKS 5 with user and password, names resolved by the proxy.
fn socks(mut stream: TcpStream, asked: Asked) -> Served {
    Box::pin(async move {
        let mut greeting = [0; 2];
        stream.read_exact(&mut greeting).await.unwrap();
        let mut methods = vec![0; usize::from(greeting[1])];
        stream.read_exact(&mut methods).await.unwrap();
        assert!(methods.contains(&2), "{methods:?}");
        stream.write_all(&[5, 2]).await.unwrap();
        let mut user = [0; 2];
        stream.read_exact(&mut user).await.unwrap();
        let mut text = vec![0; usize::from(user[1])];
        stream.read_exact(&mut text).await.unwrap();
        let length = stream.read_u8().await.unwrap();
        let mut password = vec![0; usize::from(length)];
        stream.read_exact(&mut password).await.unwrap();
        text.push(b':');
        text.extend(password);
        stream.write_all(&[1, 0]).await.unwrap();
        let mut request = [0; 5];
        stream.read_exact(&mut request).await.unwrap();
        assert_eq!(request[3], 3, "the name is left to the proxy");
        let mut name = vec![0; usize::from(request[4])];
        stream.read_exact(&mut name).await.unwrap();
        let port = stream.read_u16().await.unwrap();
        text.push(b'@');
        text.extend(name);
        asked.lock().unwrap().push(text);
        let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let done = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        stream.write_all(&done).await.unwrap();
        let _ = copy_bidirectional(&mut stream, &mut server).await;
    })
}

#[tokio::test]
async fn a_plain_request_is_handed_to_the_proxy_whole() {
    let proxy = Server::plain().await;
    let config = through(
        &format!("http://u:p@127.0.0.1:{}", proxy.port),
        ProxyConfig {
            no_proxy: "direct.example.com".to_owned(),
            connect_header: BTreeMap::from([("X-Team".to_owned(), vec![Secret::new("s")])]),
            ..ProxyConfig::default()
        },
        TlsConfig::default(),
    );
    let url = "http://inventory.example.com/sd?x=1";
    assert_eq!(once(config.clone(), url).await, Ok(200));
    let seen = proxy.last();
    assert_eq!(seen.line, format!("GET {url} HTTP/1.1"));
    assert_eq!(seen.header("host"), Some(HOST));
    assert_eq!(seen.header("proxy-authorization"), Some("Basic dTpw"));
    // Meant for tunnels; here it would reach the server.
    assert_eq!(seen.header("x-team"), None);

    let server = Server::plain().await;
    assert_eq!(
        once(config, &server.url("direct.example.com")).await,
        Ok(200)
    );
    assert_eq!(server.last().line, "GET /sd HTTP/1.1");
    assert_eq!(server.last().header("proxy-authorization"), None);
    assert_eq!(proxy.seen().len(), 1);
}

#[tokio::test]
async fn an_encrypted_request_goes_through_a_tunnel() {
    let authority = Authority::new();
    let pair = authority.server(&[HOST]);
    let server = Server::start(Some(config(&pair, None, ALL_VERSIONS)), |_| {
        Response::default()
    });
    let server = server.await;
    let proxy = Tunnels::start(http_connect).await;
    let tls = TlsConfig {
        ca: authority.pem(),
        ..TlsConfig::default()
    };
    let proxies = ProxyConfig {
        connect_header: BTreeMap::from([(
            "X-Team".to_owned(),
            vec![Secret::new("a"), Secret::new("b")],
        )]),
        ..ProxyConfig::default()
    };
    let url = format!("http://u:p@127.0.0.1:{}", proxy.port);
    let config = through(&url, proxies, tls);
    assert_eq!(once(config.clone(), &server.https(HOST)).await, Ok(200));
    let asked = proxy.asked().remove(0);
    let line = format!("CONNECT {HOST}:{} HTTP/1.1\r\n", server.port);
    assert!(asked.starts_with(&line), "{asked}");
    for header in [
        "x-team: a\r\n",
        "x-team: b\r\n",
        "proxy-authorization: Basic dTpw\r\n",
    ] {
        assert!(
            asked
                .to_ascii_lowercase()
                .contains(&header.to_ascii_lowercase()),
            "{asked}"
        );
    }
    let seen = server.last();
    assert_eq!(seen.server_name.as_deref(), Some(HOST));
    assert!(seen.line.ends_with("HTTP/2.0"), "{}", seen.line);
    assert_eq!(seen.header("x-team"), None);
    assert_eq!(seen.header("proxy-authorization"), None);

    let refused = server.https("forbidden.example.com");
    let error = once(config, &refused).await.unwrap_err();
    let proxy = format!("the proxy `http://127.0.0.1:{}` gives no way", proxy.port);
    assert!(error.contains(&proxy), "{error}");
}

#[tokio::test]
async fn a_proxy_may_itself_speak_tls() {
    let authority = Authority::new();
    let pair = authority.server(&["proxy.example.com"]);
    let proxy = Server::start(Some(config(&pair, None, ALL_VERSIONS)), |_| {
        Response::default()
    });
    let proxy = proxy.await;
    let tls = TlsConfig {
        ca: authority.pem(),
        // The name of the server, not of the proxy.
        server_name: HOST.to_owned(),
        ..TlsConfig::default()
    };
    let url = format!("https://proxy.example.com:{}", proxy.port);
    let config = through(&url, ProxyConfig::default(), tls);
    assert_eq!(
        once(config, "http://inventory.example.com/sd").await,
        Ok(200)
    );
    let seen = proxy.last();
    assert_eq!(seen.line, "GET http://inventory.example.com/sd HTTP/1.1");
    assert_eq!(seen.server_name.as_deref(), Some("proxy.example.com"));
}

#[tokio::test]
async fn socks_proxies_resolve_names() {
    let server = Server::plain().await;
    let proxy = Tunnels::start(socks).await;
    for scheme in ["socks5", "socks5h"] {
        let url = format!("{scheme}://u:p@127.0.0.1:{}", proxy.port);
        let config = through(&url, ProxyConfig::default(), TlsConfig::default());
        assert_eq!(once(config, &server.url(HOST)).await, Ok(200));
        assert_eq!(server.last().line, "GET /sd HTTP/1.1");
        assert_eq!(proxy.asked().pop().unwrap(), format!("u:p@{HOST}"));
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named_without_its_password() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let url = format!("http://u:hunter2@127.0.0.1:{port}");
    let config = through(&url, ProxyConfig::default(), TlsConfig::default());
    let error = once(config, "http://inventory.example.com/sd?t=hunter2")
        .await
        .unwrap_err();
    assert!(
        error.contains(&format!("failed to connect to `127.0.0.1:{port}`")),
        "{error}"
    );
    assert!(!error.contains("hunter2"), "{error}");
}
