//! CPU time of one call: what the thread spent while the guest ran on it, waiting excluded.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::engine::Clock;
use crate::error::LimitPassed;

/// Measures one call at a time.
///
/// A call runs on whichever thread polls it, so time is summed over polls. Reading the thread's
/// clock costs some hundred nanoseconds and happens twice per poll, and once per epoch tick.
#[derive(Debug)]
pub(crate) struct Meter {
    budget: Duration,
    /// Interrupts guests.
    clock: Arc<Clock>,
    /// Nanoseconds of the polls that are over.
    spent: AtomicU64,
    /// The thread's clock when the poll that runs now began.
    began: AtomicU64,
}

// === impl Meter ===

impl Meter {
    /// A meter with a budget for each call.
    pub(crate) fn new(budget: Duration, clock: &Arc<Clock>) -> Self {
        Self {
            budget,
            clock: Arc::clone(clock),
            spent: AtomicU64::new(0),
            began: AtomicU64::new(0),
        }
    }

    /// Fails once the budget is spent; called on the guest's thread at each tick.
    pub(crate) fn check(&self) -> Result<(), LimitPassed> {
        let running = thread_time().saturating_sub(self.began.load(Ordering::Relaxed));
        let spent = self.spent.load(Ordering::Relaxed) + running;
        if Duration::from_nanos(spent) > self.budget {
            Err(LimitPassed::Cpu(self.budget))
        } else {
            Ok(())
        }
    }

    /// What the last call has spent.
    pub(crate) fn spent(&self) -> Duration {
        Duration::from_nanos(self.spent.load(Ordering::Relaxed))
    }

    /// Runs an asynchronous call against a fresh budget.
    pub(crate) async fn measure<F: Future>(&self, call: F) -> F::Output {
        self.spent.store(0, Ordering::Relaxed);
        let mut call = pin!(call);
        std::future::poll_fn(|context| {
            let _running = self.clock.run();
            self.begin();
            let answer = call.as_mut().poll(context);
            self.end();
            answer
        })
        .await
    }

    /// Runs a synchronous call against a fresh budget.
    pub(crate) fn measure_blocking<T>(&self, call: impl FnOnce() -> T) -> T {
        self.spent.store(0, Ordering::Relaxed);
        let _running = self.clock.run();
        self.begin();
        let answer = call();
        self.end();
        answer
    }

    fn begin(&self) {
        self.began.store(thread_time(), Ordering::Relaxed);
    }

    fn end(&self) {
        let ran = thread_time().saturating_sub(self.began.load(Ordering::Relaxed));
        self.spent.fetch_add(ran, Ordering::Relaxed);
    }
}

fn thread_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    (time.tv_sec as u64)
        .saturating_mul(1_000_000_000)
        .saturating_add(time.tv_nsec as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn burn(until: Duration, meter: &Meter) -> Result<(), LimitPassed> {
        let start = thread_time();
        while thread_time() - start < until.as_nanos() as u64 {
            meter.check()?;
        }
        Ok(())
    }

    #[test]
    fn work_is_counted_and_stopped_at_the_budget() {
        let meter = Meter::new(Duration::from_millis(5), &Arc::default());
        assert!(
            meter
                .measure_blocking(|| burn(Duration::from_millis(2), &meter))
                .is_ok()
        );
        assert!(meter.spent() >= Duration::from_millis(2));
        // Fresh for each call.
        assert!(
            meter
                .measure_blocking(|| burn(Duration::from_millis(4), &meter))
                .is_ok()
        );
        let stopped = meter.measure_blocking(|| burn(Duration::from_mins(1), &meter));
        assert_eq!(stopped, Err(LimitPassed::Cpu(Duration::from_millis(5))));
    }

    #[tokio::test]
    async fn waiting_costs_nothing() {
        let meter = Meter::new(Duration::from_millis(5), &Arc::default());
        meter
            .measure(tokio::time::sleep(Duration::from_millis(50)))
            .await;
        assert!(
            meter.spent() < Duration::from_millis(5),
            "{:?}",
            meter.spent()
        );
    }
}
