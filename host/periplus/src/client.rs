//! `periplus targets` and `periplus explain`: questions to a host that runs, over its API.

mod explain;
mod targets;

use std::io::Write;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::args::{ClientArgs, OutputFormat};

pub(crate) use explain::explain;
pub(crate) use targets::targets;

/// An answer of the API.
#[derive(Deserialize)]
struct Envelope {
    data: Option<serde_json::Value>,
    error: Option<String>,
}

/// Asks a route, with parameters; the answer's `data`.
async fn ask(
    args: &ClientArgs,
    route: &str,
    parameters: &[(&str, &str)],
) -> anyhow::Result<serde_json::Value> {
    let mut url = args.url.clone();
    let base = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{base}{route}"));
    if !parameters.is_empty() {
        url.query_pairs_mut().extend_pairs(parameters);
    }
    let client = reqwest::Client::builder()
        .user_agent(concat!("periplus/", env!("CARGO_PKG_VERSION")))
        .timeout(args.timeout)
        .build()
        .context("failed to prepare an HTTP client")?;
    let shown = public(&args.url);
    let answer = client.get(url).send().await;
    let answer = answer.map_err(reqwest::Error::without_url);
    let answer = answer.with_context(|| {
        format!("no answer from `{shown}` (does it run? `--url` names another)")
    })?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(reqwest::Error::without_url)?;
    let Ok(Envelope { data, error }) = serde_json::from_slice(&body) else {
        bail!("`{shown}` answered {status} and no JSON: it is not Periplus");
    };
    match (data, error) {
        (Some(data), _) if status.is_success() => Ok(data),
        (_, Some(error)) => bail!("{error}"),
        _ => bail!("`{shown}` answered {status} without saying why"),
    }
}

/// An address without its password.
fn public(url: &Url) -> Url {
    let mut url = url.clone();
    if url.password().is_some() {
        // Cannot fail for an address that has a password already.
        _ = url.set_password(Some("xxxxx"));
    }
    url
}

/// Prints an answer as it came, or in the words of `write`.
fn print<T: DeserializeOwned>(
    data: serde_json::Value,
    format: OutputFormat,
    write: impl FnOnce(&mut dyn Write, &T) -> std::io::Result<()>,
) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match format {
        OutputFormat::Json => {
            serde_json::to_writer_pretty(&mut out, &data)?;
            writeln!(out)?;
        }
        OutputFormat::Table => {
            let data = serde_json::from_value(data).context("the answer is of another version")?;
            write(&mut out, &data)?;
        }
    }
    Ok(())
}

/// Columns as wide as their widest cell, the last one as wide as it is.
fn columns<const N: usize>(
    out: &mut dyn Write,
    indent: usize,
    rows: &[[String; N]],
) -> std::io::Result<()> {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in rows {
        let mut line = " ".repeat(indent);
        for (at, (cell, width)) in row.iter().zip(widths).enumerate() {
            line.push_str(cell);
            if at + 1 < N {
                let missing = width - cell.chars().count() + 2;
                line.extend(std::iter::repeat_n(' ', missing));
            }
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Text of foreign origin for a terminal: without what would steer it.
fn plain(text: &str) -> String {
    let is_harmless = |c: char| !c.is_control();
    if text.chars().all(is_harmless) {
        text.to_owned()
    } else {
        format!("{text:?}")
    }
}
