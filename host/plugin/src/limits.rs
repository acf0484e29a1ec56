//! Every bound on a plugin, in one table.

use std::time::Duration;

use periplus_config::PluginLimits;

/// Bytes of a `.wasm` file.
pub(crate) const MAX_COMPONENT_BYTES: u64 = 64 << 20;
/// Bytes of all compiled plugins in the cache: twenty of Python, or hundreds of Rust.
pub(crate) const MAX_CACHE_BYTES: u64 = 2 << 30;
/// Bytes of the manifest that `describe` returns.
pub(crate) const MAX_MANIFEST_BYTES: usize = 1 << 20;
/// Between two ticks of the clock by which guests are interrupted.
pub(crate) const EPOCH_TICK: Duration = Duration::from_millis(10);
/// Lines that a plugin may log per second, and at once.
pub(crate) const LOG_LINES_PER_SECOND: u32 = 100;
/// Bytes of one line, fields included.
pub(crate) const MAX_LOG_LINE: usize = 4 << 10;
/// Bytes of a file that `files.read` returns.
pub(crate) const MAX_FILE_BYTES: u64 = 16 << 20;
/// Paths that one `files.glob` looks at.
pub(crate) const MAX_GLOB_ENTRIES: usize = 10_000;
/// Questions in one `dns.resolve`.
pub(crate) const MAX_QUESTIONS: usize = 256;
/// Time for one `dns.resolve`.
pub(crate) const DNS_TIMEOUT: Duration = Duration::from_secs(10);
/// Requests that `http.start` may have under way.
pub(crate) const MAX_STARTED_REQUESTS: usize = 64;
/// Live handles to resources of WASI.
pub(crate) const MAX_HANDLES: usize = 1_000;
/// Elements of all tables; Python brings some thousands.
pub(crate) const MAX_TABLE_ELEMENTS: usize = 200_000;
/// Core instances, tables and memories in one store.
pub(crate) const MAX_INSTANCES: usize = 1_000;
/// Labels of one target, group or row.
pub(crate) const MAX_LABELS: usize = 1_000;
/// Rows in one batch; more gain nothing (wasmtime 48, 2026-11).
pub(crate) const BATCH_ROWS: usize = 256;
/// Edits in one answer, for each row of the batch.
pub(crate) const MAX_EDITS_PER_ROW: usize = 64;
/// How long a provider may ask to be left alone.
pub(crate) const MAX_INTERVAL: Duration = Duration::from_hours(24);
/// How often a provider may be asked.
pub(crate) const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// The longest pause between attempts at something that keeps failing.
pub(crate) const MAX_BACKOFF: Duration = Duration::from_mins(1);
/// Failed starts in a row after which an instance waits for a new file or configuration.
pub(crate) const MAX_FAILED_STARTS: u32 = 3;

/// The bounds that an operator may set, defaults filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes of linear memory.
    pub(crate) memory: usize,
    /// CPU time of one call.
    pub(crate) cpu: Duration,
    /// Time of one call, waiting included.
    pub(crate) wall: Duration,
    /// Groups in one update.
    pub(crate) groups: usize,
    /// Targets in one update.
    pub(crate) targets: usize,
    /// Bytes that one call may hand over.
    pub(crate) output: usize,
}

// === impl Limits ===

impl Limits {
    /// For a provider.
    pub(crate) fn provider(set: &PluginLimits) -> Self {
        Self::with_defaults(
            set,
            256 << 20,
            Duration::from_secs(5),
            Duration::from_mins(5),
        )
    }

    /// For a transformer, which has nothing to wait for.
    pub(crate) fn transformer(set: &PluginLimits) -> Self {
        Self::with_defaults(
            set,
            64 << 20,
            Duration::from_secs(5),
            Duration::from_secs(30),
        )
    }

    fn with_defaults(set: &PluginLimits, memory: u64, cpu: Duration, wall: Duration) -> Self {
        let size = |set: Option<u64>, default: u64| {
            usize::try_from(set.unwrap_or(default)).unwrap_or(usize::MAX)
        };
        Self {
            memory: size(set.memory, memory),
            cpu: set.cpu.unwrap_or(cpu),
            wall: set.wall.unwrap_or(wall),
            groups: size(set.groups, 200_000),
            targets: size(set.targets, 1_000_000),
            output: size(set.output, 128 << 20),
        }
    }
}
