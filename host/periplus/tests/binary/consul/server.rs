//! A stand-in Consul agent: blocking queries by index, an ACL token, a password, and failures on demand.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What a request must carry: `X-Consul-Token` and `Authorization`; empty: not looked at.
#[derive(Clone, Copy, Default)]
pub(super) struct Wanted {
    pub(super) token: &'static str,
    pub(super) authorization: &'static str,
}

/// The agent, until the test's runtime ends.
pub(super) struct Consul {
    /// `127.0.0.1:PORT`.
    pub(super) address: String,
    shared: Arc<Shared>,
}

struct Shared {
    wanted: Wanted,
    catalog: watch::Sender<Catalog>,
    asked: Mutex<Vec<String>>,
}

#[derive(Clone, Default)]
struct Catalog {
    /// Of every answer.
    index: u64,
    services: BTreeMap<String, Vec<Value>>,
    /// Services whose health is answered with 500.
    broken: Vec<String>,
}

// === impl Consul ===

impl Consul {
    pub(super) async fn start(wanted: Wanted) -> Self {
        let catalog = watch::Sender::new(Catalog {
            index: 10,
            ..Catalog::default()
        });
        let shared = Arc::new(Shared {
            wanted,
            catalog,
            asked: Mutex::default(),
        });
        let router = Router::new()
            .route("/v1/agent/self", get(agent))
            .route("/v1/catalog/services", get(services))
            .route("/v1/health/service/{name}", get(health))
            .with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared }
    }

    /// Registers a service on these hosts, with port 80, or takes it away.
    pub(super) fn set(&self, service: &str, hosts: &[&str]) {
        let instances = hosts.iter().map(|host| instance(service, host)).collect();
        self.change(|catalog| {
            if hosts.is_empty() {
                catalog.services.remove(service);
            } else {
                catalog.services.insert(service.to_owned(), instances);
            }
        });
    }

    /// Answers with 500 for these services from now on.
    pub(super) fn breaks(&self, services: &[&str]) {
        let broken = services.iter().map(|&it| it.to_owned()).collect();
        self.change(|catalog| catalog.broken = broken);
    }

    /// The index begins anew, as when a cluster is restored.
    pub(super) fn resets(&self) {
        self.shared.catalog.send_modify(|catalog| catalog.index = 1);
    }

    /// Paths with queries of all requests so far that carried what is wanted.
    pub(super) fn asked(&self) -> Vec<String> {
        lock(&self.shared.asked).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Catalog)) {
        self.shared.catalog.send_modify(|catalog| {
            change(catalog);
            catalog.index += 1;
        });
    }
}

// === impl Shared ===

impl Shared {
    /// Answers once the index is past the one of the query, or is lower than it.
    async fn answer(
        &self,
        path: &str,
        query: &HashMap<String, String>,
        headers: &HeaderMap,
        body: impl Fn(&Catalog) -> Option<Value>,
    ) -> Response {
        let carries = |name: &str, wanted: &str| {
            let given = headers.get(name).map(|it| it.to_str().unwrap());
            wanted.is_empty() || given == Some(wanted)
        };
        if !carries("x-consul-token", self.wanted.token)
            || !carries("authorization", self.wanted.authorization)
        {
            return (StatusCode::FORBIDDEN, "Permission denied").into_response();
        }
        let mut sorted: Vec<_> = query.iter().map(|(k, v)| format!("{k}={v}")).collect();
        sorted.sort();
        lock(&self.asked).push(format!("{path}?{}", sorted.join("&")));
        let known: u64 = query.get("index").map_or(0, |it| it.parse().unwrap());
        let mut catalog = self.catalog.subscribe();
        let news = catalog.wait_for(|it| known == 0 || it.index != known);
        let wait = Duration::from_secs(20);
        let _ = tokio::time::timeout(wait, news).await;
        let catalog = self.catalog.borrow().clone();
        match body(&catalog) {
            Some(body) => {
                let index = [("x-consul-index", catalog.index.to_string())];
                (index, Json(body)).into_response()
            }
            None => (StatusCode::INTERNAL_SERVER_ERROR, "No cluster leader").into_response(),
        }
    }
}

async fn agent(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let body = |_: &Catalog| Some(json!({"Config": {"Datacenter": "dc7"}}));
    shared.answer("self", &query, &headers, body).await
}

async fn services(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let body = |catalog: &Catalog| {
        let tags = |name: &String| (name.clone(), json!(["web", name]));
        Some(Value::Object(catalog.services.keys().map(tags).collect()))
    };
    shared.answer("services", &query, &headers, body).await
}

async fn health(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let body = |catalog: &Catalog| {
        let instances = catalog.services.get(&name).cloned().unwrap_or_default();
        (!catalog.broken.contains(&name)).then(|| json!(instances))
    };
    let path = format!("health/{name}");
    shared.answer(&path, &query, &headers, body).await
}

fn instance(service: &str, host: &str) -> Value {
    json!({
        "Node": {
            "Node": "n1", "Address": "10.0.0.1", "Datacenter": "dc7",
            "Meta": {"rack-id": "r1"}, "TaggedAddresses": {"lan": "10.0.0.1"},
        },
        "Service": {
            "ID": format!("{service}-{host}"), "Service": service, "Tags": ["web", service],
            "Address": host, "Port": 80, "Meta": null,
        },
        "Checks": [
            {"CheckID": "serfHealth", "Status": "passing"},
            {"CheckID": "service:1", "Status": "warning"},
        ],
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
