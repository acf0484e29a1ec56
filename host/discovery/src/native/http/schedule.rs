//! When to ask again.

use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;

/// The first wait after a failure, unless the interval is shorter than ten of them.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// How much earlier than the interval says: replicas and sections that began together drift apart.
const EARLIER: f64 = 0.1;

/// What may help after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    /// Asking again soon.
    Soon,
    /// Asking again after the time that the server named.
    After(Duration),
    /// Nothing but a change at the server.
    NextInterval,
}

/// Counts failures.
#[derive(Debug)]
pub(super) struct Schedule {
    interval: Duration,
    failures: u32,
}

// === impl Schedule ===

impl Schedule {
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            failures: 0,
        }
    }

    /// The next time after an answer to what began at `started`: one interval later, or up to a
    /// tenth of it earlier.
    pub(super) fn after_success(&mut self, started: Instant) -> Instant {
        self.failures = 0;
        started + jittered(self.interval)
    }

    /// The next time after a failure: waits double up to the interval, so that a server that stays
    /// down is asked no more often than one that is up.
    pub(super) fn after_failure(
        &mut self,
        started: Instant,
        now: Instant,
        retry: Retry,
    ) -> Instant {
        let first = FIRST_RETRY.min(self.interval / 10);
        let doubled = first.saturating_mul(1 << self.failures.min(20));
        self.failures += 1;
        let wait = match retry {
            Retry::Soon => doubled,
            Retry::After(asked) => asked.max(doubled),
            Retry::NextInterval => self.interval,
        };
        let next = started + jittered(wait.min(self.interval));
        // What took all of its time leaves the server a moment.
        next.max(now + first)
    }
}

fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(1.0 - EARLIER * rand::rng().random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    /// From 90% of so many seconds to all of them.
    fn is_about(seconds: u64, wait: Duration) -> bool {
        let whole = Duration::from_secs(seconds);
        (whole.mul_f64(1.0 - EARLIER)..=whole).contains(&wait)
    }

    #[test]
    fn success_waits_for_the_interval_or_a_little_less() {
        let mut schedule = Schedule::new(MINUTE);
        let started = Instant::now();
        let waits: Vec<_> = (0..100)
            .map(|_| schedule.after_success(started) - started)
            .collect();
        assert!(waits.iter().all(|wait| is_about(60, *wait)), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait != waits[0]), "{waits:?}");
    }

    #[test]
    fn failures_wait_longer_and_longer_up_to_the_interval() {
        let mut schedule = Schedule::new(MINUTE);
        let now = Instant::now();
        let first = schedule.after_failure(now, now, Retry::Soon) - now;
        assert_eq!(first, FIRST_RETRY);
        for expected in [2, 4, 8, 16, 32, 60, 60] {
            let wait = schedule.after_failure(now, now, Retry::Soon) - now;
            assert!(is_about(expected, wait), "{wait:?} for {expected}");
        }
        schedule.after_success(now);
        let wait = schedule.after_failure(now, now, Retry::Soon) - now;
        assert_eq!(wait, FIRST_RETRY);
    }

    #[test]
    fn the_server_may_ask_for_patience_but_not_beyond_the_interval() {
        let now = Instant::now();
        for (retry, expected) in [
            (Retry::After(Duration::from_secs(20)), 20),
            (Retry::After(Duration::from_hours(1)), 60),
            (Retry::NextInterval, 60),
        ] {
            let mut schedule = Schedule::new(MINUTE);
            let wait = schedule.after_failure(now, now, retry) - now;
            assert!(is_about(expected, wait), "{wait:?} for {expected}");
        }
    }

    #[test]
    fn a_request_that_took_the_whole_interval_is_followed_by_another() {
        let mut schedule = Schedule::new(MINUTE);
        let started = Instant::now();
        let now = started + MINUTE;
        let next = schedule.after_failure(started, now, Retry::Soon);
        assert_eq!(next, now + FIRST_RETRY);
    }

    #[test]
    fn short_intervals_have_short_waits() {
        let mut schedule = Schedule::new(Duration::from_millis(50));
        let now = Instant::now();
        let next = schedule.after_failure(now, now, Retry::Soon);
        assert!(next - now <= Duration::from_millis(5));
    }
}
