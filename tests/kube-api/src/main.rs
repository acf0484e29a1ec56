//! `periplus-kube-api`: the stand-in API server as a process, filled with Pods that come and go.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use periplus_kube_api::load::{Churn, Load};
use periplus_kube_api::{KubeApi, Options};
use tokio::signal::unix::{SignalKind, signal};

/// A stand-in for the Kubernetes API server, filled with nodes and with Pods that come and go.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen; port 0 picks one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Write a kubeconfig that leads here
    #[arg(long)]
    kubeconfig: Option<PathBuf>,
    /// Number of Pods
    #[arg(long, default_value_t = 300)]
    pods: usize,
    /// Number of nodes
    #[arg(long, default_value_t = 5)]
    nodes: usize,
    /// Number of namespaces
    #[arg(long, default_value_t = 6)]
    namespaces: usize,
    /// Pods created, changed or deleted per second
    #[arg(long, default_value_t = 2.0)]
    churn_per_second: f64,
    /// Decides the objects and the order of changes
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    let options = Options {
        listen: arguments.listen,
        ..Options::default()
    };
    let api = KubeApi::start(options)
        .await
        .with_context(|| format!("failed to listen on `{}`", arguments.listen))?;
    let load = Load {
        pods: arguments.pods,
        nodes: arguments.nodes,
        namespaces: arguments.namespaces,
        seed: arguments.seed,
    };
    load.fill(&api);
    if let Some(path) = &arguments.kubeconfig {
        write_atomically(path, &api.kubeconfig())
            .with_context(|| format!("failed to write `{}`", path.display()))?;
    }
    writeln!(std::io::stdout(), "{}", api.url())?;

    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        () = Churn::new(load).run(&api, arguments.churn_per_second) => {}
        _ = terminate.recv() => {}
        result = tokio::signal::ctrl_c() => result?,
    }
    Ok(())
}

/// Whoever waits for the file must never see half of it.
fn write_atomically(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    let mut next = path.as_os_str().to_owned();
    next.push(".next");
    std::fs::write(&next, text)?;
    std::fs::rename(&next, path)
}
