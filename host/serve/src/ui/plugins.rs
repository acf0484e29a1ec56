//! `/plugins`: which plugin is unwell.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use periplus_discovery::PluginStatus;

use super::layout::{Page, live};
use super::words::{Health, badge, count, maybe_ago, value};
use crate::state::App;

pub(super) async fn page(State(app): State<Arc<App>>) -> Response {
    let plugins = app.plugins.plugins();
    let body = live(
        "plugins",
        html! {
            p { (count(plugins.len())) " plugins." }
            @for plugin in &plugins { (shown(plugin)) }
        },
    );
    Page {
        title: "Plugins",
        path: "/plugins",
        api: &["/api/v1/plugins".to_owned()],
        body,
    }
    .answer(&app)
}

fn shown(plugin: &PluginStatus) -> Markup {
    let serves = if plugin.transformer {
        "transformer".to_owned()
    } else {
        plugin.mechanisms.join(", ")
    };
    html! {
        section aria-labelledby={ "plugin-" (plugin.name) } id=(plugin.name) {
            h2 id={ "plugin-" (plugin.name) } {
                (value(&plugin.name)) " "
                span.faint { (plugin.version.as_deref().unwrap_or_default()) }
            }
            p {
                (badge(health(plugin), &plugin.state))
                @if let Some(reason) = &plugin.reason { " " (value(reason)) }
            }
            div.scroll tabindex="0" role="region" aria-label={ "Plugin " (plugin.name) } { table {
                (line("Serves", html! { (value(&serves)) }))
                (line("Loaded from", html! { (value(&plugin.source)) }))
                (line("Digest", html! { @match &plugin.digest { Some(digest) => code { (digest) }, None => "none" } }))
                (line("Loaded", maybe_ago(plugin.loaded_at)))
                (line("Instances", html! { (count(plugin.instances)) }))
                (line("Calls", html! { (count(plugin.calls as usize)) }))
                (line("Traps", html! { (count(plugin.traps as usize)) }))
                @if let Some(error) = &plugin.last_error { (line("Last failure", html! { (value(error)) })) }
            } }
        }
    }
}

fn line(name: &str, content: Markup) -> Markup {
    html! { tr { th scope="row" { (name) } td { (content) } } }
}

fn health(plugin: &PluginStatus) -> Health {
    match (&plugin.reason, plugin.state.as_str()) {
        (None, "running" | "ready") => Health::Good,
        (_, "quarantined") => Health::Bad,
        _ => Health::Waiting,
    }
}
