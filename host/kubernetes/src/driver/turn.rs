//! One of the few turns to read a whole state.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

use crate::api::{ApiError, Body};

/// A turn lasts so long at most. A server that takes longer is no burden to us, and must not keep
/// the others waiting; its state is read to the end all the same.
const LONGEST: Duration = Duration::from_secs(10);

/// The permit to read a whole state. It is given back when it is dropped.
pub(super) struct Turn {
    permit: Option<OwnedSemaphorePermit>,
    until: Instant,
}

// === impl Turn ===

impl Turn {
    /// Waits for a turn. To be asked for when the head of an answer is there: who waits for a
    /// server that is away must not keep others from theirs.
    pub(super) async fn wait(gate: &Arc<Semaphore>) -> Self {
        // Nobody closes the gate; if it were closed, it would bound nothing.
        let permit = Arc::clone(gate).acquire_owned().await.ok();
        Self {
            permit,
            until: Instant::now() + LONGEST,
        }
    }

    /// The next piece of the body; an error if none comes for as long as `stall`.
    pub(super) async fn next(
        &mut self,
        body: &mut Body,
        stall: Duration,
    ) -> Result<Option<Result<Bytes, ApiError>>, Elapsed> {
        let stalled = Instant::now() + stall;
        if self.permit.is_some() && self.until < stalled {
            if let Ok(piece) = timeout_at(self.until, body.next()).await {
                return Ok(piece);
            }
            self.permit = None;
        }
        timeout_at(stalled, body.next()).await
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    const STALL: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_keeps_nobody_waiting_for_long() {
        let gate = Arc::new(Semaphore::new(1));
        let mut turn = Turn::wait(&gate).await;
        let mut drip: Body = stream::pending().boxed();
        let began = Instant::now();
        let (read, ()) = tokio::join!(turn.next(&mut drip, STALL), async {
            drop(Turn::wait(&gate).await);
            assert_eq!(began.elapsed(), LONGEST);
        });
        assert!(read.is_err());
        assert_eq!(began.elapsed(), STALL);
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_ends_with_its_reader() {
        let gate = Arc::new(Semaphore::new(1));
        let mut turn = Turn::wait(&gate).await;
        let mut body: Body = stream::iter([Ok(Bytes::from_static(b"x"))]).boxed();
        assert!(turn.next(&mut body, STALL).await.unwrap().is_some());
        assert!(turn.next(&mut body, STALL).await.unwrap().is_none());
        assert_eq!(gate.available_permits(), 0);
        drop(turn);
        assert_eq!(gate.available_permits(), 1);
    }
}
