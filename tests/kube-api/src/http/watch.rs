//! WATCH: what is asked for, and the answer that a task then fills.

mod line;
mod run;

use std::sync::Arc;
use std::time::Duration;

use futures::stream;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::body::Body;
use super::{Call, Response, Running, takes_gzip};
use crate::faults::Fault;
use crate::object::Object;
use crate::options::WatchList;
use crate::status::Problem;

use line::Lines;
use run::Watch;

/// Lines on their way to a client that reads slowly; more wait in the history.
const LINES_AHEAD: usize = 64;

/// Where a watch begins.
struct Start {
    /// The current state, if it is sent at first.
    initial: Vec<Arc<Object>>,
    /// Everything up to this version is sent, or is not wanted.
    position: u64,
    /// A bookmark says where the initial events end.
    says_end: bool,
}

pub(super) fn watch(call: &Call<'_>, headers: &HeaderMap) -> Result<Response, Problem> {
    let wanted = initial_events(call)?;
    let selector = call.selector()?;
    let settings = &call.shared.settings;
    // Subscribed before the state is read, so that no command or event falls between.
    let commands = call.shared.faults.commands();
    let asked = call.number("resourceVersion")?.unwrap_or(0);
    let current = call.shared.store.version();
    let start = start(call, wanted, asked);
    let mut problem = None;
    if asked > current {
        let too_new = Problem::too_new(asked, current);
        if wanted == Some(true) {
            // This check comes after the watch has begun, and so its outcome is an event.
            problem = Some(too_new);
        } else if !settings.silent_ahead {
            return Err(too_new);
        }
    } else if let Err(gone) = call.shared.store.reaches(start.position) {
        let too_old = Problem::too_old(asked, gone.oldest);
        if settings.gone_as_status {
            return Err(too_old);
        }
        problem = Some(too_old);
    }
    let bookmarks = call.flag("allowWatchBookmarks");
    let from_state = wanted == Some(true) || (asked == 0 && bookmarks && wanted.is_none());
    let gzip = settings.gzip_watch_list && from_state && takes_gzip(headers);
    let timeout = call.number("timeoutSeconds")?.map(Duration::from_secs);
    let (sender, mut receiver) = mpsc::channel(LINES_AHEAD);
    let watch = Watch {
        shared: call.shared.clone(),
        resource: call.resource.clone(),
        id: call.resource.id(),
        namespace: call.namespace.clone(),
        selector,
        position: start.position,
        bookmarks,
        deadline: Instant::now() + timeout.unwrap_or(settings.watch_timeout),
        faults: call.faults.clone(),
        lines: Lines::new(call, sender, gzip),
        _running: Running::new(call.shared.clone(), &call.resource.plural),
    };
    tokio::spawn(watch.run(start.initial, start.says_end, problem, commands));
    let pieces = stream::poll_fn(move |context| receiver.poll_recv(context));
    let mut response = Response::new(Body::stream(pieces));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

/// Whether the state is to come first: yes, no, or as ever if the client does not say.
fn initial_events(call: &Call<'_>) -> Result<Option<bool>, Problem> {
    let claimed = call.faults.iter().find_map(|fault| match fault {
        Fault::WatchList(mode) => Some(*mode),
        _ => None,
    });
    let mode = claimed.unwrap_or_else(|| call.shared.watch_list());
    if mode == WatchList::Ignored {
        return Ok(None);
    }
    let text = |key: &str| call.query.get(key).map_or("", String::as_str);
    let asked = call.query.contains_key("sendInitialEvents");
    let matching = text("resourceVersionMatch");
    let forbidden = "resourceVersionMatch: Forbidden:";
    let mut reasons = Vec::new();
    if asked && matching != "NotOlderThan" {
        reasons.push(format!(
            "{forbidden} sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        ));
    }
    if asked && mode == WatchList::Refused {
        reasons.push(
            "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the \
             WatchList feature gate is enabled"
                .to_owned(),
        );
    }
    if !matching.is_empty() && !asked {
        reasons.push(format!(
            "{forbidden} resourceVersionMatch is forbidden for watch unless sendInitialEvents is \
             provided"
        ));
    }
    if !matching.is_empty() && matching != "NotOlderThan" {
        reasons.push(format!(
            "resourceVersionMatch: Unsupported value: \"{matching}\": supported values: \
             \"NotOlderThan\""
        ));
    }
    if !reasons.is_empty() {
        return Err(Problem::invalid_options(&reasons));
    }
    Ok(asked.then(|| call.flag("sendInitialEvents")))
}

fn start(call: &Call<'_>, wanted: Option<bool>, asked: u64) -> Start {
    let after = |position| Start {
        initial: Vec::new(),
        position,
        says_end: false,
    };
    match wanted {
        Some(false) if asked == 0 => after(call.shared.store.version()),
        Some(true) => from_state(call, true),
        None if asked == 0 => from_state(call, false),
        _ => after(asked),
    }
}

fn from_state(call: &Call<'_>, says_end: bool) -> Start {
    let snapshot = call.shared.store.snapshot(&call.resource);
    Start {
        initial: snapshot.objects.to_vec(),
        position: snapshot.version,
        says_end,
    }
}

impl Call<'_> {
    /// A flag of the query, as the server reads it.
    fn flag(&self, key: &str) -> bool {
        let text = self.query.get(key);
        text.is_some_and(|t| !matches!(t.as_str(), "false" | "0"))
    }
}
