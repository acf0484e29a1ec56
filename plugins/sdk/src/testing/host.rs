//! The host's functions, answered by the fake of the calling thread.

use super::{HOST, LogLine};
use crate::dns::Record;
use crate::http::{Request, Response, Ticket};
use crate::log::Level;
use crate::{Failure, FailureKind};

pub(crate) fn http_send(request: Request) -> Result<Response, Failure> {
    HOST.with_borrow_mut(|state| {
        let answer = state.answers.get(&request.url).cloned();
        let denied = || denied(&format!("request to `{}`", request.url));
        let outcome = answer.unwrap_or_else(|| Err(denied()));
        state.requests.push(request);
        outcome
    })
}

pub(crate) fn http_start(request: Request) -> Ticket {
    HOST.with_borrow_mut(|state| {
        state.tickets += 1;
        let ticket = Ticket(state.tickets);
        state.started.push_back((ticket, request));
        ticket
    })
}

pub(crate) fn http_next(_timeout_ms: u32) -> Option<(Ticket, Result<Response, Failure>)> {
    let (ticket, request) = HOST.with_borrow_mut(|state| state.started.pop_front())?;
    Some((ticket, http_send(request)))
}

pub(crate) fn http_abandon(ticket: Ticket) {
    HOST.with_borrow_mut(|state| state.started.retain(|(started, _)| *started != ticket));
}

pub(crate) fn files_read(path: &str) -> Result<Vec<u8>, Failure> {
    let file = HOST.with_borrow(|state| state.files.get(path).cloned());
    file.unwrap_or_else(|| Err(denied(&format!("file `{path}`"))))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "stands in for a function that can fail"
)]
pub(crate) fn files_glob(pattern: &str) -> Result<Vec<String>, Failure> {
    // Only `prefix*suffix`: enough to test a plugin, not a second matcher.
    let (prefix, suffix) = pattern.split_once('*').unwrap_or((pattern, ""));
    let matches = |path: &&String| path.starts_with(prefix) && path.ends_with(suffix);
    Ok(HOST.with_borrow(|state| state.files.keys().filter(matches).cloned().collect()))
}

pub(crate) fn dns_resolve(questions: &[(&str, &str)]) -> Vec<Result<Vec<Record>, Failure>> {
    let resolve = |&(name, kind): &(&str, &str)| {
        let key = (name.to_owned(), kind.to_owned());
        let records = HOST.with_borrow(|state| state.names.get(&key).cloned());
        records.ok_or_else(|| denied(&format!("name `{name}`")))
    };
    questions.iter().map(resolve).collect()
}

pub(crate) fn log_write(level: Level, message: &str, fields: Vec<(String, String)>) {
    let line = LogLine {
        level,
        message: message.to_owned(),
        fields,
    };
    HOST.with_borrow_mut(|state| state.log.push(line));
}

fn denied(what: &str) -> Failure {
    Failure::new(FailureKind::Denied, format!("{what} is not granted"))
}
