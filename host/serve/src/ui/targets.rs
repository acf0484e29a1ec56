//! `/targets`: what is there to scrape, and what is not.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use maud::{Markup, html};

use super::layout::{Page, live, sorry};
use super::words::{Health, address, badge, count, labels, value};
use crate::browse::{self, MOST_SORTED, PAGE, Pool, Query, Row, RowState, Sort};
use crate::state::App;

pub(super) async fn page(State(app): State<Arc<App>>, uri: Uri) -> Response {
    let query = match Query::of(uri.query().unwrap_or_default()) {
        Ok(query) => Arc::new(query),
        Err(message) => return sorry(&app, StatusCode::BAD_REQUEST, "/targets", &message),
    };
    let directory = app.directory();
    if !query.job.is_empty() && !directory.jobs.contains_key(&query.job) {
        let message = format!("There is no job `{}` now.", query.job);
        return sorry(&app, StatusCode::NOT_FOUND, "/targets", &message);
    }
    let pools = directory.jobs.iter();
    let pools = pools.map(|(name, job)| (name.clone(), Arc::clone(&job.snapshots.borrow())));
    let pools: Vec<Pool> = pools.collect();
    let asked = Arc::clone(&query);
    // With a filter it looks at every target.
    let found = tokio::task::spawn_blocking(move || browse::browse(&pools, &asked)).await;
    let Ok(found) = found else {
        let message = "The host is stopping.";
        return sorry(&app, StatusCode::SERVICE_UNAVAILABLE, "/targets", message);
    };
    let mechanisms = app.manager.providers();
    let mut mechanisms: Vec<String> = mechanisms.into_iter().map(|it| it.mechanism).collect();
    mechanisms.sort_unstable();
    mechanisms.dedup();
    let body = html! {
        (form(&query, &mechanisms))
        (live("targets", list(&query, &found)))
    };
    let api = [address(
        "/api/v1/targets",
        &[("scrapePool", &query.job), ("state", query.state.name())],
    )];
    Page {
        title: "Targets",
        path: "/targets",
        api: &api,
        body,
    }
    .answer(&app)
}

fn form(query: &Query, mechanisms: &[String]) -> Markup {
    html! {
        form.filter role="search" {
            label { "Text in a label" input type="search" name="q" value=(query.text); }
            label { "Matcher" input name="match" value=(query.matcher) placeholder="{env=\"prod\"}"; }
            label { "Job" input name="job" value=(query.job); }
            label { "Mechanism" select name="mechanism" {
                option value="" { "any" }
                @for name in mechanisms { option selected[*name == query.mechanism] { (name) } }
            } }
            label { "State" select name="state" {
                @for (state, name) in browse::State::ALL { option selected[state == query.state] { (name) } }
            } }
            label { "Order by label" input name="sort" value=(query.sort.text()) placeholder="-instance"; }
            button { "Find" }
        }
    }
}

fn list(query: &Query, found: &browse::Page) -> Markup {
    let first = query.page * PAGE + 1;
    html! {
        p {
            @if found.rows.is_empty() { "No target" @if found.total > 0 { " on this page; there are " (count(found.total)) } "." }
            @else {
                "Targets " (count(first)) " to " (count(first + found.rows.len() - 1)) " of "
                @if found.is_cut { "more than " } (count(found.total)) "."
            }
        }
        @if !found.rows.is_empty() {
            div.scroll tabindex="0" role="region" aria-label="Targets" { table.wide {
                thead { tr {
                    th scope="col" { "Target" } th scope="col" { "State" }
                    th scope="col" { "Final labels" } th scope="col" { "Discovered labels" }
                } }
                tbody { @for row in &found.rows { (target(row)) } }
            } }
            (turns(query, found))
        }
    }
}

fn target(row: &Row) -> Markup {
    let explain = address("/explain", &[("job", &row.job), ("target", row.name())]);
    html! {
        tr {
            th scope="row" {
                a href=(explain) { (value(if row.name().is_empty() { "no address" } else { row.name() })) }
                br;
                span.faint { (value(&row.job)) ", " (value(&row.mechanism)) " " (value(&row.source)) }
            }
            td data-name="State" { (state(row)) }
            td data-name="Final labels" {
                @match &row.last {
                    Some(last) => (labels(last, Some(&row.discovered))),
                    None => span.faint { "none" },
                }
            }
            td data-name="Discovered labels" {
                details open[row.last.is_none()] {
                    summary { (count(row.discovered.iter().count())) " labels" }
                    (labels(&row.discovered, None))
                }
            }
        }
    }
}

fn state(row: &Row) -> Markup {
    match row.state {
        RowState::Active => badge(Health::Good, "active"),
        RowState::Copy => badge(Health::Waiting, "copy of another"),
        RowState::DroppedByRule => badge(Health::Waiting, "dropped by a rule"),
        RowState::DroppedByTransformers => badge(Health::Waiting, "dropped by a transformer"),
        RowState::Invalid => html! {
            (badge(Health::Bad, "invalid"))
            @if let Some(reason) = &row.reason { br; (value(reason)) }
        },
    }
}

fn turns(query: &Query, found: &browse::Page) -> Markup {
    let end = (query.page + 1) * PAGE;
    let is_sorted = query.sort != Sort::Place;
    let has_next = end < found.total || found.is_cut;
    let sort = query.sort.text();
    let to = |page: usize| {
        address(
            "/targets",
            &[
                ("q", &query.text),
                ("match", &query.matcher),
                ("job", &query.job),
                ("mechanism", &query.mechanism),
                ("state", query.state.name()),
                ("sort", &sort),
                ("page", &page.to_string()),
            ],
        )
    };
    html! {
        nav aria-label="Turn the page" {
            @if query.page > 0 { a rel="prev" href=(to(query.page)) { "Previous" } " " }
            @if has_next && !(is_sorted && end >= MOST_SORTED) { a rel="next" href=(to(query.page + 2)) { "Next" } }
            @if has_next && is_sorted && end >= MOST_SORTED {
                "Sorted lists end here; narrow the list down, or leave out the order."
            }
        }
    }
}
