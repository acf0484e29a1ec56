//! How long to wait between attempts: the constants of client-go's reflector.

use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;

/// The first wait.
const FIRST: Duration = Duration::from_millis(800);
/// No wait is longer, jitter aside.
const LONGEST: Duration = Duration::from_secs(30);
/// After so long without a failure the waits begin anew.
const FORGIVEN_AFTER: Duration = Duration::from_mins(2);
/// What a server can ask for at most: one that says "come back tomorrow" is still asked today.
const LONGEST_REQUESTED: Duration = Duration::from_mins(2);

/// Counts failures and says how long to wait after each.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
    last: Option<Instant>,
}

// === impl Backoff ===

impl Backoff {
    /// The wait after a failure: doubled each time, plus up to as much again by chance, so that
    /// the watches that one restart of the server broke do not come back together.
    pub(crate) fn after_failure(&mut self, now: Instant, jitter: &mut impl Rng) -> Duration {
        let failures = self.count(now);
        let base = FIRST.saturating_mul(1 << failures.min(10)).min(LONGEST);
        base.mul_f64(1.0 + jitter.random::<f64>())
    }

    /// The wait after something that is nobody's fault, such as an expired version: none for the
    /// first in a while, then as after a failure.
    pub(crate) fn after_surprise(&mut self, now: Instant, jitter: &mut impl Rng) -> Duration {
        if self.is_quiet(now) {
            self.count(now);
            return Duration::ZERO;
        }
        self.after_failure(now, jitter)
    }

    /// The wait after a failure for which the server named a wait.
    pub(crate) fn after_refusal(
        &mut self,
        now: Instant,
        asked: Duration,
        jitter: &mut impl Rng,
    ) -> Duration {
        let own = self.after_failure(now, jitter);
        let asked = asked.min(LONGEST_REQUESTED);
        if asked <= own {
            own
        } else {
            asked.mul_f64(1.0 + 0.1 * jitter.random::<f64>())
        }
    }

    /// Things went well for a while: the waits begin anew.
    pub(crate) fn forgive(&mut self) {
        *self = Self::default();
    }

    fn is_quiet(&self, now: Instant) -> bool {
        self.last
            .is_none_or(|last| now.duration_since(last) >= FORGIVEN_AFTER)
    }

    /// Counts one failure; how many there were before it.
    fn count(&mut self, now: Instant) -> u32 {
        if self.is_quiet(now) {
            self.failures = 0;
        }
        self.last = Some(now);
        self.failures += 1;
        self.failures - 1
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn waits_double_up_to_thirty_seconds_and_begin_anew_when_quiet() {
        let mut jitter = StdRng::seed_from_u64(1);
        let mut backoff = Backoff::default();
        let mut now = Instant::now();
        for expected in [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0] {
            let wait = backoff.after_failure(now, &mut jitter).as_secs_f64();
            assert!(
                (expected..=2.0 * expected).contains(&wait),
                "{wait} for {expected}"
            );
            now += Duration::from_secs_f64(wait);
        }
        now += FORGIVEN_AFTER;
        assert!(backoff.after_failure(now, &mut jitter) <= 2 * FIRST);
    }

    #[test]
    fn the_first_surprise_costs_no_wait() {
        let mut jitter = StdRng::seed_from_u64(1);
        let mut backoff = Backoff::default();
        let now = Instant::now();
        assert_eq!(backoff.after_surprise(now, &mut jitter), Duration::ZERO);
        assert!(backoff.after_surprise(now, &mut jitter) >= FIRST);
        assert_eq!(
            backoff.after_surprise(now + FORGIVEN_AFTER, &mut jitter),
            Duration::ZERO
        );
    }

    #[test]
    fn the_server_may_ask_for_more_but_not_for_ever() {
        let mut jitter = StdRng::seed_from_u64(1);
        let mut backoff = Backoff::default();
        let now = Instant::now();
        let ten = Duration::from_secs(10);
        let wait = backoff.after_refusal(now, ten, &mut jitter);
        assert!((ten..ten * 2).contains(&wait));
        let wait = backoff.after_refusal(now, Duration::from_hours(24), &mut jitter);
        assert!(wait <= LONGEST_REQUESTED.mul_f64(1.1));
    }
}
