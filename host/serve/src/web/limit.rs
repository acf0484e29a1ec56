//! `rate_limit`: a bucket of tokens for all requests of the listeners together.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// One token comes each interval, up to `burst`; a request takes one.
#[derive(Debug)]
pub(super) struct Limit {
    interval: Duration,
    burst: f64,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

// === impl Limit ===

impl Limit {
    /// A full bucket. `interval` is not zero.
    pub(super) fn new(interval: Duration, burst: u32) -> Self {
        let burst = f64::from(burst);
        let bucket = Bucket {
            tokens: burst,
            at: Instant::now(),
        };
        Self {
            interval,
            burst,
            bucket: Mutex::new(bucket),
        }
    }

    /// Whether a request may pass.
    pub(super) fn take(&self) -> bool {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let come = (now - bucket.at).as_secs_f64() / self.interval.as_secs_f64();
        bucket.at = now;
        bucket.tokens = (bucket.tokens + come).min(self.burst);
        let passes = bucket.tokens >= 1.0;
        if passes {
            bucket.tokens -= 1.0;
        }
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn burst_passes_and_then_one_each_interval() {
        let limit = Limit::new(Duration::from_secs(1), 2);
        assert!(limit.take() && limit.take());
        assert!(!limit.take());
        tokio::time::advance(Duration::from_millis(999)).await;
        assert!(!limit.take());
        tokio::time::advance(Duration::from_millis(2)).await;
        assert!(limit.take());
        tokio::time::advance(Duration::from_mins(1)).await;
        assert!(limit.take() && limit.take());
        assert!(!limit.take(), "more than the burst was saved");
    }
}
