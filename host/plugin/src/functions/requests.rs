//! Requests that outlive the call that began them.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use periplus_http::{EgressError, EgressResponse, FailureKind};
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

use crate::limits::MAX_STARTED_REQUESTS;

/// A request that ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) ticket: u32,
    pub(crate) outcome: Result<EgressResponse, EgressError>,
}

/// The requests that one instance has under way. Dropping it aborts them all.
pub(crate) struct Requests {
    last_ticket: u32,
    /// None: answered at once, waiting in the queue.
    under_way: HashMap<u32, Option<AbortHandle>>,
    sender: mpsc::Sender<Ended>,
    ended: mpsc::Receiver<Ended>,
    arrived: Arc<Notify>,
}

// === impl Requests ===

impl Requests {
    /// Begins a request; its ticket.
    pub(crate) fn start<F>(&mut self, exchange: F) -> u32
    where
        F: Future<Output = Result<EgressResponse, EgressError>> + Send + 'static,
    {
        if self.under_way.len() >= MAX_STARTED_REQUESTS {
            let message =
                format!("more than the limit of {MAX_STARTED_REQUESTS} requests are under way");
            return self.fail(EgressError {
                kind: FailureKind::TooLarge,
                message,
            });
        }
        let ticket = self.ticket();
        let (sender, arrived) = (self.sender.clone(), Arc::clone(&self.arrived));
        let task = tokio::spawn(async move {
            let outcome = exchange.await;
            if sender.send(Ended { ticket, outcome }).await.is_ok() {
                arrived.notify_one();
            }
        });
        self.under_way.insert(ticket, Some(task.abort_handle()));
        ticket
    }

    /// A request that failed before it began; its answer waits like any other.
    pub(crate) fn fail(&mut self, error: EgressError) -> u32 {
        let ticket = self.ticket();
        // A guest that never asks for its answers loses those beyond the queue.
        if self
            .sender
            .try_send(Ended {
                ticket,
                outcome: Err(error),
            })
            .is_ok()
        {
            self.under_way.insert(ticket, None);
            self.arrived.notify_one();
        }
        ticket
    }

    /// The next answer; with nothing under way, a pause.
    pub(crate) async fn next(&mut self, timeout: Duration) -> Option<Ended> {
        tokio::time::timeout(timeout, async {
            loop {
                let ended = self.ended.recv().await?;
                // One that was abandoned meanwhile has no answer.
                if self.under_way.remove(&ended.ticket).is_some() {
                    return Some(ended);
                }
            }
        })
        .await
        .ok()
        .flatten()
    }

    /// No answer will come.
    pub(crate) fn abandon(&mut self, ticket: u32) {
        if let Some(Some(task)) = self.under_way.remove(&ticket) {
            task.abort();
        }
    }

    /// Whether an answer waits that nobody has taken.
    pub(crate) fn has_ended(&self) -> bool {
        !self.ended.is_empty()
    }

    /// Told when an answer arrives.
    pub(crate) fn arrived(&self) -> Arc<Notify> {
        Arc::clone(&self.arrived)
    }

    fn ticket(&mut self) -> u32 {
        self.last_ticket = self.last_ticket.wrapping_add(1);
        self.last_ticket
    }
}

impl Default for Requests {
    fn default() -> Self {
        // Room for every request under way and as many that failed at once.
        let (sender, ended) = mpsc::channel(2 * MAX_STARTED_REQUESTS);
        Self {
            last_ticket: 0,
            under_way: HashMap::new(),
            sender,
            ended,
            arrived: Arc::default(),
        }
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        for task in self.under_way.values().flatten() {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "it stands for an exchange")]
    fn answer(status: u16) -> Result<EgressResponse, EgressError> {
        Ok(EgressResponse {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn answers_come_in_order_of_arrival() {
        let mut requests = Requests::default();
        let slow = requests.start(async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            answer(200)
        });
        let fast = requests.start(async { answer(204) });
        assert_eq!(
            requests.next(Duration::from_secs(1)).await.unwrap().ticket,
            fast
        );
        assert!(requests.next(Duration::from_secs(1)).await.is_none());
        assert_eq!(
            requests.next(Duration::from_secs(5)).await.unwrap().ticket,
            slow
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_abandoned_request_has_no_answer() {
        let mut requests = Requests::default();
        let ticket = requests.start(async { answer(200) });
        tokio::task::yield_now().await;
        requests.abandon(ticket);
        assert!(requests.next(Duration::from_secs(1)).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_fail_and_the_failure_is_the_answer() {
        let mut requests = Requests::default();
        for _ in 0..MAX_STARTED_REQUESTS {
            requests.start(std::future::pending());
        }
        let ticket = requests.start(async { answer(200) });
        let ended = requests.next(Duration::from_secs(1)).await.unwrap();
        assert_eq!(ended.ticket, ticket);
        assert_eq!(ended.outcome.unwrap_err().kind, FailureKind::TooLarge);
    }
}
