//! Logs on standard error, as the environment asks for them.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// What is logged unless `PERIPLUS_LOG` says otherwise, in the syntax of `tracing_subscriber`.
///
/// kube logs each failed connection as an error, beside the warning of our own driver.
const DEFAULT_FILTER: &str = "info,kube_client=off";

/// Starts logging. `PERIPLUS_LOG` (else `RUST_LOG`) is the filter; `PERIPLUS_LOG_FORMAT=json`
/// writes one JSON object a line.
pub(crate) fn init() {
    let filter = ["PERIPLUS_LOG", "RUST_LOG"]
        .iter()
        .find_map(|name| std::env::var(name).ok())
        .map_or_else(|| EnvFilter::new(DEFAULT_FILTER), EnvFilter::new);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if std::env::var("PERIPLUS_LOG_FORMAT").is_ok_and(|format| format == "json") {
        builder.json().init();
    } else {
        builder.init();
    }
}
