//! Pauses between attempts at something that keeps failing.

use std::time::Duration;

use crate::limits::{MAX_BACKOFF, MIN_INTERVAL};

/// Doubles from a second to a minute, each pause drawn from its upper half, so that instances that
/// failed together do not come back together. It never gives up.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

// === impl Backoff ===

impl Backoff {
    /// The next pause.
    pub(crate) fn next(&mut self) -> Duration {
        let full = MIN_INTERVAL
            .saturating_mul(1 << self.failures.min(10))
            .min(MAX_BACKOFF);
        self.failures = self.failures.saturating_add(1);
        full.mul_f64(rand::random_range(0.5..=1.0))
    }

    /// Something worked.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_cap_and_start_over() {
        let mut backoff = Backoff::default();
        for round in 0..20 {
            let pause = backoff.next();
            assert!(pause <= MAX_BACKOFF, "{pause:?}");
            assert!(
                pause >= Duration::from_millis(500).min(MAX_BACKOFF),
                "{pause:?}"
            );
            if round >= 6 {
                assert!(pause >= MAX_BACKOFF / 2, "{pause:?}");
            }
        }
        backoff.reset();
        assert!(backoff.next() <= MIN_INTERVAL);
    }
}
