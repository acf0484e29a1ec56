//! The host's functions, through the bindings.

use super::provider::periplus::discovery::{dns, files, http, log, types};
use crate::dns::Record;
use crate::http::{Request, Response, Ticket};
use crate::log::Level;
use crate::{Failure, FailureKind};

pub(crate) fn http_send(request: Request) -> Result<Response, Failure> {
    http::send(&raw_request(request))
        .map(response)
        .map_err(failure)
}

pub(crate) fn http_start(request: Request) -> Ticket {
    Ticket(http::start(&raw_request(request)))
}

pub(crate) fn http_next(timeout_ms: u32) -> Option<(Ticket, Result<Response, Failure>)> {
    let answer = http::next(timeout_ms)?;
    Some((
        Ticket(answer.ticket),
        answer.outcome.map(response).map_err(failure),
    ))
}

pub(crate) fn http_abandon(ticket: Ticket) {
    http::abandon(ticket.0);
}

pub(crate) fn files_read(path: &str) -> Result<Vec<u8>, Failure> {
    files::read(path).map_err(failure)
}

pub(crate) fn files_glob(pattern: &str) -> Result<Vec<String>, Failure> {
    files::glob(pattern).map_err(failure)
}

pub(crate) fn dns_resolve(questions: &[(&str, &str)]) -> Vec<Result<Vec<Record>, Failure>> {
    let question = |&(name, kind): &(&str, &str)| dns::Question {
        name: name.to_owned(),
        kind: kind.to_owned(),
    };
    let questions: Vec<dns::Question> = questions.iter().map(question).collect();
    let record = |answer: dns::Answer| Record {
        name: answer.name,
        kind: answer.kind,
        ttl: answer.ttl,
        data: answer.data,
    };
    let records = |answers: Vec<dns::Answer>| answers.into_iter().map(record).collect();
    dns::resolve(&questions)
        .into_iter()
        .map(|result| result.map(records).map_err(failure))
        .collect()
}

pub(crate) fn log_write(level: Level, message: &str, fields: Vec<(String, String)>) {
    let level = match level {
        Level::Trace => log::Level::Trace,
        Level::Debug => log::Level::Debug,
        Level::Info => log::Level::Info,
        Level::Warn => log::Level::Warn,
        Level::Error => log::Level::Error,
    };
    log::write(level, message, &fields);
}

fn raw_request(request: Request) -> http::Request {
    http::Request {
        method: request.method,
        url: request.url,
        headers: request.headers,
        body: request.body,
        timeout_ms: request.timeout.map(crate::http::millis),
        credential: request.credential,
    }
}

fn response(response: http::Response) -> Response {
    let http::Response {
        status,
        headers,
        body,
    } = response;
    Response {
        status,
        headers,
        body,
    }
}

fn failure(failure: types::Failure) -> Failure {
    let kind = match failure.kind {
        types::FailureKind::Denied => FailureKind::Denied,
        types::FailureKind::Invalid => FailureKind::Invalid,
        types::FailureKind::NotFound => FailureKind::NotFound,
        types::FailureKind::Timeout => FailureKind::Timeout,
        types::FailureKind::TooLarge => FailureKind::TooLarge,
        types::FailureKind::Other => FailureKind::Other,
    };
    Failure {
        kind,
        message: failure.message,
    }
}
