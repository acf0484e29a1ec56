//! The client settings of `prometheus.yml`, each against real servers on loopback.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

#[path = "settings/certificates.rs"]
mod certificates;
#[path = "settings/headers.rs"]
mod headers;
#[path = "settings/oauth2.rs"]
mod oauth2;
#[path = "settings/proxy.rs"]
mod proxy;
#[path = "settings/server.rs"]
mod server;
#[path = "settings/tls.rs"]
mod tls;

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use futures::future::BoxFuture;
use periplus_config::HttpClientConfig;
use periplus_http::{
    ClientSettings, EgressClient, EgressError, EgressOptions, EgressRequest, EgressResponse,
    NameResolver, Origin, OriginPolicy,
};
use url::Url;

/// A resolver that finds every name on this machine.
struct Here;

impl NameResolver for Here {
    fn lookup(&self, _: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async { Ok(vec!["127.0.0.1".parse().unwrap()]) })
    }
}

/// A client as a source has one for its own URL.
fn client(config: HttpClientConfig, url: &str) -> EgressClient {
    let origin = Origin::of(&Url::parse(url).unwrap()).unwrap();
    EgressClient::new(EgressOptions {
        settings: ClientSettings::new(config).unwrap(),
        resolver: Arc::new(Here),
        ..EgressOptions::new(OriginPolicy::of_source(origin))
    })
}

async fn get(client: &EgressClient, url: &str) -> Result<EgressResponse, EgressError> {
    let request = EgressRequest {
        method: "GET".to_owned(),
        url: url.to_owned(),
        ..EgressRequest::default()
    };
    client.send(request).await
}

/// One request with these settings; what it said if it failed.
async fn once(config: HttpClientConfig, url: &str) -> Result<u16, String> {
    let answer = get(&client(config, url), url).await;
    answer.map(|it| it.status).map_err(|error| error.message)
}

/// Parameters of a form or query.
fn parameters(text: &str) -> HashMap<String, String> {
    url::form_urlencoded::parse(text.as_bytes())
        .into_owned()
        .collect()
}
