//! Reads every list all the time, and checks what it gets.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::sources::{Ever, Steady};

const BETWEEN: Duration = Duration::from_millis(15);
/// Wrong lists that are described.
const MOST_WRONG: usize = 10;

/// What a job's list said.
pub(crate) enum List {
    /// Its targets' addresses.
    Known {
        addresses: BTreeSet<String>,
        is_stale: bool,
    },
    /// It is not known; a reader keeps what it has.
    Unknown,
    /// Nobody answered.
    Nobody,
    /// Something else.
    Strange(String),
}

/// A reader at work.
pub(crate) struct Reader {
    address: watch::Sender<SocketAddr>,
    verdict: Arc<Mutex<Verdict>>,
    task: JoinHandle<()>,
}

/// What was read.
#[derive(Clone, Default)]
pub(crate) struct Verdict {
    whole: usize,
    stale: usize,
    unknown: usize,
    nobody: usize,
    /// Lists that must not be.
    pub(crate) wrong: Vec<String>,
}

/// One list.
pub(crate) async fn read(client: &reqwest::Client, address: SocketAddr, path: &str) -> List {
    let answer = client
        .get(format!("http://{address}{path}"))
        .timeout(Duration::from_secs(10))
        .send()
        .await;
    let Ok(answer) = answer else {
        return List::Nobody;
    };
    let status = answer.status().as_u16();
    let is_stale = answer.headers().contains_key("periplus-stale-since");
    let Ok(body) = answer.text().await else {
        // Killed while it answered: the reader sees that the body is short.
        return List::Nobody;
    };
    match status {
        200 => {}
        503 => return List::Unknown,
        _ => return List::Strange(format!("{status} {body}")),
    }
    let Ok(Value::Array(targets)) = serde_json::from_str(&body) else {
        return List::Strange(body);
    };
    let addresses = targets
        .iter()
        .filter_map(|it| it["targets"].as_array())
        .flatten();
    List::Known {
        addresses: addresses
            .filter_map(|it| Some(it.as_str()?.to_owned()))
            .collect(),
        is_stale,
    }
}

// === impl Reader ===

impl Reader {
    pub(crate) fn begin(address: SocketAddr, steady: Steady, ever: Ever) -> Self {
        let (sender, address) = watch::channel(address);
        let verdict = Arc::default();
        let task = tokio::spawn(work(address, steady, ever, Arc::clone(&verdict)));
        Self {
            address: sender,
            verdict,
            task,
        }
    }

    /// The host is elsewhere now.
    pub(crate) fn follow(&self, address: SocketAddr) {
        self.address.send_replace(address);
    }

    pub(crate) fn end(&self) -> Verdict {
        self.task.abort();
        self.verdict
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

async fn work(
    address: watch::Receiver<SocketAddr>,
    steady: Steady,
    ever: Ever,
    verdict: Arc<Mutex<Verdict>>,
) {
    let client = reqwest::Client::new();
    loop {
        for (job, path) in super::paths() {
            let at = *address.borrow();
            let list = read(&client, at, &path).await;
            let mut verdict = verdict.lock().unwrap_or_else(PoisonError::into_inner);
            verdict.hear(job, &list, &steady, &ever);
        }
        sleep(BETWEEN).await;
    }
}

// === impl Verdict ===

impl Verdict {
    fn hear(&mut self, job: &str, list: &List, steady: &Steady, ever: &Ever) {
        let wrong = match list {
            List::Known {
                addresses,
                is_stale,
            } => {
                self.whole += 1;
                self.stale += usize::from(*is_stale);
                let missing = steady[job].iter().find(|it| !addresses.contains(*it));
                let ever = ever.lock().unwrap_or_else(PoisonError::into_inner);
                let strange = addresses.iter().find(|it| !ever[job].contains(*it));
                match (missing, strange) {
                    (Some(missing), _) => {
                        format!("{missing} is missing among {} targets", addresses.len())
                    }
                    (None, Some(strange)) => format!("{strange} never was"),
                    (None, None) => return,
                }
            }
            List::Unknown => {
                self.unknown += 1;
                return;
            }
            List::Nobody => {
                self.nobody += 1;
                return;
            }
            List::Strange(what) => format!("answered {what}"),
        };
        if self.wrong.len() < MOST_WRONG {
            self.wrong.push(format!("{job}: {wrong}"));
        }
    }

    pub(crate) fn is_good(&self) -> bool {
        self.wrong.is_empty() && self.whole > 0
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} lists read, {} of them from disk, {} wrong; {} times not known, {} times nobody answered",
            self.whole,
            self.stale,
            self.wrong.len(),
            self.unknown,
            self.nobody
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(addresses: &[&str]) -> List {
        List::Known {
            addresses: addresses.iter().map(|it| (*it).to_owned()).collect(),
            is_stale: true,
        }
    }

    #[test]
    fn a_list_that_must_not_be_is_noticed() {
        let set = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect();
        let steady: Steady = Arc::new([("pods", set(&["a", "b"]))].into());
        let ever: Ever = Arc::new(Mutex::new([("pods", set(&["a", "b", "c"]))].into()));
        for (list, is_good) in [
            (known(&["a", "b"]), true),
            (known(&["a", "b", "c"]), true),
            (known(&["a", "c"]), false),
            (known(&[]), false),
            (known(&["a", "b", "x"]), false),
            (List::Strange("500".to_owned()), false),
        ] {
            let mut verdict = Verdict {
                whole: 1,
                ..Verdict::default()
            };
            verdict.hear("pods", &list, &steady, &ever);
            assert_eq!(verdict.is_good(), is_good, "{verdict}");
        }
        let mut nothing = Verdict::default();
        nothing.hear("pods", &List::Unknown, &steady, &ever);
        nothing.hear("pods", &List::Nobody, &steady, &ever);
        assert!(!nothing.is_good(), "nothing was read");
    }
}
