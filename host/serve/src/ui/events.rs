//! `GET /ui/events`: tells pages that something moved, so that they fetch their live parts again.

use std::convert::Infallible;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use futures::stream;
use rustc_hash::FxHasher;
use tokio::sync::watch;

use crate::error::ApiError;
use crate::follow::Stopping;
use crate::state::App;

/// How often what pages show is looked at, while anybody watches.
const LOOK: Duration = Duration::from_secs(1);

/// One look for all pages that watch: none while nobody does.
#[derive(Debug, Default)]
pub(crate) struct Pulse(Mutex<Weak<watch::Sender<u64>>>);

/// A stream that says `change` whenever something that a page may show has changed.
pub(super) async fn events(
    State(app): State<Arc<App>>,
    stopping: Option<Extension<Stopping>>,
) -> Result<Response, ApiError> {
    let Some(place) = app.held.take() else {
        return Err(ApiError::unavailable("too many readers wait already"));
    };
    let Extension(Stopping(stop)) = stopping.unwrap_or_default();
    let beat = app.pulse.watch(&app);
    let changes = stream::unfold(
        (beat.subscribe(), beat, place),
        |(mut seen, beat, place)| async move {
            let stamp = match seen.changed().await {
                Ok(()) => *seen.borrow_and_update(),
                Err(_) => return None,
            };
            let event = Event::default().event("change").data(format!("{stamp:x}"));
            Some((Ok::<_, Infallible>(event), (seen, beat, place)))
        },
    );
    let changes = changes.take_until(stop.cancelled_owned());
    Ok(Sse::new(changes)
        .keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
        .into_response())
}

// === impl Pulse ===

impl Pulse {
    /// The beat that goes on as long as somebody holds it.
    fn watch(&self, app: &Arc<App>) -> Arc<watch::Sender<u64>> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(beat) = running.upgrade() {
            return beat;
        }
        let beat = Arc::new(watch::Sender::new(stamp(app)));
        *running = Arc::downgrade(&beat);
        tokio::spawn(look(Arc::downgrade(app), Arc::downgrade(&beat)));
        beat
    }
}

async fn look(app: Weak<App>, beat: Weak<watch::Sender<u64>>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let (Some(app), Some(beat)) = (app.upgrade(), beat.upgrade()) else {
            return;
        };
        let now = stamp(&app);
        beat.send_if_modified(|before| std::mem::replace(before, now) != now);
    }
}

/// Changes with what pages show of jobs, providers, plugins and the configuration.
fn stamp(app: &App) -> u64 {
    let mut hasher = FxHasher::default();
    for (name, job) in &app.directory().jobs {
        let snapshot = job.snapshots.borrow();
        name.hash(&mut hasher);
        snapshot.version.0.hash(&mut hasher);
        (snapshot.known, snapshot.missing.len()).hash(&mut hasher);
        (snapshot.stale.is_some(), snapshot.frozen).hash(&mut hasher);
    }
    for provider in app.manager.providers() {
        provider.name.hash(&mut hasher);
        provider.last_success.hash(&mut hasher);
        provider.last_error.hash(&mut hasher);
        (provider.groups, provider.targets, provider.synced).hash(&mut hasher);
    }
    for plugin in app.plugins.plugins() {
        plugin.state.hash(&mut hasher);
        plugin.digest.hash(&mut hasher);
        (plugin.calls, plugin.traps, plugin.instances).hash(&mut hasher);
    }
    app.reload.last().map(|last| last.at).hash(&mut hasher);
    hasher.finish()
}
