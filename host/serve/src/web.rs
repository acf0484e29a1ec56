//! What a listener demands of its readers: exporter-toolkit's web configuration file.
//!
//! ```text
//! file --Material::read--> texts and files --Settings::new--> checked --watch--> handshakes, requests
//!   ^                                                            |
//!   +--- looked at every second; what is bad changes nothing <---+
//! ```
//!
//! Every handshake and every request takes the settings of its moment, so a new certificate reaches
//! new connections and leaves those that are open.

mod auth;
mod cipher;
mod client;
mod error;
mod file;
mod limit;
mod settings;
mod tls;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::{Router, http::StatusCode};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::auth::Checks;
pub use self::error::WebConfigError;
use self::file::Material;
use self::limit::Limit;
use self::settings::Settings;
pub(crate) use self::tls::Tls;

/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(1);

/// What a look at the files found, or why it found nothing.
type Seen = Result<Material, String>;

/// A web configuration file and what it says now. Cheap to clone; clones see the same.
#[derive(Clone)]
pub struct WebConfig(Arc<Shared>);

struct Shared {
    file: PathBuf,
    settings: watch::Sender<Arc<Settings>>,
    checks: Checks,
    /// What was read first, for [`WebConfig::follow`] to compare with.
    first: Material,
}

// === impl WebConfig ===

impl WebConfig {
    /// Reads and checks the file and all files that it names.
    pub async fn load(file: &Path) -> Result<Self, WebConfigError> {
        let material = read(file).await?;
        let settings = Settings::new(file, &material)?;
        Ok(Self(Arc::new(Shared {
            file: file.to_owned(),
            settings: watch::Sender::new(Arc::new(settings)),
            checks: Checks::default(),
            first: material,
        })))
    }

    /// Whether listeners speak TLS. This does not change while they are open.
    pub fn is_tls(&self) -> bool {
        self.settings().tls.is_some()
    }

    /// Whether readers have to say who they are, by password or by a certificate that is checked.
    pub fn authenticates(&self) -> bool {
        let settings = self.settings();
        let by_certificate = settings.tls.as_ref().is_some_and(Tls::authenticates);
        by_certificate || !settings.users.is_empty()
    }

    /// What the file says without effect, for the log.
    pub fn notes(&self) -> Vec<String> {
        self.settings().notes.clone()
    }

    /// Reads the files again when they change, until `stop`. A bad file changes nothing and is told
    /// in the log.
    pub async fn follow(&self, stop: CancellationToken) {
        let mut last = Ok(self.0.first.clone());
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => last = self.look(last).await,
            }
        }
    }

    /// Reads the files and takes what differs from the last time; returns what was read.
    async fn look(&self, last: Seen) -> Seen {
        let read = read(&self.0.file).await;
        let seen = match &read {
            Ok(material) => Ok(material.clone()),
            Err(error) => Err(error.with_cause()),
        };
        if seen == last {
            return seen;
        }
        match read.and_then(|material| self.change(&material)) {
            Ok(()) => tracing::info!(file = %self.0.file.display(), "Web configuration read again"),
            Err(error) => tracing::error!(
                error = error.with_cause(),
                "Web configuration refused, the old one stays"
            ),
        }
        seen
    }

    /// Puts the file's demands on every request before a router's own handlers.
    pub fn protect(&self, router: Router) -> Router {
        router.layer(from_fn_with_state(self.clone(), admit))
    }

    /// What holds at this moment.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.0.settings.borrow())
    }

    fn change(&self, material: &Material) -> Result<(), WebConfigError> {
        let settings = Settings::new(&self.0.file, material)?;
        if settings.tls.is_some() != self.is_tls() {
            return Err(WebConfigError::Invalid {
                file: self.0.file.clone(),
                reason: "TLS cannot be switched on or off while listeners are open; restart".into(),
            });
        }
        for note in &settings.notes {
            tracing::warn!(note, "Web configuration warning");
        }
        self.0.settings.send_replace(Arc::new(settings));
        Ok(())
    }
}

impl std::fmt::Debug for WebConfig {
    /// Keys and hashes stay out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("WebConfig").field(&self.0.file).finish()
    }
}

async fn read(file: &Path) -> Result<Material, WebConfigError> {
    let path = file.to_owned();
    let reading = tokio::task::spawn_blocking(move || Material::read(&path)).await;
    reading.unwrap_or_else(|error| {
        Err(WebConfigError::Read {
            file: file.to_owned(),
            key: None,
            source: std::io::Error::other(error),
        })
    })
}

/// Checks one request and adds the configured headers to its answer.
async fn admit(State(web): State<WebConfig>, request: Request, next: Next) -> Response {
    let settings = web.settings();
    let allowed = settings.limit.as_ref().is_none_or(Limit::take);
    let mut response = if !allowed {
        auth::plain(StatusCode::TOO_MANY_REQUESTS)
    } else if web
        .0
        .checks
        .admits(&settings.users, request.headers())
        .await
    {
        next.run(request).await
    } else {
        auth::unauthorized()
    };
    for (name, value) in &settings.headers {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

#[cfg(test)]
mod tests;
