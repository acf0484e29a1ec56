//! `/explain`: why is this target here, or not? And what would other rules make of it?

mod way;

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Form, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use maud::{Markup, html};
use periplus_core::relabel::{RawRule, Rule};
use serde::Deserialize;

use super::layout::{Desk, Page, sorry};
use super::words::{address, count, value};
use crate::api::explain::Explained;
use crate::error::ApiError;
use crate::state::App;

/// Bytes of rules that are tried.
const MOST_RULES: usize = 64 << 10;

/// A target, and rules to try on it.
#[derive(Deserialize)]
pub(super) struct Trial {
    job: String,
    target: String,
    /// A list as under `relabel_configs`, as YAML.
    rules: String,
}

/// The way of a target through its job.
pub(super) async fn page(
    State(app): State<Arc<App>>,
    Extension(desk): Extension<Desk>,
    uri: Uri,
) -> Response {
    let mut asked = (String::new(), String::new());
    for (name, text) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        match &*name {
            "job" => asked.0 = text.into_owned(),
            "target" => asked.1 = text.trim().to_owned(),
            _ => {}
        }
    }
    let (job, target) = asked;
    if target.is_empty() {
        let body = html! { p { "Name a job, and a target by its address or instance." } (form(&job, &target)) };
        return laid_out(&app, &[], body);
    }
    let explained = match Explained::find(&app, &job, &target, None).await {
        Ok(explained) => explained,
        Err(error) => return refused(&app, &error),
    };
    let body = html! {
        (form(&job, &target))
        (shown(&explained))
        @if desk == Desk::Admin { (trial(&explained, &job, &target)) }
        @else { p.faint { "On the listener for administration this page has a box to try other rules." } }
    };
    let api = [address(
        "/api/v1/explain",
        &[("job", &job), ("target", &target)],
    )];
    laid_out(&app, &api, body)
}

/// The way of a target through other rules. Nothing is changed.
pub(super) async fn tried(
    State(app): State<Arc<App>>,
    Form(Trial { job, target, rules }): Form<Trial>,
) -> Response {
    let compiled = match read(&app, &job, &rules) {
        Ok(compiled) => compiled,
        Err(message) => {
            let body = html! {
                p.problem role="alert" { (message) }
                (rules_form(&job, &target, &rules))
            };
            return laid_out(&app, &[], body);
        }
    };
    match Explained::find(&app, &job, &target, Some(compiled)).await {
        Ok(explained) => {
            let body = html! {
                p { "What the rules below would make of it. Nothing was changed." }
                (rules_form(&job, &target, &rules))
                (shown(&explained))
            };
            laid_out(&app, &[], body)
        }
        Err(error) => refused(&app, &error),
    }
}

/// Rules as they would stand in the job.
fn read(app: &App, job: &str, text: &str) -> Result<Vec<Rule>, String> {
    if text.len() > MOST_RULES {
        return Err(format!("the rules have more than {MOST_RULES} bytes"));
    }
    let raw: Vec<RawRule> = match text.trim() {
        "" => Vec::new(),
        text => serde_saphyr::from_str(text).map_err(|error| error.to_string())?,
    };
    let directory = app.directory();
    let Some(handle) = directory.jobs.get(job) else {
        return Err(format!("there is no job `{job}` now"));
    };
    let scheme = handle.snapshots.borrow().job.name_scheme;
    let rules = raw.iter().enumerate().map(|(index, raw)| {
        Rule::new(raw, scheme).map_err(|error| format!("rule {}: {error}", index + 1))
    });
    rules.collect()
}

fn laid_out(app: &App, api: &[String], body: Markup) -> Response {
    Page {
        title: "Explain a target",
        path: "/explain",
        api,
        body,
    }
    .answer(app)
}

fn refused(app: &App, error: &ApiError) -> Response {
    let status = error.status();
    let status = if status.is_server_error() {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        status
    };
    sorry(app, status, "/explain", error.message())
}

fn form(job: &str, target: &str) -> Markup {
    html! {
        form.filter role="search" {
            label { "Job" input name="job" value=(job) required; }
            label { "Target" input name="target" value=(target) required placeholder="10.0.0.1:9100"; }
            button { "Explain" }
        }
    }
}

fn shown(explained: &Explained) -> Markup {
    html! {
        @if explained.total > explained.targets.len() {
            p { (count(explained.total)) " targets have this address; the first " (count(explained.targets.len())) " are explained." }
        }
        @for target in &explained.targets { (way::of(target)) }
    }
}

fn trial(explained: &Explained, job: &str, target: &str) -> Markup {
    let rules = explained.targets.first().map(|target| {
        let rules: Vec<&RawRule> = target.steps.iter().map(|step| &step.rule).collect();
        serde_saphyr::to_string(&rules).unwrap_or_default()
    });
    html! {
        h2 { "Try other rules" }
        (rules_form(job, target, rules.as_deref().unwrap_or_default()))
    }
}

fn rules_form(job: &str, target: &str, rules: &str) -> Markup {
    html! {
        form method="post" action="/explain" {
            input type="hidden" name="job" value=(job);
            input type="hidden" name="target" value=(target);
            label { "relabel_configs for " (value(target)) textarea name="rules" spellcheck="false" { (rules) } }
            p { button { "Try" } }
        }
    }
}
