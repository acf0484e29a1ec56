//! Lines for the host's log. The host adds the plugin's name, bounds the rate and the length, and hides secrets.
//!
//! `warn!("Skipped {count} lines"; file = path, first = line);` with a format string, then fields after a semicolon.

#[cfg(target_family = "wasm")]
use crate::component::host;
#[cfg(not(target_family = "wasm"))]
use crate::testing::host;

/// How much an operator should care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Each decision.
    Trace,
    /// Each object.
    Debug,
    /// Beginning and end of things.
    Info,
    /// Something is degraded and recovers alone.
    Warn,
    /// An operator must act.
    Error,
}

/// Writes one line. The macros read better.
pub fn write(level: Level, message: &str, fields: Vec<(String, String)>) {
    host::log_write(level, message, fields);
}

/// Writes a line at a level: `log!(Level::Info, "Read {count} hosts"; url = url)`.
#[macro_export]
macro_rules! log {
    ($level:expr, $format:literal $(, $argument:expr)* $(; $($name:ident = $value:expr),+ $(,)?)?) => {
        $crate::log::write(
            $level,
            &::std::format!($format $(, $argument)*),
            ::std::vec![$($((::std::stringify!($name).to_owned(), ::std::string::ToString::to_string(&$value))),+)?],
        )
    };
}

/// For each object: `debug!("Left out a host"; name = name)`.
#[macro_export]
macro_rules! debug {
    ($($line:tt)+) => { $crate::log!($crate::log::Level::Debug, $($line)+) };
}

/// For the beginning and end of things.
#[macro_export]
macro_rules! info {
    ($($line:tt)+) => { $crate::log!($crate::log::Level::Info, $($line)+) };
}

/// For what is degraded and recovers alone.
#[macro_export]
macro_rules! warn {
    ($($line:tt)+) => { $crate::log!($crate::log::Level::Warn, $($line)+) };
}

/// For what an operator must act on.
#[macro_export]
macro_rules! error {
    ($($line:tt)+) => { $crate::log!($crate::log::Level::Error, $($line)+) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    #[test]
    fn lines_carry_level_message_and_fields() {
        let host = FakeHost::new().install();
        let count = 3;
        warn!("Skipped {count} of {} lines", 5; file = "/proc/x", first = 2);
        info!("Plain");
        let lines = host.log();
        assert_eq!(lines[0].level, Level::Warn);
        assert_eq!(lines[0].message, "Skipped 3 of 5 lines");
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            lines[0].fields,
            [field("file", "/proc/x"), field("first", "2")]
        );
        assert!(lines[1].fields.is_empty());
    }
}
