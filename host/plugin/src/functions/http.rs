//! `http` for providers.

use std::time::Duration;

use periplus_http::{EgressError, EgressRequest, EgressResponse};

use crate::bindings::provider::periplus::discovery::http::{Answer, Host, Request, Response};
use crate::bindings::provider::periplus::discovery::types::{self, Failure, FailureKind};
use crate::functions::requests::Ended;
use crate::store::GuestState;

impl types::Host for GuestState {}

impl Host for GuestState {
    async fn send(&mut self, request: Request) -> wasmtime::Result<Result<Response, Failure>> {
        let (client, request) = match self.request(request) {
            Ok(both) => both,
            Err(failure) => return Ok(Err(failure)),
        };
        let secrets = self.secrets();
        let outcome = secrets.scrub(client.send(request).await);
        Ok(outcome.map(response).map_err(failure))
    }

    async fn start(&mut self, request: Request) -> wasmtime::Result<u32> {
        Ok(match self.request(request) {
            Ok((client, request)) => {
                let secrets = self.secrets();
                self.requests
                    .start(async move { secrets.scrub(client.send(request).await) })
            }
            Err(Failure { message, .. }) => self.requests.fail(EgressError {
                kind: periplus_http::FailureKind::Denied,
                message,
            }),
        })
    }

    async fn next(&mut self, timeout_ms: u32) -> wasmtime::Result<Option<Answer>> {
        let timeout = Duration::from_millis(timeout_ms.into());
        Ok(self
            .requests
            .next(timeout)
            .await
            .map(|Ended { ticket, outcome }| Answer {
                ticket,
                outcome: outcome.map(response).map_err(failure),
            }))
    }

    async fn abandon(&mut self, ticket: u32) -> wasmtime::Result<()> {
        self.requests.abandon(ticket);
        Ok(())
    }
}

impl GuestState {
    fn request(
        &self,
        request: Request,
    ) -> Result<(std::sync::Arc<periplus_http::EgressClient>, EgressRequest), Failure> {
        let outside = self.outside.as_ref().ok_or_else(closed)?;
        if let Some(name) = request.credential {
            return Err(Failure {
                kind: FailureKind::Invalid,
                message: format!("credential `{name}`: not offered by this host yet"),
            });
        }
        let mut request = EgressRequest {
            method: request.method,
            url: request.url,
            headers: request.headers,
            body: request.body,
            timeout: request
                .timeout_ms
                .map(|ms| Duration::from_millis(ms.into())),
            is_bound: false,
        };
        outside
            .secrets
            .put_in(&mut request, &outside.own)
            .map_err(failure)?;
        Ok((std::sync::Arc::clone(&outside.http), request))
    }
}

impl GuestState {
    fn secrets(&self) -> std::sync::Arc<crate::secrets::Secrets> {
        self.outside
            .as_ref()
            .map(|outside| std::sync::Arc::clone(&outside.secrets))
            .unwrap_or_default()
    }
}

/// For calls before the doors are open.
pub(super) fn closed() -> Failure {
    Failure {
        kind: FailureKind::Denied,
        message: "nothing outside may be reached by `describe` and `configure`".to_owned(),
    }
}

fn response(response: EgressResponse) -> Response {
    let EgressResponse {
        status,
        headers,
        body,
    } = response;
    Response {
        status,
        headers,
        body,
    }
}

fn failure(error: EgressError) -> Failure {
    use periplus_http::FailureKind as Kind;
    let kind = match error.kind {
        Kind::Denied => FailureKind::Denied,
        Kind::Invalid => FailureKind::Invalid,
        Kind::Timeout => FailureKind::Timeout,
        Kind::TooLarge => FailureKind::TooLarge,
        Kind::Other => FailureKind::Other,
    };
    Failure {
        kind,
        message: error.message,
    }
}
