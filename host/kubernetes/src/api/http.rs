//! Requests over HTTP, through a client of kube.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::BodyExt;

use super::error::Refusal;
use super::gzip;
use super::{Api, ApiError, Body, Call, Capabilities, Collection, Request};
use crate::connect::{Clients, Connection, Place};
use crate::metrics::KubernetesMetrics;

/// How much of the body of a refusal is read.
const MAX_REFUSAL: usize = 64 << 10;
/// How long the body of a refusal may take.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(5);

/// An API server behind a connection.
pub(crate) struct HttpApi {
    connection: Connection,
    capabilities: Capabilities,
    metrics: KubernetesMetrics,
}

// === impl HttpApi ===

impl HttpApi {
    /// The API server behind `connection`.
    pub(crate) fn new(connection: Connection, metrics: KubernetesMetrics) -> Self {
        Self {
            connection,
            capabilities: Capabilities::default(),
            metrics,
        }
    }

    /// The answer, and the place on a connection that it takes while it is read.
    async fn exchange(
        &self,
        request: &Request,
        clients: &Arc<Clients>,
        mut headers: HeaderMap,
    ) -> Result<(http::Response<kube::client::Body>, Place), ApiError> {
        headers.insert(ACCEPT, HeaderValue::from_static(accept(request)));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(encoding(request)));
        let mut message = http::Request::get(request.path_and_query())
            .body(kube::client::Body::empty())
            .map_err(|error| ApiError::Setup(format!("cannot build the request: {error}")))?;
        *message.headers_mut() = headers;
        let mut place = clients.place().await?;
        let answer = place
            .send(message)
            .await
            .map_err(|error| ApiError::unreachable(&clients.server, cause(&error)))?;
        Ok((answer, place))
    }
}

#[async_trait]
impl Api for HttpApi {
    async fn send(&self, request: &Request) -> Result<Body, ApiError> {
        let (clients, headers) = match self.connection.clients().await {
            Ok(ready) => ready,
            Err(error) => {
                self.metrics.request(None);
                return Err(error);
            }
        };
        let (answer, place) = match self.exchange(request, &clients, headers).await {
            Ok(answer) => answer,
            Err(error) => {
                self.metrics.request(None);
                self.connection.discard(&clients).await;
                return Err(error);
            }
        };
        let status = answer.status();
        self.metrics.request(Some(status.as_u16()));
        let (head, body) = answer.into_parts();
        if status == StatusCode::OK {
            return body_of(&head.headers, body, place);
        }
        if status == StatusCode::UNAUTHORIZED {
            self.connection.discard(&clients).await;
        }
        let body = read_refusal(body).await;
        Err(ApiError::Refused(refusal(
            status,
            &head.headers,
            &body,
            request,
        )))
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
}

/// What is asked for: whole objects, or what names them. A server that has no word for the latter
/// sends the former, which is read alike.
fn accept(request: &Request) -> &'static str {
    match (request.collection.metadata_only, &request.call) {
        (false, _) => "application/json",
        (true, Call::List { .. }) => {
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
        }
        (true, _) => {
            "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
        }
    }
}

/// A watch is not to be compressed: each event would wait for the compressor's buffer.
fn encoding(request: &Request) -> &'static str {
    match request.call {
        Call::List { .. } => "gzip",
        Call::Stream { .. } | Call::Watch { .. } => "identity",
    }
}

/// The pieces of a body, decoded whatever was asked for.
fn body_of(headers: &HeaderMap, body: kube::client::Body, place: Place) -> Result<Body, ApiError> {
    let pieces = body.into_data_stream().map(move |piece| {
        let _ = &place;
        piece.map_err(|error| ApiError::transport(cause(&error)))
    });
    let encoding = headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes);
    match encoding {
        None | Some(b"" | b"identity") => Ok(pieces.boxed()),
        Some(b"gzip" | b"x-gzip") => Ok(gzip::decoded(pieces.boxed())),
        Some(other) => Err(ApiError::Garbled(format!(
            "the answer is encoded as `{}`, which was not asked for",
            String::from_utf8_lossy(other)
        ))),
    }
}

/// After which time to ask again: seconds, or the time of a clock.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = httpdate::parse_http_date(text).ok()?;
    then.duration_since(now).ok()
}

/// kube wraps every error in a word of its own that says nothing to an operator.
fn cause(error: &kube::Error) -> &(dyn std::error::Error + 'static) {
    match error {
        kube::Error::Service(inner) => inner.as_ref(),
        kube::Error::HyperError(inner) => inner,
        other => other,
    }
}

/// The beginning of the body, as far as it comes.
async fn read_refusal(body: kube::client::Body) -> Bytes {
    let mut bytes = BytesMut::new();
    let mut pieces = body.into_data_stream();
    let read = async {
        while let Some(Ok(piece)) = pieces.next().await {
            let room = MAX_REFUSAL - bytes.len();
            bytes.extend_from_slice(&piece[..piece.len().min(room)]);
            if bytes.len() == MAX_REFUSAL {
                break;
            }
        }
    };
    // What did not come in time is missing from the message, and nothing else.
    let _ = tokio::time::timeout(REFUSAL_TIMEOUT, read).await;
    bytes.freeze()
}

fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8], request: &Request) -> Refusal {
    let mut refusal = Refusal::parse(status.as_u16(), body);
    if let Some(wait) = retry_after(headers, SystemTime::now()) {
        refusal.retry_after = Some(wait);
    }
    if status == StatusCode::FORBIDDEN {
        let needed = needed(&request.collection, &request.call);
        let separator = if refusal.message.is_empty() { "" } else { "; " };
        refusal.message = format!("{}{separator}{needed}", refusal.message);
    }
    refusal
}

/// The permission that a request needs.
fn needed(collection: &Collection, call: &Call) -> String {
    let verb = match call {
        Call::List { .. } => "list",
        Call::Stream { .. } | Call::Watch { .. } => "watch",
    };
    let resource = collection.qualified();
    let needed = format!("the account needs the permission to `{verb}` `{resource}`");
    match &collection.namespace {
        Some(namespace) => format!("{needed} in `{namespace}`"),
        None => needed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_names_the_wait_in_seconds_or_by_the_clock() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (text, wait) in [
            ("7", Some(7)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:49:07 GMT", None),
            ("tomorrow", None),
            ("-1", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            assert_eq!(
                retry_after(&headers, now),
                wait.map(Duration::from_secs),
                "{text}"
            );
        }
    }

    #[test]
    fn lists_may_be_compressed_and_metadata_alone_is_asked_for_where_that_is_enough() {
        let of = |metadata_only, call| {
            let collection = Collection {
                metadata_only,
                ..Collection::default()
            };
            let request = Request {
                collection: Arc::new(collection),
                call,
            };
            (encoding(&request), accept(&request).split_once(";as="))
        };
        let list = Call::List {
            limit: None,
            continue_token: None,
        };
        let watch = Call::Watch {
            resource_version: String::new(),
            timeout: Duration::ZERO,
        };
        assert_eq!(of(false, list.clone()), ("gzip", None));
        assert_eq!(of(false, watch.clone()), ("identity", None));
        assert!(
            of(true, list)
                .1
                .unwrap()
                .1
                .starts_with("PartialObjectMetadataList;")
        );
        assert!(
            of(true, watch)
                .1
                .unwrap()
                .1
                .starts_with("PartialObjectMetadata;")
        );
    }

    #[test]
    fn a_refusal_names_the_permission_and_the_wait() {
        let collection = Collection {
            group_path: "/api/v1".into(),
            plural: "pods".into(),
            namespace: Some("team-a".to_owned()),
            ..Collection::default()
        };
        let call = Call::List {
            limit: None,
            continue_token: None,
        };
        let request = Request {
            collection: Arc::new(collection),
            call,
        };
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("3"));
        let refusal = refusal(StatusCode::FORBIDDEN, &headers, b"no", &request);
        assert_eq!(
            refusal.to_string(),
            "403 Forbidden: no; the account needs the permission to `list` `pods` in `team-a`"
        );
        assert_eq!(refusal.retry_after, Some(Duration::from_secs(3)));
    }
}
