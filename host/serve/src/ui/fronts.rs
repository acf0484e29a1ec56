//! `/fronts`: who reads what, and how far behind.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::layout::{Page, live};
use super::words::{Health, address, ago, badge, count, value};
use crate::readings::Reading;
use crate::state::App;

/// Readers on the page.
const MOST: usize = 500;

pub(super) async fn page(State(app): State<Arc<App>>) -> Response {
    let readings = app.readings.all();
    let body = live(
        "fronts",
        html! {
            p {
                @if readings.is_empty() { "Nobody has asked for targets within the last hour." }
                @else { (count(readings.len())) " readers within the last hour." }
            }
            @if !readings.is_empty() { (table(&app, &readings)) }
        },
    );
    Page {
        title: "Fronts",
        path: "/fronts",
        api: &["/metrics".to_owned()],
        body,
    }
    .answer(&app)
}

fn table(app: &App, readings: &[Reading]) -> Markup {
    let directory = app.directory();
    html! {
        div.scroll tabindex="0" role="region" aria-label="Readers" { table.wide {
            thead { tr {
                th scope="col" { "Reader" } th scope="col" { "Front" } th scope="col" { "Job" }
                th scope="col" { "Last asked" } th scope="col" { "State" } th.n scope="col" { "Answers" }
            } }
            tbody { @for reading in readings.iter().take(MOST) {
                @let current = directory.jobs.get(&reading.job).map(|job| job.snapshots.borrow().version);
                tr {
                    th scope="row" { (value(&reading.reader)) br; span.faint { (value(&reading.agent)) } }
                    td data-name="Front" { (reading.front) @if !reading.part.is_empty() { " " span.faint { (value(&reading.part)) } } }
                    td data-name="Job" { a href=(address("/jobs", &[("job", &reading.job)])) { (value(&reading.job)) } }
                    td data-name="Last asked" { (ago(reading.at)) }
                    td data-name="State" {
                        @match current {
                            Some(_) if reading.version.is_none() => (badge(Health::Good, "follows")),
                            version if version == reading.version => (badge(Health::Good, "has the newest")),
                            Some(_) => (badge(Health::Waiting, "has an older version")),
                            None => (badge(Health::Waiting, "the job is gone")),
                        }
                    }
                    td.n data-name="Answers" { (count(reading.answers as usize)) }
                }
            } }
        } }
    }
}
