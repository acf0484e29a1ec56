//! `http_sd_configs` of an unchanged `prometheus.yml`.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::lab::Lab;
use crate::running::until;

/// A server that hands out a list to whoever knows the password.
#[derive(Clone, Default)]
struct Inventory {
    shared: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The `Authorization` that it wants.
    wanted: String,
    body: String,
    refused: usize,
}

impl Inventory {
    async fn start(&self) -> String {
        let shared = Arc::clone(&self.shared);
        let answer = move |headers: HeaderMap| async move { respond(&shared, &headers) };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/sd", get(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        origin
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn respond(shared: &Mutex<State>, headers: &HeaderMap) -> Response {
    let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let given = headers.get(header::AUTHORIZATION);
    if given.is_none_or(|given| *given != state.wanted) {
        state.refused += 1;
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, state.body.clone()).into_response()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_configuration_works_and_its_password_may_change() {
    let inventory = Inventory::default();
    inventory.change(|state| {
        state.wanted = "Basic c2NyYXBlcjpodW50ZXIx".to_owned();
        state.body = r#"[{"targets": ["10.9.0.1:9100"], "labels": {"rack": "r1"}}]"#.to_owned();
    });
    let origin = inventory.start().await;
    let lab = Lab::new(&format!(
        "scrape_configs:
  - job_name: racks
    http_sd_configs:
      - url: {origin}/sd
        refresh_interval: 100ms
        basic_auth: {{username: scraper, password_file: password}}
    relabel_configs:
      - source_labels: [__meta_url]
        target_label: inventory
"
    ));
    lab.write("password", "hunter1\n");
    let host = lab.run(&[]).await;
    host.until_addresses("racks", &["10.9.0.1:9100"]).await;
    let labels = host.get("/sd/racks").await.labels("10.9.0.1:9100").unwrap();
    assert_eq!(labels["rack"], "r1");
    assert_eq!(labels["inventory"], format!("{origin}/sd"));

    // Whoever is not let in keeps what there was, and says so without the password.
    let refused = inventory.change(|state| {
        state.wanted = "Basic c2NyYXBlcjpodW50ZXIy".to_owned();
        state.body = r#"[{"targets": ["10.9.0.2:9100"]}]"#.to_owned();
        state.refused
    });
    until(|| inventory.change(|state| state.refused) > refused).await;
    host.until_provider("a refusal", "http", |provider| {
        let error = provider["last_error"]["message"]
            .as_str()
            .unwrap_or_default();
        error.contains("401 Unauthorized") && error.contains(&format!("{origin}/sd"))
    })
    .await;
    host.until_addresses("racks", &["10.9.0.1:9100"]).await;
    // The file is read for each request.
    lab.write("password", "hunter2\n");
    host.until_addresses("racks", &["10.9.0.2:9100"]).await;
    let providers = host.get("/api/v1/providers").await.text();
    assert!(!host.log().contains("hunter"), "{}", host.log());
    assert!(!providers.contains("hunter"), "{providers}");
}
