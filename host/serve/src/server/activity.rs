//! What happens on one connection, and when that is too little.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::ServeLimits;

/// Watches one connection for a reader that is too slow in any way.
#[derive(Debug)]
pub(super) struct Activity {
    limits: ServeLimits,
    /// Whether others wait for a connection.
    crowded: watch::Receiver<bool>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The last request, end of an answer, or byte written.
    last: Instant,
    /// Requests whose answers were not written yet.
    under_way: usize,
    /// When the head began that has not become a request yet.
    head: Option<Instant>,
    /// Set by the first bytes: HTTP/2 has frames of its own between requests.
    is_http2: Option<bool>,
    /// The time since which writing has been held up, and what was written since.
    held_up: Option<HeldUp>,
}

#[derive(Clone, Copy, Debug)]
struct HeldUp {
    since: Instant,
    bytes: u64,
    now: bool,
}

/// Why a connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expired {
    /// Nothing is asked for: the reader may be told that this is the end.
    Idle,
    /// The reader does not take what it asked for, or no answer comes.
    Stalled,
}

/// A request under way; its end is that of the answer's body.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Activity>);

// === impl Activity ===

impl Activity {
    pub(super) fn new(limits: ServeLimits, crowded: watch::Receiver<bool>) -> Self {
        let now = Instant::now();
        let state = State {
            last: now,
            under_way: 0,
            head: Some(now),
            is_http2: None,
            held_up: None,
        };
        Self {
            limits,
            crowded,
            state: Mutex::new(state),
        }
    }

    pub(super) fn limits(&self) -> ServeLimits {
        self.limits
    }

    /// A request arrived.
    pub(super) fn begin(self: &Arc<Self>) -> UnderWay {
        let mut state = self.lock();
        state.last = Instant::now();
        state.head = None;
        state.under_way += 1;
        UnderWay(Arc::clone(self))
    }

    /// Bytes were read.
    pub(super) fn read(&self, bytes: &[u8]) {
        let mut state = self.lock();
        let is_http2 = *state.is_http2.get_or_insert(bytes.starts_with(b"PRI"));
        if !is_http2 && state.under_way == 0 && state.head.is_none() {
            state.head = Some(Instant::now());
        }
    }

    /// Bytes were written.
    pub(super) fn wrote(&self, bytes: usize) {
        let mut state = self.lock();
        state.last = Instant::now();
        if let Some(held_up) = &mut state.held_up {
            held_up.bytes += bytes as u64;
            held_up.now = false;
        }
    }

    /// The reader takes nothing more for now.
    pub(super) fn held_up(&self) {
        let begun = HeldUp {
            since: Instant::now(),
            bytes: 0,
            now: true,
        };
        self.lock().held_up.get_or_insert(begun).now = true;
    }

    /// Returns when the connection is to be closed.
    pub(super) async fn expired(&self) -> Expired {
        let mut crowded = self.crowded.clone();
        loop {
            let now = Instant::now();
            let limits = self.limits.when(*crowded.borrow_and_update());
            let (deadline, expired) = self.lock().deadline(now, &limits);
            if deadline <= now {
                return expired;
            }
            // Events may bring the deadline nearer, but never nearer than the shortest limit.
            let shortest = limits.head.min(limits.stall).min(limits.idle);
            let turned = async {
                if crowded.changed().await.is_err() {
                    // The listener has ended, and takes nobody new.
                    pending::<()>().await;
                }
            };
            tokio::select! {
                () = sleep_until(deadline.min(now + shortest)) => {}
                () = turned => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl ServeLimits ===

impl ServeLimits {
    /// Between two requests, and for a head, while others wait for a connection.
    const CROWDED: Duration = Duration::from_secs(2);

    /// The limits while others wait for a connection, or not.
    fn when(self, is_crowded: bool) -> Self {
        if !is_crowded {
            return self;
        }
        Self {
            head: self.head.min(Self::CROWDED),
            idle: self.idle.min(Self::CROWDED),
            ..self
        }
    }
}

// === impl State ===

impl State {
    fn deadline(&mut self, now: Instant, limits: &ServeLimits) -> (Instant, Expired) {
        if let Some(held_up) = self.held_up
            && now >= held_up.since + limits.stall
        {
            if held_up.now && held_up.bytes < limits.stall_bytes {
                return (now, Expired::Stalled);
            }
            // It went on: the next time counts anew.
            self.held_up = held_up.now.then_some(HeldUp {
                since: now,
                bytes: 0,
                now: true,
            });
        }
        // An answer may be with the system or with hyper, and its request no longer under way.
        if let Some(held_up) = self.held_up {
            return (held_up.since + limits.stall, Expired::Stalled);
        }
        if self.under_way > 0 {
            return (self.last + limits.busy, Expired::Stalled);
        }
        let idle = self.last + limits.idle;
        let head = self.head.map_or(idle, |began| began + limits.head);
        (idle.min(head), Expired::Idle)
    }
}

// === impl UnderWay ===

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.under_way -= 1;
        state.last = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn activity() -> Arc<Activity> {
        activity_when(watch::channel(false).1)
    }

    fn activity_when(crowded: watch::Receiver<bool>) -> Arc<Activity> {
        let limits = ServeLimits {
            head: 10 * SECOND,
            idle: 100 * SECOND,
            busy: 300 * SECOND,
            stall: 30 * SECOND,
            stall_bytes: 1000,
            ..ServeLimits::default()
        };
        Arc::new(Activity::new(limits, crowded))
    }

    /// When and how the connection expires, if nothing happens any more.
    async fn remaining(activity: &Activity) -> (u64, Expired) {
        let start = Instant::now();
        let expired = activity.expired().await;
        (start.elapsed().as_secs(), expired)
    }

    #[tokio::test(start_paused = true)]
    async fn silent_connection_has_the_time_of_a_head() {
        assert_eq!(remaining(&activity()).await, (10, Expired::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn idle_connection_makes_room_and_a_busy_one_stays() {
        let crowded = watch::Sender::new(false);
        let (idle, busy) = (
            activity_when(crowded.subscribe()),
            activity_when(crowded.subscribe()),
        );
        drop(idle.begin());
        let _request = busy.begin();
        tokio::time::advance(SECOND).await;
        let start = Instant::now();
        let turn = async {
            tokio::time::sleep(5 * SECOND).await;
            crowded.send_replace(true);
        };
        let (expired, ()) = tokio::join!(idle.expired(), turn);
        assert_eq!((expired, start.elapsed()), (Expired::Idle, 5 * SECOND));
        assert_eq!(remaining(&busy).await, (294, Expired::Stalled));
    }

    #[tokio::test(start_paused = true)]
    async fn trickled_head_does_not_extend_its_time() {
        let activity = activity();
        drop(activity.begin());
        tokio::time::advance(50 * SECOND).await;
        activity.read(b"G");
        tokio::time::advance(7 * SECOND).await;
        activity.read(b"E");
        assert_eq!(remaining(&activity).await, (3, Expired::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn connection_between_requests_has_the_idle_time() {
        let activity = activity();
        activity.read(b"GET / HTTP/1.1\r\n\r\n");
        let request = activity.begin();
        tokio::time::advance(20 * SECOND).await;
        drop(request);
        assert_eq!(remaining(&activity).await, (100, Expired::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn frames_between_http2_requests_are_no_heads() {
        let activity = activity();
        activity.read(b"PRI * HTTP/2.0");
        drop(activity.begin());
        activity.read(b"\0\0\0\x04\x01");
        assert_eq!(remaining(&activity).await, (100, Expired::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn reader_that_takes_too_little_is_cut_off() {
        let activity = activity();
        let _request = activity.begin();
        activity.held_up();
        tokio::time::advance(20 * SECOND).await;
        activity.wrote(999);
        activity.held_up();
        assert_eq!(remaining(&activity).await, (10, Expired::Stalled));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_reader_that_goes_on_is_left_alone() {
        let activity = activity();
        let _request = activity.begin();
        for _ in 0..20 {
            activity.held_up();
            let more = tokio::time::timeout(29 * SECOND, activity.expired()).await;
            assert!(more.is_err(), "cut off");
            activity.wrote(1000);
        }
        assert_eq!(remaining(&activity).await, (300, Expired::Stalled));
    }

    #[tokio::test(start_paused = true)]
    async fn answer_without_any_progress_ends_at_last() {
        let activity = activity();
        let _request = activity.begin();
        assert_eq!(remaining(&activity).await, (300, Expired::Stalled));
    }
}
