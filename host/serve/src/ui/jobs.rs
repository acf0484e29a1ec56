//! `/jobs`: each job in numbers.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::layout::{Desk, Page, live, sorry};
use super::words::{Health, address, badge, count, value};
use crate::api::JobStatus;
use crate::state::App;

/// Jobs on one page.
const PAGE: usize = 100;
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// What is asked for.
#[derive(Default)]
struct Asked {
    /// Exactly this job.
    job: Option<String>,
    /// Jobs with this in their names.
    text: String,
    page: usize,
}

pub(super) async fn page(
    State(app): State<Arc<App>>,
    Extension(desk): Extension<Desk>,
    uri: Uri,
) -> Response {
    let asked = Asked::of(uri.query().unwrap_or_default());
    let directory = app.directory();
    if let Some(job) = asked
        .job
        .as_ref()
        .filter(|job| !directory.jobs.contains_key(*job))
    {
        let message = format!("There is no job `{job}` now.");
        return sorry(&app, StatusCode::NOT_FOUND, "/jobs", &message);
    }
    let text = asked.text.to_lowercase();
    let names = directory.jobs.keys().filter(|name| match &asked.job {
        Some(job) => job == *name,
        None => name.to_lowercase().contains(&text),
    });
    let names: Vec<&String> = names.collect();
    let shown = names.iter().skip(asked.page * PAGE).take(PAGE);
    let snapshots: Vec<_> = shown
        .map(|name| {
            (
                (*name).clone(),
                Arc::clone(&directory.jobs[*name].snapshots.borrow()),
            )
        })
        .collect();
    // Counting looks at every target.
    let statuses = tokio::task::spawn_blocking(move || {
        let of = snapshots
            .iter()
            .map(|(name, snapshot)| JobStatus::of(name, snapshot));
        of.collect::<Vec<JobStatus>>()
    });
    let statuses = statuses.await.unwrap_or_default();
    let body = html! {
        form.filter role="search" {
            label { "Name contains" input type="search" name="q" value=(asked.text); }
            button { "Find" }
        }
        (live("jobs", html! {
            p { (count(names.len())) " jobs" @if names.len() > PAGE { ", page " (asked.page + 1) } "." }
            (table(&statuses, desk))
            (turns(&asked, names.len()))
        }))
    };
    Page {
        title: "Jobs",
        path: "/jobs",
        api: &["/api/v1/status/jobs".to_owned()],
        body,
    }
    .answer(&app)
}

fn table(jobs: &[JobStatus], desk: Desk) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Jobs" { table.wide {
            thead { tr {
                th scope="col" { "Job" } th scope="col" { "State" }
                th.n scope="col" { "Served" } th.n scope="col" { "Discovered" } th.n scope="col" { "Invalid" }
                th scope="col" { "Lists" }
                @if desk == Desk::Admin { th scope="col" { "Change" } }
            } }
            tbody { @for job in jobs { (row(job, desk)) } }
        } }
    }
}

fn row(job: &JobStatus, desk: Desk) -> Markup {
    let path = utf8_percent_encode(&job.name, PATH).to_string();
    html! {
        tr {
            th scope="row" { a href=(address("/targets", &[("job", &job.name)])) { (value(&job.name)) } }
            td data-name="State" { (state(job)) }
            td.n data-name="Served" {
                (count(job.last))
                @if job.over_target_limit { " " (badge(Health::Bad, "over target_limit")) }
            }
            td.n data-name="Discovered" { (count(job.discovered)) }
            td.n data-name="Invalid" {
                @if job.invalid > 0 {
                    a href=(address("/targets", &[("job", &job.name), ("state", "invalid")])) { (count(job.invalid)) }
                } @else { "0" }
            }
            td data-name="Lists" {
                a href={ "/sd/" (path) } { "final" } " "
                a href={ "/sd/" (path) "?stage=transformed" } { "transformed" } " "
                a href={ "/sd/" (path) "?stage=discovered" } { "discovered" }
            }
            @if desk == Desk::Admin { td data-name="Change" {
                @let (action, name) = if job.frozen_since.is_some() { ("thaw", "Thaw") } else { ("freeze", "Freeze") };
                form method="post" action={ "/api/v1/jobs/" (path) "/" (action) } { button { (name) } }
            } }
        }
    }
}

fn state(job: &JobStatus) -> Markup {
    html! {
        @if !job.known {
            (badge(Health::Waiting, "not known yet")) " " span.faint { (value(&job.missing.join("; "))) }
        } @else if let Some(since) = &job.frozen_since {
            (badge(Health::Waiting, "frozen")) " since " (since)
        } @else if let Some(since) = &job.stale_since {
            (badge(Health::Waiting, "from disk")) " last good " (since)
        } @else if !job.missing.is_empty() {
            (badge(Health::Waiting, "old configuration")) " the new one waits for " (value(&job.missing.join("; ")))
        } @else {
            (badge(Health::Good, "known"))
        }
    }
}

fn turns(asked: &Asked, total: usize) -> Markup {
    let to = |page: usize| address("/jobs", &[("q", &asked.text), ("page", &page.to_string())]);
    html! {
        @if total > PAGE {
            nav aria-label="Turn the page" {
                @if asked.page > 0 { a rel="prev" href=(to(asked.page)) { "Previous" } " " }
                @if (asked.page + 1) * PAGE < total { a rel="next" href=(to(asked.page + 2)) { "Next" } }
            }
        }
    }
}

// === impl Asked ===

impl Asked {
    fn of(query: &str) -> Self {
        let mut asked = Self::default();
        for (name, text) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "job" => asked.job = Some(text.into_owned()),
                "q" => text.trim().clone_into(&mut asked.text),
                "page" => asked.page = text.parse::<usize>().unwrap_or(1).clamp(1, 1_000_000) - 1,
                _ => {}
            }
        }
        asked
    }
}
