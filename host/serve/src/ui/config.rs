//! `/config`: what is running, as resolved, and how the last reload went.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use periplus_discovery::Snapshot;

use super::layout::{Desk, Page, live};
use super::words::{Health, address, ago, badge, count, value};
use crate::state::App;

/// Jobs on the page; `periplus config explain` prints all.
const MOST: usize = 200;

pub(super) async fn page(
    State(app): State<Arc<App>>,
    Extension(desk): Extension<Desk>,
) -> Response {
    let directory = app.directory();
    let body = html! {
        @if desk == Desk::Admin { form method="post" action="/-/reload" { button { "Reload the configuration" } } }
        (live("config", html! {
            p { "File: " code { (value(&app.about.config_file.display().to_string())) } ". " (reload(&app)) }
            p {
                (count(directory.jobs.len())) " jobs"
                @if directory.jobs.len() > MOST { "; the first " (count(MOST)) " are shown" }
                ". Sections stand on " a href="/providers" { "the page of providers" } "."
            }
            @for (name, handle) in directory.jobs.iter().take(MOST) { (job(name, &handle.snapshots.borrow())) }
        }))
    };
    Page {
        title: "Configuration",
        path: "/config",
        api: &["/api/v1/status/runtimeinfo".to_owned()],
        body,
    }
    .answer(&app)
}

fn reload(app: &App) -> Markup {
    match app.reload.last() {
        None => html! { "Not reloaded since the start." },
        Some(last) => html! {
            "Last reload " (ago(last.at)) ": "
            @match &last.outcome {
                Ok(()) => (badge(Health::Good, "good")),
                Err(text) => { (badge(Health::Bad, "refused, nothing changed")) pre.problem { (text) } },
            }
        },
    }
}

fn job(name: &str, snapshot: &Snapshot) -> Markup {
    let job = &snapshot.job;
    let rules: Vec<_> = job
        .relabel_rules
        .iter()
        .map(|rule| rule.raw().clone())
        .collect();
    html! {
        details id={ "job-" (name) } {
            summary { (value(name)) span.faint {
                ": " (job.sections.len()) " sections, " (job.transformers.len()) " transformers, " (rules.len()) " rules"
            } }
            p { a href=(address("/targets", &[("job", name)])) { "Its targets" } }
            @if !job.transformers.is_empty() {
                p { "Transformers: " @for (index, it) in job.transformers.iter().enumerate() { @if index > 0 { ", " } (value(&it.plugin)) } }
            }
            @if !rules.is_empty() { pre { (serde_json::to_string_pretty(&rules).unwrap_or_default()) } }
        }
    }
}
