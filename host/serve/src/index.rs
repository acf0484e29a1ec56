//! `/`: a page for people that shows what there is. The real user interface comes later.

use std::fmt::{self, Display, Write};
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::api::{self, JobStatus};
use crate::state::App;

const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
const HEAD: &str = "<!doctype html>
<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Periplus</title>
<style>body{font-family:sans-serif;margin:2em}td,th{padding:.2em 1em .2em 0;text-align:left}\
td.n{text-align:right}</style></head>
<body><h1>Periplus</h1>
";
const LINKS: &str = "<h2>Elsewhere</h2>
<ul>
<li><a href=\"/api/v1/targets\">/api/v1/targets</a> all targets, as Prometheus shows them</li>
<li><a href=\"/api/v1/providers\">/api/v1/providers</a> how each source is doing</li>
<li><a href=\"/api/v1/plugins\">/api/v1/plugins</a> how each plugin is doing</li>
<li><a href=\"/api/v1/status/jobs\">/api/v1/status/jobs</a> the jobs in numbers</li>
<li><a href=\"/metrics\">/metrics</a> metrics of Periplus itself</li>
<li><a href=\"/-/ready\">/-/ready</a> whether everything is known, and what is missing</li>
</ul>
</body></html>
";

/// Text from elsewhere, made harmless in HTML.
struct Escaped<'a>(&'a str);

/// The page.
pub(crate) async fn index(State(app): State<Arc<App>>) -> Response {
    let mut page = String::from(HEAD);
    let (version, file) = (
        &app.about.version,
        app.about.config_file.display().to_string(),
    );
    let _ = writeln!(
        page,
        "<p>Version {}, configured by <code>{}</code>.</p>",
        Escaped(version),
        Escaped(&file)
    );
    page.push_str("<h2>Jobs</h2>\n");
    let jobs = api::job_statuses(&app);
    if jobs.is_empty() {
        page.push_str("<p>The configuration has no job.</p>\n");
    } else {
        page.push_str("<table><tr><th>job</th><th>targets</th><th>discovered</th><th>stages</th><th>state</th></tr>\n");
        for job in &jobs {
            row(&mut page, job);
        }
        page.push_str("</table>\n");
    }
    page.push_str(LINKS);
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(page)).into_response()
}

fn row(page: &mut String, job: &JobStatus) {
    let JobStatus {
        name,
        known,
        missing,
        discovered,
        last,
        invalid,
        ..
    } = job;
    let path = utf8_percent_encode(name, PATH);
    let mut state = match (known, missing.is_empty()) {
        (true, true) => "known".to_owned(),
        (true, false) => format!(
            "known, a newer configuration waits for {}",
            missing.join("; ")
        ),
        (false, _) => format!("not known yet: {}", missing.join("; ")),
    };
    if *invalid > 0 {
        let _ = write!(state, "; {invalid} invalid targets");
    }
    let _ = writeln!(
        page,
        "<tr><td><a href=\"/sd/{path}\">{}</a></td><td class=\"n\">{last}</td>\
         <td class=\"n\">{discovered}</td><td><a href=\"/sd/{path}?stage=transformed\">transformed</a> \
         <a href=\"/sd/{path}?stage=discovered\">discovered</a></td><td>{}</td></tr>",
        Escaped(name),
        Escaped(&state),
    );
}

// === impl Escaped ===

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}
