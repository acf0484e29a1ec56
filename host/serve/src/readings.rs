//! Who reads what: the last answer to each reader of each job.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::extract::{Request, State};
use axum::http::{Extensions, HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use periplus_core::ContentHash;
use periplus_discovery::{Stage, View};

/// Readers that are remembered; the one that asked longest ago makes room.
const MOST: usize = 2048;
/// Who has not asked for so long is forgotten.
const KEPT: Duration = Duration::from_hours(1);
/// Bytes of a user agent that are kept.
const MOST_AGENT: usize = 120;

/// Who is at the other end of a connection, in the extensions of its requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerAddress(pub(crate) SocketAddr);

/// What a handler says of its answer, in the extensions of the response.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) front: &'static str,
    pub(crate) job: String,
    /// Which part of the job: stage and shard in words; empty for all of the final targets.
    pub(crate) part: String,
    /// Of the snapshot that the answer is of; none for one that goes on as the job changes.
    pub(crate) version: Option<ContentHash>,
}

/// One reader of one job.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) reader: String,
    pub(crate) agent: String,
    pub(crate) front: &'static str,
    pub(crate) job: String,
    pub(crate) part: String,
    pub(crate) version: Option<ContentHash>,
    pub(crate) at: SystemTime,
    pub(crate) answers: u64,
}

/// The readers of late.
#[derive(Debug, Default)]
pub(crate) struct Readings(Mutex<HashMap<Key, Reading>>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    peer: Option<IpAddr>,
    agent: String,
    front: &'static str,
    job: String,
    part: String,
}

// === impl Told ===

impl Told {
    /// To be put into the extensions of an answer.
    pub(crate) fn of(
        front: &'static str,
        job: &str,
        part: String,
        version: Option<ContentHash>,
    ) -> Extensions {
        let mut extensions = Extensions::new();
        extensions.insert(Self {
            front,
            job: job.to_owned(),
            part,
            version,
        });
        extensions
    }
}

/// A view in words; nothing for all final targets.
pub(crate) fn part(view: &View) -> String {
    let stage = match view.stage {
        Stage::Discovered => "discovered",
        Stage::Transformed => "transformed",
        Stage::Final => "",
    };
    let shard = view.shard.map(|shard| format!("shard {shard}"));
    let matching = (!view.selectors.is_empty()).then(|| "matching".to_owned());
    let parts = [Some(stage.to_owned()), shard, matching];
    let parts: Vec<String> = parts
        .into_iter()
        .flatten()
        .filter(|it| !it.is_empty())
        .collect();
    parts.join(", ")
}

// === impl Readings ===

impl Readings {
    /// Notes an answer.
    pub(crate) fn note(&self, peer: Option<IpAddr>, agent: String, told: Told) {
        let Told {
            front,
            job,
            part,
            version,
        } = told;
        let at = SystemTime::now();
        let key = Key {
            peer,
            agent,
            front,
            job,
            part,
        };
        let mut all = self.lock();
        if let Some(reading) = all.get_mut(&key) {
            reading.version = version;
            reading.at = at;
            reading.answers += 1;
            return;
        }
        if all.len() >= MOST {
            let oldest = all.iter().min_by_key(|(_, reading)| reading.at);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                all.remove(&oldest);
            }
        }
        let reading = Reading {
            reader: peer.map_or_else(|| "unknown".to_owned(), |peer| peer.to_string()),
            agent: key.agent.clone(),
            front,
            job: key.job.clone(),
            part: key.part.clone(),
            version,
            at,
            answers: 1,
        };
        all.insert(key, reading);
    }

    /// Everybody who asked within the last hour, by job and reader.
    pub(crate) fn all(&self) -> Vec<Reading> {
        let mut all = self.lock();
        let now = SystemTime::now();
        all.retain(|_, reading| now.duration_since(reading.at).unwrap_or_default() < KEPT);
        let mut readings: Vec<Reading> = all.values().cloned().collect();
        readings.sort_by(|one, other| {
            let key = |it: &Reading| (it.job.clone(), it.reader.clone(), it.front, it.part.clone());
            key(one).cmp(&key(other))
        });
        readings
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Reading>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes what handlers say of their answers.
pub(crate) async fn note(
    State(readings): State<Arc<Readings>>,
    request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<PeerAddress>();
    let peer = peer.map(|PeerAddress(peer)| peer.ip());
    let agent = agent(request.headers());
    let mut response = next.run(request).await;
    if let Some(told) = response.extensions_mut().remove::<Told>() {
        readings.note(peer, agent, told);
    }
    response
}

/// How a reader names its program, cut to a bound.
fn agent(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT);
    let agent = agent.map(|agent| String::from_utf8_lossy(agent.as_bytes()));
    agent.unwrap_or_default().chars().take(MOST_AGENT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room() {
        let readings = Readings::default();
        let told = |job: String| Told {
            front: "http_sd",
            job,
            part: String::new(),
            version: Some(ContentHash(1)),
        };
        for number in 0..=MOST {
            readings.note(None, "test".into(), told(number.to_string()));
        }
        readings.note(None, "test".into(), told("7".into()));
        let all = readings.all();
        assert_eq!(all.len(), MOST);
        let seven = all.iter().find(|reading| reading.job == "7").unwrap();
        assert_eq!((seven.answers, seven.reader.as_str()), (2, "unknown"));
    }
}
