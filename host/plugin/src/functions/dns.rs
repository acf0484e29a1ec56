//! `dns` for providers: addresses by the system's resolver; other records are not offered yet.

use std::io;
use std::net::IpAddr;

use futures::future::join_all;

use crate::bindings::provider::periplus::discovery::dns::{Answer, Host, Question};
use crate::bindings::provider::periplus::discovery::types::{Failure, FailureKind};
use crate::functions::http::closed;
use crate::grants::DnsGrants;
use crate::limits::{DNS_TIMEOUT, MAX_QUESTIONS};
use crate::store::GuestState;

/// The system's resolver does not tell how long an answer stands.
const UNKNOWN_TTL: u32 = 30;

impl Host for GuestState {
    async fn resolve(
        &mut self,
        questions: Vec<Question>,
    ) -> wasmtime::Result<Vec<Result<Vec<Answer>, Failure>>> {
        let Some(outside) = &self.outside else {
            return Ok(questions.iter().map(|_| Err(closed())).collect());
        };
        if questions.len() > MAX_QUESTIONS {
            let message = format!("more than the limit of {MAX_QUESTIONS} questions at once");
            let refused = || Failure {
                kind: FailureKind::TooLarge,
                message: message.clone(),
            };
            return Ok(questions.iter().map(|_| Err(refused())).collect());
        }
        Ok(join_all(questions.into_iter().map(|q| answer(&outside.dns, q))).await)
    }
}

async fn answer(grants: &DnsGrants, question: Question) -> Result<Vec<Answer>, Failure> {
    let Question { name, kind } = question;
    if !grants.allow(&name) {
        let message = format!(
            "name `{name}` is not granted; to grant it, write `allow: {{dns: [\"{name}\"]}}` under \
             the plugin"
        );
        return Err(Failure {
            kind: FailureKind::Denied,
            message,
        });
    }
    let wanted: fn(&IpAddr) -> bool = match kind.as_str() {
        "A" => IpAddr::is_ipv4,
        "AAAA" => IpAddr::is_ipv6,
        _ => {
            let message = format!("records of kind `{kind}` are not offered by this host yet");
            return Err(Failure {
                kind: FailureKind::Invalid,
                message,
            });
        }
    };
    let lookup = tokio::net::lookup_host((name.as_str(), 0));
    let found: Vec<IpAddr> = match tokio::time::timeout(DNS_TIMEOUT, lookup).await {
        Ok(Ok(addresses)) => addresses
            .map(|address| address.ip())
            .filter(wanted)
            .collect(),
        // The resolver tells "no such name" and "no answer" apart by text alone.
        Ok(Err(error)) if is_absent(&error) => Vec::new(),
        Ok(Err(error)) => {
            let message = format!("failed to resolve `{name}`: {error}");
            return Err(Failure {
                kind: FailureKind::Other,
                message,
            });
        }
        Err(_) => {
            let message = format!("no answer for `{name}` within {DNS_TIMEOUT:?}");
            return Err(Failure {
                kind: FailureKind::Timeout,
                message,
            });
        }
    };
    let record = |address: IpAddr| Answer {
        name: name.clone(),
        kind: kind.clone(),
        ttl: UNKNOWN_TTL,
        data: address.to_string(),
    };
    let mut answers: Vec<_> = found.into_iter().map(record).collect();
    answers.sort_by(|a, b| a.data.cmp(&b.data));
    answers.dedup_by(|a, b| a.data == b.data);
    Ok(answers)
}

fn is_absent(error: &io::Error) -> bool {
    let text = error.to_string();
    text.contains("Name or service not known") || text.contains("No address associated")
}
