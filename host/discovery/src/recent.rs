//! What was published of late, for people who ask whether anything moves.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So many spans are remembered,
const SPANS: usize = 60;
/// each of this length: ten minutes in all.
const SPAN: Duration = Duration::from_secs(10);

/// Snapshots that were published within one span of ten seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Span {
    /// How many.
    pub published: u32,
    /// The longest time from a source's event to its snapshot.
    pub slowest: Duration,
}

/// The last ten minutes.
#[derive(Debug)]
pub(crate) struct Recent {
    since: Instant,
    spans: Mutex<Ring>,
}

/// Spans by their number modulo the ring's length.
#[derive(Debug)]
struct Ring {
    spans: [Span; SPANS],
    /// The number of the newest span.
    newest: u64,
}

// === impl Recent ===

impl Recent {
    /// Counts a snapshot. `slowest` is the longest way of an event into it, if events led to it.
    pub(crate) fn published(&self, slowest: Option<Duration>) {
        let mut ring = self.lock();
        let span = ring.advance(self.number());
        span.published = span.published.saturating_add(1);
        span.slowest = span.slowest.max(slowest.unwrap_or_default());
    }

    /// The spans from the oldest to the one that goes on.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let mut ring = self.lock();
        let newest = self.number();
        ring.advance(newest);
        let (old, new) = ring.spans.split_at(place(newest) + 1);
        [new, old].concat()
    }

    fn number(&self) -> u64 {
        self.since.elapsed().as_secs() / SPAN.as_secs()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Ring> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            spans: Mutex::new(Ring {
                spans: [Span::default(); SPANS],
                newest: 0,
            }),
        }
    }
}

// === impl Ring ===

impl Ring {
    /// The span of this number; those between it and the newest so far were empty.
    fn advance(&mut self, number: u64) -> &mut Span {
        let skipped = number.saturating_sub(self.newest).min(SPANS as u64);
        for step in 0..skipped {
            self.spans[place(number - step)] = Span::default();
        }
        self.newest = self.newest.max(number);
        &mut self.spans[place(number)]
    }
}

fn place(number: u64) -> usize {
    (number % SPANS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn counts_by_spans_and_forgets_the_oldest() {
        let recent = Recent::default();
        recent.published(Some(Duration::from_millis(3)));
        recent.published(None);
        tokio::time::advance(SPAN * 2).await;
        recent.published(Some(Duration::from_millis(5)));
        let spans = recent.spans();
        assert_eq!(spans.len(), SPANS);
        let counts = |spans: &[Span]| spans.iter().map(|span| span.published).collect::<Vec<_>>();
        assert_eq!(counts(&spans[SPANS - 3..]), [2, 0, 1]);
        assert_eq!(spans[SPANS - 3].slowest, Duration::from_millis(3));
        tokio::time::advance(SPAN * 58).await;
        assert_eq!(
            counts(&recent.spans()[..2]),
            [0, 1],
            "the first two are forgotten"
        );
        tokio::time::advance(SPAN * 1000).await;
        assert_eq!(counts(&recent.spans()), [0; SPANS]);
    }
}
