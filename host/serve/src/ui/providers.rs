//! `/providers`: how each source is doing.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use periplus_discovery::{ProviderState, ProviderStatus};

use super::layout::{Desk, Page, live};
use super::words::{Health, address, ago, badge, count, maybe_ago, until, value};
use crate::state::App;

/// Providers on the page; more are found by the API.
const MOST: usize = 500;

pub(super) async fn page(
    State(app): State<Arc<App>>,
    Extension(desk): Extension<Desk>,
) -> Response {
    let providers = app.manager.providers();
    let body = live(
        "providers",
        html! {
            p {
                (count(providers.len())) " providers"
                @if providers.len() > MOST { "; the first " (count(MOST)) " are shown, those that fail first" }
                "."
            }
            @if !providers.is_empty() { (table(providers, desk)) }
        },
    );
    Page {
        title: "Providers",
        path: "/providers",
        api: &["/api/v1/providers".to_owned()],
        body,
    }
    .answer(&app)
}

fn table(mut providers: Vec<ProviderStatus>, desk: Desk) -> Markup {
    if providers.len() > MOST {
        providers.sort_by_key(|it| it.last_error.is_none());
        providers.truncate(MOST);
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label="Providers" { table.wide {
            thead { tr {
                th scope="col" { "Provider" } th scope="col" { "State" } th scope="col" { "Last answer" } th scope="col" { "Next" }
                th.n scope="col" { "Groups" } th.n scope="col" { "Targets" }
                th scope="col" { "Jobs" } th scope="col" { "Section" }
                @if desk == Desk::Admin { th scope="col" { "Change" } }
            } }
            tbody { @for provider in &providers { (row(provider, desk)) } }
        } }
    }
}

fn row(provider: &ProviderStatus, desk: Desk) -> Markup {
    let config = serde_json::to_string_pretty(&provider.config).unwrap_or_default();
    html! {
        tr id=(provider.name) {
            th scope="row" { (value(&provider.name)) }
            td data-name="State" {
                (state(provider))
                @if let Some(waiting) = &provider.waiting_for { br; "waits for " (value(waiting)) }
                @if let Some(since) = provider.stale_since { br; "from disk, last good " (ago(since)) }
                @if let Some((at, message)) = &provider.last_error { br; (value(message)) ", " (ago(*at)) }
            }
            td data-name="Last answer" { (maybe_ago(provider.last_success)) }
            td data-name="Next" { (next(provider)) }
            td.n data-name="Groups" { (count(provider.groups)) }
            td.n data-name="Targets" { (count(provider.targets)) }
            td data-name="Jobs" {
                @for (index, job) in provider.jobs.iter().enumerate() {
                    @if index > 0 { ", " }
                    a href=(address("/jobs", &[("job", job)])) { (value(job)) }
                }
            }
            td data-name="Section" {
                details id={ "section-" (provider.name) } { summary { (value(&provider.mechanism)) } pre { (config) } }
            }
            @if desk == Desk::Admin { td data-name="Change" {
                @if provider.refreshable {
                    form method="post" action={ "/api/v1/providers/" (provider.name) "/refresh" } { button { "Refresh now" } }
                }
            } }
        }
    }
}

/// When the source is asked again.
fn next(provider: &ProviderStatus) -> Markup {
    html! {
        @match (provider.next_refresh, provider.refreshable) {
            (Some(at), _) => (until(at)),
            (None, true) => "now",
            (None, false) => "as it changes",
        }
    }
}

fn state(provider: &ProviderStatus) -> Markup {
    match provider.state {
        ProviderState::Starting => badge(Health::Waiting, "starting"),
        ProviderState::Ready => badge(Health::Good, "ready"),
        ProviderState::Failing => badge(Health::Bad, "failing"),
        ProviderState::Stopped => badge(Health::Bad, "stopped"),
    }
}
