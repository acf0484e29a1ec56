//! Few connections for many watches.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::config::Config;
use tokio::time::{Instant, timeout};
use tower::BoxError;

use super::client::client;

/// How many streams one connection carries: API servers allow 100 unless told otherwise, and a
/// request beyond that would wait for a watch to end.
pub(super) const MOST_STREAMS: usize = 90;
/// How long the first request over a connection keeps the others waiting, so that they find it
/// open instead of opening connections of their own.
const OPENING: Duration = Duration::from_secs(2);
/// A request that was not answered for so long, beside streams that live, met a server that
/// allows no more of them.
const FULL: Duration = Duration::from_secs(10);

/// Clients of one configuration, each with a connection of its own.
pub(super) struct Pool {
    config: Config,
    lines: Mutex<Vec<Arc<Line>>>,
}

/// One client, whose streams share a connection where the server speaks HTTP/2.
struct Line {
    client: kube::Client,
    /// Counts streams by its references.
    streams: Arc<()>,
    /// How many streams it may carry.
    most: AtomicUsize,
    /// Whether an answer has come over it.
    is_open: AtomicBool,
    opening: tokio::sync::Mutex<()>,
}

/// A place on a connection, for as long as an answer is read.
pub(crate) struct Place {
    line: Arc<Line>,
    _stream: Arc<()>,
    asked: Instant,
    is_answered: bool,
}

// === impl Pool ===

impl Pool {
    /// No client yet.
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            lines: Mutex::default(),
        }
    }

    /// A place on a connection with room, if there is one.
    pub(super) fn free_place(&self) -> Option<Place> {
        free(&self.lock())
    }

    /// The same, on a new connection if there is none. Blocks on the command of an exec plugin.
    pub(super) fn place(&self) -> Result<Place, BoxError> {
        let mut lines = self.lock();
        if let Some(place) = free(&lines) {
            return Ok(place);
        }
        let line = Arc::new(Line {
            client: client(&self.config)?,
            streams: Arc::default(),
            most: AtomicUsize::new(MOST_STREAMS),
            is_open: AtomicBool::new(false),
            opening: tokio::sync::Mutex::default(),
        });
        lines.push(Arc::clone(&line));
        Ok(Place::on(&line))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Line>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn free(lines: &[Arc<Line>]) -> Option<Place> {
    lines.iter().find(|line| line.has_room()).map(Place::on)
}

// === impl Line ===

impl Line {
    fn live(&self) -> usize {
        Arc::strong_count(&self.streams) - 1
    }

    fn has_room(&self) -> bool {
        self.live() < self.most.load(Ordering::Relaxed)
    }
}

// === impl Place ===

impl Place {
    fn on(line: &Arc<Line>) -> Self {
        Self {
            _stream: Arc::clone(&line.streams),
            line: Arc::clone(line),
            asked: Instant::now(),
            is_answered: false,
        }
    }

    /// Sends a request. While the connection is not open, one request opens it.
    pub(crate) async fn send(
        &mut self,
        request: http::Request<kube::client::Body>,
    ) -> Result<http::Response<kube::client::Body>, kube::Error> {
        let line = Arc::clone(&self.line);
        let opening = if line.is_open.load(Ordering::Acquire) {
            None
        } else {
            timeout(OPENING, line.opening.lock()).await.ok()
        };
        self.asked = Instant::now();
        let answer = line.client.send(request).await;
        self.is_answered = true;
        if answer.is_ok() {
            line.is_open.store(true, Ordering::Release);
        }
        drop(opening);
        answer
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // This one counts itself.
        let others = self.line.live() - 1;
        if !self.is_answered && self.asked.elapsed() >= FULL && others > 0 {
            self.line.most.fetch_min(others, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> Pool {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Pool::new(Config::new("http://127.0.0.1:9".parse().unwrap()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_carries_so_many_streams_and_the_next_one_the_rest() {
        let pool = pool();
        let mut places: Vec<_> = (0..MOST_STREAMS).map(|_| pool.place().unwrap()).collect();
        assert_eq!(pool.lines.lock().unwrap().len(), 1);
        let beyond = pool.place().unwrap();
        assert!(!Arc::ptr_eq(&beyond.line, &places[0].line));
        let freed = places.pop().unwrap();
        let line = Arc::clone(&freed.line);
        drop(freed);
        assert!(Arc::ptr_eq(&pool.place().unwrap().line, &line));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_allows_fewer_streams_is_taken_at_its_word() {
        let pool = pool();
        let watches = [pool.place().unwrap(), pool.place().unwrap()];
        let waiting = pool.place().unwrap();
        tokio::time::advance(FULL).await;
        drop(waiting);
        let next = pool.place().unwrap();
        assert!(!Arc::ptr_eq(&next.line, &watches[0].line));
        // Alone, it was the server that did not answer, and no lack of room.
        let line = Arc::clone(&next.line);
        tokio::time::advance(FULL).await;
        drop(next);
        assert!(Arc::ptr_eq(&pool.place().unwrap().line, &line));
    }
}
