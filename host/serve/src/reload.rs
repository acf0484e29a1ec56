//! `POST /-/reload`, and the channel by which it reaches the binary.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::sync::{mpsc, oneshot};

use crate::error::ApiError;
use crate::state::App;

/// Requests that wait while a reload runs; further ones wait in their handlers.
const WAITING: usize = 4;

/// Asks the owner of the configuration for a reload. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ReloadHandle {
    requests: mpsc::Sender<ReloadRequest>,
    last: Arc<Mutex<Option<LastReload>>>,
}

/// How the last reload went.
#[derive(Clone, Debug)]
pub(crate) struct LastReload {
    pub(crate) at: SystemTime,
    /// Nothing, or the text of all errors; then nothing was changed.
    pub(crate) outcome: Result<(), String>,
}

/// A request to read the configuration again.
#[derive(Debug)]
pub struct ReloadRequest {
    /// Takes the outcome: nothing, or the text of all errors. Nobody may be waiting any more.
    pub answer: oneshot::Sender<Result<(), String>>,
}

/// A handle, and the requests that come through it and its clones.
pub fn reload_channel() -> (ReloadHandle, mpsc::Receiver<ReloadRequest>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let handle = ReloadHandle {
        requests: sender,
        last: Arc::default(),
    };
    (handle, receiver)
}

// === impl ReloadHandle ===

impl ReloadHandle {
    /// Reloads and waits for the outcome; none if the host is stopping.
    pub async fn reload(&self) -> Option<Result<(), String>> {
        let (answer, outcome) = oneshot::channel();
        self.requests.send(ReloadRequest { answer }).await.ok()?;
        outcome.await.ok()
    }

    /// Notes how a reload went, whoever asked for it.
    pub fn note(&self, outcome: &Result<(), String>) {
        let last = LastReload {
            at: SystemTime::now(),
            outcome: outcome.clone(),
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }

    pub(crate) fn last(&self) -> Option<LastReload> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }
}

/// 200 after a good reload; 500 with the text of all errors after one that changed nothing.
pub(crate) async fn reload(State(app): State<Arc<App>>) -> Response {
    match app.reload.reload().await {
        Some(Ok(())) => "The configuration was reloaded.\n".into_response(),
        Some(Err(text)) => {
            let text = format!("failed to reload the configuration:\n{}\n", text.trim_end());
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
        None => ApiError::unavailable("the host is stopping").into_response(),
    }
}
