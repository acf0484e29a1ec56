//! Requests over HTTP, through a client of kube.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt};
use http::header::{ACCEPT, ACCEPT_ENCODING, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::BodyExt;

use super::error::Refusal;
use super::{Api, ApiError, Body, Call, Collection, Request};
use crate::connect::Connection;
use crate::metrics::KubernetesMetrics;

/// How much of the body of a refusal is read.
const MAX_REFUSAL: usize = 64 << 10;
/// How long the body of a refusal may take.
const REFUSAL_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// An API server behind a connection.
pub(crate) struct HttpApi {
    connection: Connection,
    metrics: KubernetesMetrics,
}

// === impl HttpApi ===

impl HttpApi {
    /// The API server behind `connection`.
    pub(crate) fn new(connection: Connection, metrics: KubernetesMetrics) -> Self {
        Self {
            connection,
            metrics,
        }
    }

    async fn exchange(
        &self,
        request: &Request,
    ) -> Result<http::Response<kube::client::Body>, ApiError> {
        let (client, mut headers) = self.connection.client().await?;
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        // A watch must never be compressed: each event would wait for the compressor's buffer.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let mut message = http::Request::get(request.path_and_query())
            .body(kube::client::Body::empty())
            .map_err(|error| ApiError::Setup(format!("cannot build the request: {error}")))?;
        *message.headers_mut() = headers;
        let server = client.server;
        client
            .kube
            .send(message)
            .await
            .map_err(|error| ApiError::unreachable(&server, cause(&error)))
    }
}

#[async_trait]
impl Api for HttpApi {
    async fn send(&self, request: &Request) -> Result<Body, ApiError> {
        let answer = match self.exchange(request).await {
            Ok(answer) => answer,
            Err(error) => {
                self.metrics.request(None);
                self.connection.discard().await;
                return Err(error);
            }
        };
        let status = answer.status();
        self.metrics.request(Some(status.as_u16()));
        if status == StatusCode::OK {
            let pieces = answer.into_body().into_data_stream();
            return Ok(pieces
                .map_err(|error| ApiError::transport(cause(&error)))
                .boxed());
        }
        if status == StatusCode::UNAUTHORIZED {
            self.connection.discard().await;
        }
        let (head, body) = answer.into_parts();
        let body = read_refusal(body).await;
        Err(ApiError::Refused(refusal(
            status,
            &head.headers,
            &body,
            request,
        )))
    }
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
    let seconds = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    if let Some(seconds) = seconds {
        refusal.retry_after = Some(std::time::Duration::from_secs(seconds));
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
        Call::Watch { .. } => "watch",
    };
    format!("the account needs the permission to `{verb}` {collection}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

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
