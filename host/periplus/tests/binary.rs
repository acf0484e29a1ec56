//! The whole binary, as an operator runs it: real processes, real plugins, a stand-in API server.
//! One module per theme; [`lab`] has what they share.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "binary/check.rs"]
mod check;
#[path = "binary/check_discovery.rs"]
mod check_discovery;
#[path = "binary/client.rs"]
mod client;
#[path = "binary/cluster.rs"]
mod cluster;
#[path = "binary/compile.rs"]
mod compile;
#[path = "binary/config.rs"]
mod config;
#[path = "binary/consul.rs"]
mod consul;
#[path = "binary/fronts.rs"]
mod fronts;
#[path = "binary/hot_reload.rs"]
mod hot_reload;
#[path = "binary/http_sd.rs"]
mod http_sd;
#[path = "binary/json_http.rs"]
mod json_http;
#[path = "binary/kubernetes.rs"]
mod kubernetes;
#[path = "binary/kubernetes_jobs.rs"]
mod kubernetes_jobs;
#[path = "binary/lab.rs"]
mod lab;
#[path = "binary/oauth2.rs"]
mod oauth2;
#[path = "binary/otel.rs"]
mod otel;
#[path = "binary/plugins.rs"]
mod plugins;
#[path = "binary/reload.rs"]
mod reload;
#[path = "binary/running.rs"]
mod running;
#[path = "binary/serving.rs"]
mod serving;
#[path = "binary/state.rs"]
mod state;
#[path = "binary/web.rs"]
mod web;
