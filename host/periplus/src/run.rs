//! `periplus run`: the parts started, joined and stopped in order.

use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, bail};
use periplus_discovery::ManagerHandle;
use periplus_serve::{
    About, OtelFront, Routes, SdFiles, ServeMetrics, ServeState, reload_channel, routes,
    serve_secured, write_files,
};
use prometheus_client::registry::Registry;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::args::RunArgs;
use crate::discovery::{Discovery, discovery};
use crate::listening::{self, Listening};
use crate::open_files;
use crate::reload::{ReloadMetrics, Reloader};

/// Runs until a signal, or until a vital part ends.
pub(crate) async fn run(args: RunArgs) -> anyhow::Result<()> {
    let started = SystemTime::now();
    let web = listening::load_web(args.web_config.as_deref()).await?;
    // First of all, so that a port in use is said before anything else is started.
    let listener = listening::open(args.listen).await?;
    let otel_listener = listening::open_if_given(args.otel_listen).await?;
    let admin_listener = listening::open_admin(args.admin_listen).await?;
    let files = args.sd_files.files();
    files.as_ref().map(prepare).transpose()?;

    let mut registry = Registry::default();
    let Discovery {
        manager,
        handle,
        plugins,
    } = discovery(&args, &mut registry)?;
    let serve_metrics = ServeMetrics::register(&mut registry);
    let reload_metrics = ReloadMetrics::register(&mut registry);
    let (reload, requests) = reload_channel();

    let stop = CancellationToken::new();
    let mut vital: JoinSet<(&'static str, anyhow::Result<()>)> = JoinSet::new();
    let following = listening::follow(web.clone(), stop.clone());
    vital.spawn(named("web configuration", async_ok(following)));
    vital.spawn(named("manager", async_ok(manager.run(stop.clone()))));

    let (allocator, settings) = watch::channel(None);
    let reloader = Reloader {
        config: args.config.path.clone(),
        load: args.load.clone(),
        plugins: Arc::clone(&plugins),
        manager: handle.clone(),
        metrics: reload_metrics,
        outcomes: reload.clone(),
        allocator,
    };
    if let Err(errors) = reloader.reload().await {
        bail!("the configuration is not valid:\n{errors}");
    }
    vital.spawn(named("reloader", reloader.run(requests, stop.clone())));

    let otel = OtelFront::start(handle.clone(), settings, serve_metrics.clone());
    let collectors = otel.router();
    if let Some(files) = files {
        let files = write_files(handle.clone(), files, serve_metrics.clone(), stop.clone());
        vital.spawn(named("files", async_ok(files)));
    }

    let state = ServeState {
        manager: handle.clone(),
        plugins,
        registry: Arc::new(registry),
        metrics: serve_metrics,
        reload,
        ready_timeout: args.ready_timeout,
        removed_grace: args.removed_grace,
        body_cache_bytes: ServeState::DEFAULT_BODY_CACHE_BYTES,
        otel,
        about: About {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started,
            config_file: args.config.path.clone(),
        },
    };
    let Routes { readers, admin } = routes(state, args.admin_hosts.clone());
    let limits = open_files::raise();
    let mut beside = |name, listener, router| {
        let at = listening::describe(&listener, web.as_ref())?;
        info!(address = %at.address, url = at.url(), "Serving {name}");
        let front = serve_secured(listener, router, web.clone(), stop.clone(), limits);
        vital.spawn(named(name, async_ok(front)));
        anyhow::Ok(())
    };
    if let Some(listener) = otel_listener {
        beside("collectors", listener, collectors)?;
    }
    if let Some(listener) = admin_listener {
        beside("administration", listener, admin)?;
    }
    let at = listening::describe(&listener, web.as_ref())?;
    announce(&at, &args, &handle);
    let fronts = serve_secured(listener, readers, web, stop.clone(), limits);
    vital.spawn(named("fronts", async_ok(fronts)));

    end(vital, stop).await
}

/// Waits for the end and brings it about for every part.
async fn end(
    mut vital: JoinSet<(&'static str, anyhow::Result<()>)>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let ended = wait_for_end(&mut vital).await?;
    stop.cancel();
    drain(vital).await;
    let Some((name, outcome)) = ended else {
        return Ok(());
    };
    outcome.with_context(|| format!("the {name} failed"))?;
    bail!("the {name} ended by itself, so the host stops")
}

/// Finds out whether files can be written, before anything is started.
fn prepare(files: &SdFiles) -> anyhow::Result<()> {
    let directory = files.directory.display();
    files.prepare().with_context(|| {
        format!("failed to prepare `{directory}` (`--sd-files-dir`) for files of targets")
    })
}

/// Says where to read, once; on the standard error, with the log.
fn announce(at: &Listening, args: &RunArgs, manager: &ManagerHandle) {
    let jobs = manager.directory().borrow().jobs.len();
    let config = args.config.path.display();
    info!(address = %at.address, url = at.url(), jobs, %config, "Serving");
}

/// Ends at the first signal (`None`) or with the first vital part that ended.
async fn wait_for_end(
    vital: &mut JoinSet<(&'static str, anyhow::Result<()>)>,
) -> anyhow::Result<Option<(&'static str, anyhow::Result<()>)>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("failed to watch for signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("failed to watch for signals")?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        ended = vital.join_next() => {
            return match ended {
                Some(Ok(ended)) => Ok(Some(ended)),
                Some(Err(error)) => Err(anyhow::Error::new(error).context("a vital task panicked")),
                None => Ok(None),
            };
        }
    }
    info!("Stopping");
    Ok(None)
}

/// Waits until every part has ended; a second signal cuts that short.
async fn drain(mut vital: JoinSet<(&'static str, anyhow::Result<()>)>) {
    let all = async {
        while let Some(ended) = vital.join_next().await {
            if let Ok((name, Err(error))) = ended {
                warn!(part = name, error = %format!("{error:#}"), "Failed while stopping");
            }
        }
    };
    let second = async {
        if let Ok(mut interrupt) = signal(SignalKind::interrupt()) {
            interrupt.recv().await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = all => info!("Stopped"),
        () = second => warn!("Stopped by a second signal, without waiting"),
    }
}

async fn named(
    name: &'static str,
    future: impl Future<Output = anyhow::Result<()>>,
) -> (&'static str, anyhow::Result<()>) {
    (name, future.await)
}

async fn async_ok(future: impl Future<Output = ()>) -> anyhow::Result<()> {
    future.await;
    Ok(())
}
