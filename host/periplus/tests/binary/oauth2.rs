//! `oauth2` of a section that a plugin serves: the host fetches the token, the plugin never sees it.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;

use crate::lab::{Lab, shipped};

/// The token that is good now, and how many were issued.
#[derive(Default)]
struct Tokens {
    good: String,
    issued: usize,
}

/// A server with `/token`, and `/hosts` for whoever shows the good token.
async fn start(tokens: Arc<Mutex<Tokens>>) -> String {
    let issuer = Arc::clone(&tokens);
    let issue = move |body: String| async move {
        assert!(body.contains("grant_type=client_credentials"), "{body}");
        let mut tokens = lock(&issuer);
        tokens.issued += 1;
        tokens.good = format!("hunter{}", tokens.issued);
        let body = format!(r#"{{"access_token": "{}"}}"#, tokens.good);
        ([(header::CONTENT_TYPE, "application/json")], body)
    };
    let hosts = move |headers: HeaderMap| async move { answer(&lock(&tokens), &headers) };
    let router = Router::new()
        .route("/token", post(issue))
        .route("/hosts", get(hosts));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    origin
}

fn answer(tokens: &Tokens, headers: &HeaderMap) -> Response {
    let wanted = format!("Bearer {}", tokens.good);
    let given = headers.get(header::AUTHORIZATION);
    if given.is_none_or(|given| *given != wanted) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    format!(r#"[{{"ip": "10.9.0.{}"}}]"#, tokens.issued).into_response()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_fetches_tokens_for_a_plugin() {
    let tokens = Arc::new(Mutex::new(Tokens::default()));
    let origin = start(Arc::clone(&tokens)).await;
    let lab = Lab::new(&format!(
        "plugins:
  - source: file:{}
scrape_configs:
  - job_name: racks
    json_http_sd_configs:
      - url: {origin}/hosts
        address: /ip
        port: 9100
        refresh_interval: 1s
        oauth2:
          client_id: periplus
          client_secret: hunter0
          token_url: {origin}/token
",
        shipped("json_http").display()
    ));
    let host = lab.run(&[]).await;
    host.until_addresses("racks", &["10.9.0.1:9100"]).await;
    // The token is withdrawn: the next request gets a new one.
    lock(&tokens).good = "another".to_owned();
    host.until_addresses("racks", &["10.9.0.2:9100"]).await;
    let providers = host.get("/api/v1/providers").await.text();
    let log = host.log();
    assert!(!providers.contains("hunter"), "{providers}");
    assert!(!log.contains("hunter"), "{log}");
}
