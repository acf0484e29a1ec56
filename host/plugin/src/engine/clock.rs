//! The clock by which guests are interrupted. It ticks only while one of them runs.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::{self, Thread};

use wasmtime::EngineWeak;

use crate::limits::EPOCH_TICK;

/// Ticks the epochs of engines while guests run.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    /// Guests that run now.
    running: AtomicUsize,
    /// The thread waits to be woken.
    is_resting: AtomicBool,
    thread: OnceLock<Thread>,
}

/// A guest that runs, for as long as this lives.
pub(crate) struct Running<'a>(&'a Clock);

// === impl Clock ===

impl Clock {
    /// Starts the thread that ticks these engines; it ends with the clock or with them.
    pub(super) fn start(engines: Vec<EngineWeak>) -> std::io::Result<Arc<Self>> {
        let clock = Arc::new(Self::default());
        let weak = Arc::downgrade(&clock);
        let thread = thread::Builder::new()
            .name("plugin-epochs".into())
            .spawn(move || {
                while Self::turn(&weak) {
                    for engine in &engines {
                        let Some(engine) = engine.upgrade() else {
                            return;
                        };
                        engine.increment_epoch();
                    }
                }
            })?;
        _ = clock.thread.set(thread.thread().clone());
        Ok(clock)
    }

    /// To be held while a guest runs.
    pub(crate) fn run(&self) -> Running<'_> {
        self.running.fetch_add(1, Ordering::SeqCst);
        if self.is_resting.swap(false, Ordering::SeqCst) {
            self.wake();
        }
        Running(self)
    }

    /// Until the next tick; false if the clock is gone.
    #[expect(
        clippy::disallowed_methods,
        reason = "a thread of its own, outside every runtime"
    )]
    fn turn(clock: &Weak<Self>) -> bool {
        thread::sleep(EPOCH_TICK);
        loop {
            let Some(clock) = clock.upgrade() else {
                return false;
            };
            // Said before it is looked at, so that whoever begins after the look wakes the thread.
            clock.is_resting.store(true, Ordering::SeqCst);
            if clock.running.load(Ordering::SeqCst) > 0 {
                clock.is_resting.store(false, Ordering::SeqCst);
                return true;
            }
            drop(clock);
            thread::park();
        }
    }

    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.wake();
    }
}

// === impl Running ===

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use wasmtime::{Engine, Instance, Module, Store};

    use super::*;

    /// Guests spin until the first tick; that they come back shows that there was one.
    #[test]
    fn it_ticks_while_guests_run() {
        let mut config = wasmtime::Config::new();
        config.epoch_interruption(true);
        let engine = Engine::new(&config).unwrap();
        let clock = Clock::start(vec![engine.weak()]).unwrap();
        let spins = wat::parse_str(r#"(module (func (export "f") (loop (br 0))))"#).unwrap();
        let module = Module::new(&engine, spins).unwrap();
        for pause in [0, 50, 0] {
            // Long enough for the thread to come to rest.
            std::thread::park_timeout(Duration::from_millis(pause));
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let spin = instance.get_typed_func::<(), ()>(&mut store, "f").unwrap();
            store.set_epoch_deadline(2);
            let _running = clock.run();
            assert!(spin.call(&mut store, ()).is_err());
        }
    }

    #[test]
    fn it_rests_while_none_does_and_ends_with_its_owner() {
        let clock = Clock::start(Vec::new()).unwrap();
        drop(clock.run());
        let deadline = Instant::now() + Duration::from_secs(20);
        while !clock.is_resting.load(Ordering::SeqCst) {
            assert!(Instant::now() < deadline, "it never rests");
            std::thread::yield_now();
        }
        let weak = Arc::downgrade(&clock);
        drop(clock);
        assert!(weak.upgrade().is_none());
    }
}
