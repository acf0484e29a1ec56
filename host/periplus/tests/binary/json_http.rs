//! An inventory over HTTP: what a section's URL grants, and what it does not.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::lab::{Lab, shipped};
use crate::running::Answer;

/// A server with an inventory at `/hosts`; it remembers who asked.
struct Inventory {
    origin: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// What `/hosts` answers.
    body: Mutex<String>,
    /// The `Authorization` of each request.
    asked: Mutex<Vec<String>>,
}

impl Inventory {
    /// With `/elsewhere` leading to `target`.
    async fn start(body: &str, target: String) -> Self {
        let shared = Arc::new(Shared::default());
        let hosts = {
            let shared = Arc::clone(&shared);
            move |headers: HeaderMap| async move {
                let given = headers.get(header::AUTHORIZATION);
                let given = given.map_or("", |it| it.to_str().unwrap());
                lock(&shared.asked).push(given.to_owned());
                lock(&shared.body).clone()
            }
        };
        let elsewhere = move || async move {
            (StatusCode::FOUND, [(header::LOCATION, target.clone())]).into_response()
        };
        let router = Router::new()
            .route("/hosts", get(hosts))
            .route("/elsewhere", get(elsewhere));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let inventory = Self { origin, shared };
        inventory.answers(body);
        inventory
    }

    fn answers(&self, body: &str) {
        body.clone_into(&mut lock(&self.shared.body));
    }

    fn asked(&self) -> Vec<String> {
        lock(&self.shared.asked).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A job `racks` of what `url` answers; `allow` is the plugin's.
fn config(url: &str, allow: &str) -> String {
    format!(
        "plugins:
  - source: file:{}
    allow: {{{allow}}}
scrape_configs:
  - job_name: racks
    json_http_sd_configs:
      - url: {url}
        items: /hosts
        address: /ip
        port: 9100
        labels: {{rack: /rack}}
        refresh_interval: 1s
        basic_auth: {{username: u, password: p}}
",
        shipped("json_http").display()
    )
}

const HOSTS: &str = r#"{"hosts": [{"ip": "10.9.0.1", "rack": "r1"}, {"ip": "10.9.0.2"}]}"#;
const BOTH: &[&str] = &["10.9.0.1:9100", "10.9.0.2:9100"];

/// Whether the job is unknown because this origin is not granted, with the line that grants it.
fn refused(origin: &str) -> impl Fn(&Answer) -> bool {
    let said = format!("`{origin}` is not granted");
    let line = format!(r#"allow: {{http: [\"{origin}\"]}}"#);
    move |answer| {
        let text = answer.text();
        answer.status == 503 && text.contains(&said) && text.contains(&line)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_url_of_a_section_grants_itself() {
    let inventory = Inventory::start(HOSTS, String::new()).await;
    let lab = Lab::new(&config(&format!("{}/hosts", inventory.origin), ""));
    let host = lab.run(&[]).await;
    host.until_addresses("racks", BOTH).await;
    let labels = host.get("/sd/racks").await.labels("10.9.0.1:9100").unwrap();
    assert_eq!(labels["rack"], "r1");
    // The host sends the credentials, which the plugin never saw.
    assert_eq!(inventory.asked()[0], "Basic dTpw");

    // News arrive; what is no inventory changes nothing and is named.
    inventory.answers(r#"{"hosts": [{"ip": "10.9.0.3"}]}"#);
    host.until_addresses("racks", &["10.9.0.3:9100"]).await;
    for nonsense in ["<html>", r#"{"hosts": 7}"#, "{}"] {
        inventory.answers(nonsense);
        let before = inventory.asked().len();
        crate::running::until(|| inventory.asked().len() > before + 1).await;
        host.until_provider("the URL", "json_http", |provider| {
            let message = provider["last_error"]["message"].as_str();
            message.is_some_and(|it| it.contains(&inventory.origin))
        })
        .await;
        host.until_addresses("racks", &["10.9.0.3:9100"]).await;
    }
    inventory.answers(HOSTS);
    host.until_addresses("racks", BOTH).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_to_another_origin_is_refused_with_the_line_that_allows_it() {
    let target = Inventory::start(HOSTS, String::new()).await;
    let first = Inventory::start("", format!("{}/hosts", target.origin)).await;
    let url = format!("{}/elsewhere", first.origin);
    let lab = Lab::new(&config(&url, ""));
    let host = lab.run(&[]).await;
    host.until_job("the line to add", "racks", refused(&target.origin))
        .await;
    assert!(target.asked().is_empty());

    // The very line, added; the credentials stay with the origin that they are for.
    lab.configure(&config(&url, &format!(r#"http: ["{}"]"#, target.origin)));
    assert_eq!(host.reload().await.status, 200);
    host.until_addresses("racks", BOTH).await;
    assert!(target.asked().iter().all(String::is_empty));
}

#[tokio::test(flavor = "multi_thread")]
async fn this_machine_is_reached_only_where_it_is_named() {
    let target = Inventory::start(HOSTS, String::new()).await;
    let (_, port) = target.origin.rsplit_once(':').unwrap();
    // A metadata service is never reached, whatever is granted.
    let metadata = "http://169.254.169.254";
    let first = Inventory::start("", format!("{metadata}/hosts")).await;
    let grant = format!(r#"http: ["{metadata}"]"#);
    let lab = Lab::new(&config(&format!("{}/elsewhere", first.origin), &grant));
    let host = lab.run(&[]).await;
    host.until_job("the address", "racks", |answer| {
        let text = answer.text();
        answer.status == 503 && text.contains("`169.254.169.254` is refused: link-local")
    })
    .await;

    // By its name it is the operator's word, too.
    lab.configure(&config(&format!("http://localhost:{port}/hosts"), ""));
    assert_eq!(host.reload().await.status, 200);
    host.until_addresses("racks", BOTH).await;
}
