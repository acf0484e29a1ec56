//! The HTTP side: connections, authentication, faults on whole answers, and routing to verbs.

mod body;
mod connection;
mod list;
mod negotiate;
mod route;
mod watch;
mod write;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio_rustls::rustls::ServerConfig;

use crate::Settings;
use crate::certificates::Certificates;
use crate::faults::{Fault, Faults, Subject};
use crate::options::WatchList;
use crate::requests::{Request, RequestLog, Verb};
use crate::resource::Resource;
use crate::status::Problem;
use crate::store::Store;

pub(crate) use connection::{Connections, serve};

use body::Body;
use connection::Connection;
use negotiate::View;
use route::Route;

type Response = http::Response<Body>;

/// Everything that requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) faults: Faults,
    pub(crate) log: RequestLog,
    pub(crate) settings: Settings,
    pub(crate) watch_list: Mutex<WatchList>,
    /// Bearer tokens that let clients in; none: everybody is let in.
    pub(crate) tokens: Mutex<Vec<String>>,
    /// Without them, connections are plain.
    pub(crate) certificates: Mutex<Option<Arc<Certificates>>>,
    pub(crate) connections: Connections,
    /// Running watches per resource name.
    pub(crate) watches: Mutex<HashMap<String, usize>>,
}

/// One request about objects, understood.
struct Call<'a> {
    shared: &'a Arc<Shared>,
    resource: Arc<Resource>,
    namespace: String,
    name: String,
    subresource: String,
    query: std::collections::BTreeMap<String, String>,
    faults: Vec<Fault>,
    view: View,
}

// === impl Shared ===

impl Shared {
    fn watch_list(&self) -> WatchList {
        *self
            .watch_list
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tokens(&self) -> Vec<String> {
        self.tokens
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn certificates(&self) -> Option<Arc<Certificates>> {
        self.certificates
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.certificates().map(|c| c.config.clone())
    }
}

// === impl Call ===

impl Call<'_> {
    /// `kind` and `apiVersion` of the resource's objects, as JSON members before others.
    fn prefix(&self) -> String {
        format!(
            r#""kind":"{}","apiVersion":"{}","#,
            self.resource.kind,
            self.resource.api_version()
        )
    }
}

/// An error here makes hyper cut the connection.
#[derive(Debug, thiserror::Error)]
#[error("connection cut on demand")]
struct Cut;

async fn answer(
    shared: Arc<Shared>,
    connection: Connection,
    request: http::Request<Incoming>,
) -> Result<Response, Cut> {
    let (head, incoming) = request.into_parts();
    let route = Route::parse(&head.method, &head.uri, &shared.store);
    let number = shared.log.add(record(&head, &route, &connection));
    let subject = Subject {
        verb: route.verb,
        resource: &route.resource,
        namespace: &route.namespace,
        initial_events: route.asks_initial_events(),
    };
    let faults = shared.faults.take(&subject);
    if faults.iter().any(|f| matches!(f, Fault::Disconnect)) {
        connection.cut();
        return Err(Cut);
    }
    if let Some(answer) = before(&shared, &route, &faults).await {
        shared.log.answered(number, answer.status().as_u16());
        return Ok(answer);
    }
    let authorised = authorise(&shared, &connection, &head.headers);
    let result = match authorised {
        Ok(()) => dispatch(&shared, route, &head.headers, incoming, faults.clone()).await,
        Err(problem) => Err(problem),
    };
    let response = result.unwrap_or_else(|problem| problem_response(&problem));
    shared.log.answered(number, response.status().as_u16());
    Ok(response.map(|body| body.with_faults(&faults)))
}

/// Faults that come instead of an answer, or before it.
async fn before(shared: &Shared, route: &Route, faults: &[Fault]) -> Option<Response> {
    for fault in faults {
        let problem = match fault {
            Fault::Delay(time) => {
                tokio::time::sleep(*time).await;
                continue;
            }
            Fault::Hang => std::future::pending().await,
            Fault::Body(text) => return Some(json_response(Bytes::from(text.clone()))),
            Fault::Status { code, retry_after } => Problem {
                retry_after: *retry_after,
                ..Problem::new(*code, reason(*code), format!("fault on demand: {code}"))
            },
            Fault::Busy { retry_after } => return Some(busy(*retry_after)),
            Fault::Forbidden => route.forbidden(&shared.store),
            _ => continue,
        };
        return Some(problem_response(&problem));
    }
    None
}

/// What priority and fairness answer: a sentence, not a `Status`.
fn busy(retry_after: Option<u32>) -> Response {
    let text = Bytes::from_static(b"Too many requests, please try again later.\n");
    let mut response = Response::new(Body::full(text));
    *response.status_mut() = http::StatusCode::TOO_MANY_REQUESTS;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    if let Some(seconds) = retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn reason(code: u16) -> &'static str {
    match code {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        410 => "Expired",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "InternalError",
    }
}

/// A good token or a good certificate; where no token is asked for, anything but a bad certificate.
fn authorise(shared: &Shared, connection: &Connection, headers: &HeaderMap) -> Result<(), Problem> {
    let tokens = shared.tokens();
    let given = headers
        .get(AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.strip_prefix("Bearer "));
    let certificates = &connection.certificates;
    let trusted = shared
        .certificates()
        .is_some_and(|c| c.trusts(certificates));
    let known = given.is_some_and(|given| tokens.iter().any(|t| t == given));
    if known || trusted || (tokens.is_empty() && certificates.is_empty()) {
        Ok(())
    } else {
        Err(Problem::new(401, "Unauthorized", "Unauthorized"))
    }
}

async fn dispatch(
    shared: &Arc<Shared>,
    route: Route,
    headers: &HeaderMap,
    incoming: Incoming,
    faults: Vec<Fault>,
) -> Result<Response, Problem> {
    let resource = route.found(&shared.store);
    let Some(resource) = resource else {
        return route::general(&route.path, &shared.store).map(|v| value_response(&v, 200));
    };
    let view = match route.verb {
        Verb::List | Verb::Watch | Verb::Get => negotiate::view(headers, route.verb, &resource)?,
        _ => View::Whole,
    };
    let call = Call {
        shared,
        view,
        resource,
        namespace: route.namespace,
        name: route.name,
        subresource: route.subresource,
        query: route.query,
        faults,
    };
    match route.verb {
        Verb::List => list::list(&call, headers),
        Verb::Watch => watch::watch(&call, headers),
        Verb::Get => write::get(&call),
        Verb::Delete => write::delete(&call),
        Verb::Create | Verb::Update | Verb::Patch => {
            let bytes = incoming.collect().await;
            let bytes = bytes
                .map_err(|e| Problem::bad_request(e.to_string()))?
                .to_bytes();
            let value: Value = serde_json::from_slice(&bytes)
                .map_err(|e| Problem::bad_request(format!("the body is not JSON: {e}")))?;
            write::write(&call, route.verb, value, headers)
        }
        Verb::Other => Err(Problem::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this",
        )),
    }
}

fn record(head: &http::request::Parts, route: &Route, connection: &Connection) -> Request {
    let header = |name| {
        let value = head
            .headers
            .get(name)
            .and_then(|v: &HeaderValue| v.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    Request {
        number: 0,
        version: head.version,
        connection: connection.number,
        client_certificate: !connection.certificates.is_empty(),
        verb: route.verb,
        method: head.method.to_string(),
        path: route.path.clone(),
        query: route.query.clone(),
        resource: route.resource.clone(),
        namespace: route.namespace.clone(),
        user_agent: header(USER_AGENT),
        authorization: header(AUTHORIZATION),
        accept: header(ACCEPT),
        accept_encoding: header(ACCEPT_ENCODING),
        status: 0,
    }
}

fn value_response(value: &Value, code: u16) -> Response {
    let mut response = json_response(Bytes::from(value.to_string()));
    if let Ok(code) = http::StatusCode::from_u16(code) {
        *response.status_mut() = code;
    }
    response
}

fn json_response(bytes: Bytes) -> Response {
    let mut response = Response::new(Body::full(bytes));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn problem_response(problem: &Problem) -> Response {
    let mut response = value_response(&problem.status, problem.code.as_u16());
    if let Some(seconds) = problem.retry_after {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Whether the client takes gzip, as the real server asks.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get(ACCEPT_ENCODING)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    accepted
        .split(',')
        .any(|part| part.split(';').next().map(str::trim) == Some("gzip"))
}

/// Counts a running watch for as long as it lives.
struct Running {
    shared: Arc<Shared>,
    resource: String,
}

impl Running {
    fn new(shared: Arc<Shared>, resource: &str) -> Self {
        let resource = resource.to_owned();
        {
            let mut watches = shared
                .watches
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *watches.entry(resource.clone()).or_default() += 1;
        }
        Self { shared, resource }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut watches = self
            .shared
            .watches
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = watches.get_mut(&self.resource) {
            *count -= 1;
        }
    }
}

/// An empty success, as a delete answers.
fn success() -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
}
