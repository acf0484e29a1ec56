//! `/`: is everything known and fresh?

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use periplus_discovery::{ProviderState, ProviderStatus, Snapshot, Span};

use super::layout::{Page, live};
use super::sparkline;
use super::words::{Health, ago, badge, count};
use crate::state::App;

/// Problems that the page names; the others are on the pages of jobs and providers.
const MOST_NAMED: usize = 20;

pub(super) async fn page(State(app): State<Arc<App>>) -> Response {
    let body = live("overview", overview(&app));
    let api = [
        "/api/v1/status/jobs",
        "/api/v1/providers",
        "/api/v1/status/runtimeinfo",
    ];
    Page {
        title: "Overview",
        path: "/",
        api: &api.map(str::to_owned),
        body,
    }
    .answer(&app)
}

fn overview(app: &App) -> Markup {
    let directory = app.directory();
    let jobs: Vec<(&String, Arc<Snapshot>)> = directory
        .jobs
        .iter()
        .map(|(name, job)| (name, Arc::clone(&job.snapshots.borrow())))
        .collect();
    let providers = app.manager.providers();
    let plugins = app.plugins.plugins();
    let (ready, missing) = app.readiness.check(&directory);
    let known = jobs.iter().filter(|(_, snapshot)| snapshot.known).count();
    let targets: usize = jobs.iter().map(|(_, snapshot)| targets(snapshot)).sum();
    let well = providers
        .iter()
        .filter(|it| it.state == ProviderState::Ready)
        .count();
    let running = plugins.iter().filter(|it| it.reason.is_none()).count();
    html! {
        p {
            @if ready { (badge(Health::Good, "Ready")) }
            @else { (badge(Health::Waiting, "Not ready")) }
            " "
            @if missing.is_empty() { "every job is known." }
            @else { (count(missing.len())) " of what is asked for is not known yet." }
            " Started " (ago(app.about.started)) "."
        }
        div.cards {
            (card("/targets", &count(targets), "targets served"))
            (card("/jobs", &format!("{} / {}", count(known), count(jobs.len())), "jobs known"))
            (card("/providers", &format!("{} / {}", count(well), count(providers.len())), "providers answering"))
            (card("/plugins", &format!("{} / {}", count(running), count(plugins.len())), "plugins well"))
        }
        (history(&app.manager.recent()))
        (problems(&jobs, &providers, app))
    }
}

fn card(to: &str, number: &str, what: &str) -> Markup {
    html! { a.card href=(to) { b { (number) } (what) } }
}

fn targets(snapshot: &Snapshot) -> usize {
    snapshot
        .groups
        .values()
        .map(|result| result.standing())
        .sum()
}

fn history(spans: &[Span]) -> Markup {
    let published: Vec<f64> = spans.iter().map(|span| f64::from(span.published)).collect();
    let slowest: Vec<f64> = spans
        .iter()
        .map(|span| span.slowest.as_secs_f64())
        .collect();
    let most = spans
        .iter()
        .map(|span| span.published)
        .max()
        .unwrap_or_default();
    let longest = spans
        .iter()
        .map(|span| span.slowest)
        .max()
        .unwrap_or_default();
    html! {
        h2 { "Last ten minutes" }
        (sparkline::bars("Changes published, each 10 s", &published, &count(most as usize)))
        (sparkline::bars("From a source's event to the published change, slowest of each 10 s", &slowest, &milliseconds(longest)))
    }
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}

fn problems(jobs: &[(&String, Arc<Snapshot>)], providers: &[ProviderStatus], app: &App) -> Markup {
    let mut lines: Vec<Markup> = Vec::new();
    for (name, snapshot) in jobs {
        let to = super::words::address("/jobs", &[("job", name)]);
        if !snapshot.known {
            lines.push(html! { a href=(to) { "Job " bdi { (name) } } " is not known yet: " (snapshot.missing.join("; ")) });
        } else if let Some(stale) = snapshot.stale {
            lines.push(html! { a href=(to) { "Job " bdi { (name) } } " has targets from disk, last good " (ago(stale.since)) });
        }
    }
    for provider in providers {
        if let Some((at, message)) = &provider.last_error {
            let to = format!("/providers#{}", provider.name);
            lines.push(html! { a href=(to) { "Provider " (provider.name) } " failed " (ago(*at)) ": " (message) });
        }
    }
    for plugin in app.plugins.plugins() {
        if let Some(reason) = &plugin.reason {
            lines.push(html! { a href={ "/plugins#" (plugin.name) } { "Plugin " (plugin.name) } " is " (plugin.state) ": " (reason) });
        }
    }
    let rest = lines.len().saturating_sub(MOST_NAMED);
    html! {
        h2 { "What needs attention" }
        @if lines.is_empty() { p { "Nothing." } }
        ul { @for line in lines.iter().take(MOST_NAMED) { li { (line) } } }
        @if rest > 0 { p { "And " (count(rest)) " more: see the pages of jobs, providers and plugins." } }
    }
}
