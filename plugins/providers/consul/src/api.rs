//! Requests to Consul's HTTP API, and what its answers say of themselves.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use periplus_sdk::Failure;
use periplus_sdk::http::{Request, Response};
use periplus_sdk::serde_json;
use serde::de::DeserializeOwned;

use crate::config::Config;

/// How long Consul may hold a request back until there is news.
const WAIT: Duration = Duration::from_mins(2);
/// Beyond the wait: Consul adds up to a sixteenth of it, and answers travel.
const PATIENCE: Duration = Duration::from_secs(15);
/// What may stand in a path as it is.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/');

/// An answer of a query that can wait.
pub(crate) struct News<T> {
    pub(crate) value: T,
    /// `X-Consul-Index`; 0 where there is none.
    pub(crate) index: u64,
}

/// `GET /v1/agent/self`: which datacenter the agent is of.
pub(crate) fn agent(base: &str, config: &Config) -> Request {
    get(config, format!("{base}/v1/agent/self"))
}

/// The catalogue's services with their tags, held back until its index is past `index`.
pub(crate) fn services(base: &str, config: &Config, index: Option<u64>) -> Request {
    let query = query(config, index, &config.filter, &[]);
    get(config, format!("{base}/v1/catalog/services?{query}"))
}

/// The instances of a service, likewise.
pub(crate) fn health(base: &str, config: &Config, service: &str, index: Option<u64>) -> Request {
    let query = query(config, index, &config.health_filter, &config.tags);
    let service = utf8_percent_encode(service, PATH);
    get(
        config,
        format!("{base}/v1/health/service/{service}?{query}"),
    )
}

/// Reads an answer, or says why it is none.
pub(crate) fn news<T: DeserializeOwned>(
    outcome: Result<Response, Failure>,
) -> Result<News<T>, String> {
    let response = outcome.map_err(|failure| failure.message)?;
    if response.status != 200 {
        let body = String::from_utf8_lossy(&response.body);
        let body: String = body.trim().chars().take(200).collect();
        return Err(format!(
            "Unexpected response code: {} ({body})",
            response.status
        ));
    }
    let index = response.header("x-consul-index").unwrap_or("0");
    let index = index
        .parse()
        .map_err(|_| format!("failed to parse X-Consul-Index: `{index}` is no number"))?;
    let value = serde_json::from_slice(&response.body)
        .map_err(|error| format!("the answer is not what Consul answers: {error}"))?;
    Ok(News { value, index })
}

fn query(config: &Config, index: Option<u64>, filter: &str, tags: &[String]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let plain = [
        ("dc", &config.datacenter),
        ("ns", &config.namespace),
        ("partition", &config.partition),
    ];
    for (name, value) in plain {
        if !value.is_empty() {
            query.append_pair(name, value);
        }
    }
    if config.allow_stale {
        query.append_pair("stale", "");
    }
    if let Some(index) = index {
        query.append_pair("index", &index.to_string());
        query.append_pair("wait", &format!("{}ms", WAIT.as_millis()));
    }
    for (name, value) in &config.node_meta {
        query.append_pair("node-meta", &format!("{name}:{value}"));
    }
    if !filter.is_empty() {
        query.append_pair("filter", filter);
    }
    for tag in tags {
        query.append_pair("tag", tag);
    }
    query.finish()
}

fn get(config: &Config, url: String) -> Request {
    let request = Request::get(url).timeout(WAIT + PATIENCE);
    if config.token.is_empty() {
        request
    } else {
        request.header("x-consul-token", &config.token)
    }
}
