//! Guests' lines in the host's log: named, bounded in rate and length.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::limits::{LOG_LINES_PER_SECOND, MAX_LOG_LINE};
use crate::metrics::PluginMeters;

/// How important a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// Where one instance's lines go. Clones share the rate.
#[derive(Clone)]
pub(crate) struct GuestLog {
    plugin: Arc<str>,
    instance: Arc<str>,
    bucket: Arc<Mutex<Bucket>>,
    meters: PluginMeters,
}

/// A token bucket: a second's worth at once, refilled steadily.
struct Bucket {
    tokens: f64,
    filled: Instant,
    dropped: u64,
}

// === impl GuestLog ===

impl GuestLog {
    /// For an instance, such as `sockets/3`.
    pub(crate) fn new(plugin: &Arc<str>, instance: &str, meters: &PluginMeters) -> Self {
        let bucket = Bucket::new(Instant::now());
        Self {
            plugin: Arc::clone(plugin),
            instance: instance.into(),
            bucket: Arc::new(Mutex::new(bucket)),
            meters: meters.clone(),
        }
    }

    /// Writes a line, unless there were too many.
    pub(crate) fn write(&self, level: Level, message: &str, fields: &[(String, String)]) {
        let passed = {
            let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
            bucket.take(Instant::now())
        };
        let Some(dropped) = passed else {
            self.meters.log_dropped.inc();
            return;
        };
        if dropped > 0 {
            tracing::warn!(
                plugin = %self.plugin, instance = %self.instance, dropped,
                "Plugin logged too fast; lines were dropped"
            );
        }
        self.emit(level, &line(message, fields));
    }

    fn emit(&self, level: Level, line: &str) {
        let (plugin, instance) = (&*self.plugin, &*self.instance);
        match level {
            Level::Trace => tracing::trace!(target: "periplus::guest", plugin, instance, "{line}"),
            Level::Debug => tracing::debug!(target: "periplus::guest", plugin, instance, "{line}"),
            Level::Info => tracing::info!(target: "periplus::guest", plugin, instance, "{line}"),
            Level::Warn => tracing::warn!(target: "periplus::guest", plugin, instance, "{line}"),
            Level::Error => tracing::error!(target: "periplus::guest", plugin, instance, "{line}"),
        }
    }
}

// === impl Bucket ===

impl Bucket {
    fn new(now: Instant) -> Self {
        Self {
            tokens: f64::from(LOG_LINES_PER_SECOND),
            filled: now,
            dropped: 0,
        }
    }

    /// Some: a line may pass, and this many were dropped before it.
    fn take(&mut self, now: Instant) -> Option<u64> {
        let rate = f64::from(LOG_LINES_PER_SECOND);
        let gained = now.saturating_duration_since(self.filled).as_secs_f64() * rate;
        self.tokens = (self.tokens + gained).min(rate);
        self.filled = now;
        if self.tokens < 1.0 {
            self.dropped += 1;
            return None;
        }
        self.tokens -= 1.0;
        Some(std::mem::take(&mut self.dropped))
    }
}

/// One line, whatever the guest wrote: bounded, and without control characters that could forge
/// another line or move a terminal's cursor.
fn line(message: &str, fields: &[(String, String)]) -> String {
    let mut line = String::with_capacity(message.len().min(MAX_LOG_LINE));
    push(&mut line, message);
    for (name, value) in fields {
        if line.len() >= MAX_LOG_LINE {
            break;
        }
        line.push(' ');
        push(&mut line, name);
        line.push('=');
        push(&mut line, value);
    }
    truncate(&mut line, MAX_LOG_LINE);
    line
}

fn push(line: &mut String, text: &str) {
    for c in text.chars() {
        if line.len() > MAX_LOG_LINE {
            return;
        }
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
}

/// Cuts a text at a bound, between characters, and says so.
pub(crate) fn truncate(text: &mut String, max: usize) {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max.saturating_sub(3)));
        text.push_str("...");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_flood_is_cut_and_counted_and_time_refills() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        let passed = (0..1000).filter(|_| bucket.take(start).is_some()).count();
        assert_eq!(passed, LOG_LINES_PER_SECOND as usize);
        assert_eq!(bucket.take(start + Duration::from_secs(1)), Some(900));
        assert_eq!(bucket.take(start + Duration::from_secs(1)), Some(0));
    }

    #[test]
    fn a_line_stays_one_line_and_is_bounded() {
        let fields = [("a".to_owned(), "b\nc".to_owned())];
        assert_eq!(
            line("x\r\n\u{1b}[2Jy", &fields),
            "x\\r\\n\\u{1b}[2Jy a=b\\nc"
        );
        assert_eq!(
            line(&"\u{e9}".repeat(MAX_LOG_LINE), &[]).len(),
            MAX_LOG_LINE - 1
        );
        let many = vec![("n".to_owned(), "v".repeat(100)); 1000];
        assert!(line("x", &many).len() <= MAX_LOG_LINE);
    }
}
