//! Listeners: opening them, and saying how far they are open.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use periplus_serve::WebConfig;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::args::AdminListen;

/// Where a listener listens, and how it speaks.
pub(crate) struct Listening {
    pub(crate) address: SocketAddr,
    is_tls: bool,
}

/// Binds an address.
pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    listener.with_context(|| format!("failed to listen on `{address}`"))
}

/// The same for a listener that there need not be.
pub(crate) async fn open_if_given(
    address: Option<SocketAddr>,
) -> anyhow::Result<Option<TcpListener>> {
    match address {
        Some(address) => open(address).await.map(Some),
        None => Ok(None),
    }
}

/// Binds the listener for administration, if there is to be one. Its usual port may be taken, as by
/// another instance: nobody has asked for it, so that does not keep the host from serving.
pub(crate) async fn open_admin(listen: AdminListen) -> anyhow::Result<Option<TcpListener>> {
    let AdminListen::At(address) = listen else {
        return Ok(None);
    };
    match open(address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if listen == AdminListen::DEFAULT => {
            warn!(
                error = %format!("{error:#}"),
                "Administration is not served (`--admin-listen ADDRESS` serves it elsewhere); \
                 `SIGHUP` reloads the configuration"
            );
            Ok(None)
        }
        Err(error) => Err(error.context("administration cannot be served (`--admin-listen`)")),
    }
}

/// Reads what `--web.config.file` names, and tells of what has no effect in it.
pub(crate) async fn load_web(file: Option<&Path>) -> anyhow::Result<Option<WebConfig>> {
    let Some(file) = file else {
        return Ok(None);
    };
    let web = WebConfig::load(file).await?;
    for note in web.notes() {
        warn!(file = %file.display(), note, "Web configuration warning");
    }
    Ok(Some(web))
}

/// Keeps a web configuration up to date until `stop`.
pub(crate) async fn follow(web: Option<WebConfig>, stop: CancellationToken) {
    match web {
        Some(web) => web.follow(stop).await,
        None => stop.cancelled().await,
    }
}

/// Where a listener listens; warns of readers from elsewhere who have to show nothing.
pub(crate) fn describe(
    listener: &TcpListener,
    web: Option<&WebConfig>,
) -> anyhow::Result<Listening> {
    let address = listener
        .local_addr()
        .context("failed to read the listener's address")?;
    let is_tls = web.is_some_and(WebConfig::is_tls);
    if !address.ip().to_canonical().is_loopback() {
        if !web.is_some_and(WebConfig::authenticates) {
            warn!(
                %address,
                "Listening beyond loopback without authentication: whoever reaches this address \
                 reads every label (`--web.config.file` asks for passwords or certificates)"
            );
        }
        if !is_tls {
            warn!(
                %address,
                "Listening beyond loopback without TLS: what is sent can be read and changed on \
                 the way (`--web.config.file`)"
            );
        }
    }
    Ok(Listening { address, is_tls })
}

// === impl Listening ===

impl Listening {
    /// How to reach it.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }
}
