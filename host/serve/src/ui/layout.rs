//! What all pages share: head, navigation, and the call of the API behind a page.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use crate::state::App;

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
     img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const PAGES: [(&str, &str); 7] = [
    ("/", "Overview"),
    ("/jobs", "Jobs"),
    ("/targets", "Targets"),
    ("/providers", "Providers"),
    ("/plugins", "Plugins"),
    ("/fronts", "Fronts"),
    ("/config", "Configuration"),
];

/// On which listener a page is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Desk {
    /// Pages show.
    Readers,
    /// Pages have forms that change something, too.
    Admin,
}

/// One page, before it is laid out.
pub(super) struct Page<'a> {
    pub(super) title: &'a str,
    /// The path in the navigation.
    pub(super) path: &'a str,
    /// The calls of the API that tell the same.
    pub(super) api: &'a [String],
    pub(super) body: Markup,
}

// === impl Page ===

impl Page<'_> {
    pub(super) fn answer(self, app: &App) -> Response {
        self.answer_with(StatusCode::OK, app)
    }

    pub(super) fn answer_with(self, status: StatusCode, app: &App) -> Response {
        let headers: [(HeaderName, HeaderValue); 3] = [
            (
                header::CONTENT_SECURITY_POLICY,
                HeaderValue::from_static(POLICY),
            ),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (
                header::REFERRER_POLICY,
                HeaderValue::from_static("same-origin"),
            ),
        ];
        (status, headers, self.markup(app)).into_response()
    }

    fn markup(&self, app: &App) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " - Periplus" }
                    link rel="stylesheet" href="/ui/style.css";
                    script src="/ui/live.js" defer {}
                }
                body {
                    a.skip href="#main" { "To the content" }
                    header {
                        a.brand href="/" { "Periplus" }
                        nav aria-label="Pages" {
                            @for (path, name) in PAGES {
                                a href=(path) aria-current=[(path == self.path).then_some("page")] {
                                    (name)
                                }
                            }
                        }
                    }
                    main id="main" {
                        h1 { (self.title) }
                        p #gone role="status" hidden { "Connection lost; what stands here may be old. Trying again." }
                        (self.body)
                    }
                    footer {
                        p {
                            "Periplus " (app.about.version) ". "
                            @if !self.api.is_empty() { "The same from the API: " }
                            @for (index, call) in self.api.iter().enumerate() {
                                @if index > 0 { ", " }
                                a href=(call) { code { (call) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A part of a page that is fetched again when something moves.
pub(super) fn live(id: &str, body: Markup) -> Markup {
    html! { div id=(id) data-live { (body) } }
}

/// A page that says what cannot be shown.
pub(super) fn sorry(app: &App, status: StatusCode, path: &str, message: &str) -> Response {
    let title = match status {
        StatusCode::NOT_FOUND => "Not there",
        StatusCode::BAD_REQUEST => "Not understood",
        _ => "Not now",
    };
    let page = Page {
        title,
        path,
        api: &[],
        body: html! { p.problem role="alert" { (message) } p { a href=(path) { "Begin again" } } },
    };
    page.answer_with(status, app)
}
