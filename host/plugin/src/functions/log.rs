//! `log` for both worlds.

use crate::bindings::{provider, transformer};
use crate::store::{GuestState, Level};

impl provider::periplus::discovery::log::Host for GuestState {
    async fn write(
        &mut self,
        level: provider::periplus::discovery::log::Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        use provider::periplus::discovery::log::Level as Guest;
        let level = match level {
            Guest::Trace => Level::Trace,
            Guest::Debug => Level::Debug,
            Guest::Info => Level::Info,
            Guest::Warn => Level::Warn,
            Guest::Error => Level::Error,
        };
        self.log.write(level, &message, &fields);
        Ok(())
    }
}

impl transformer::periplus::discovery::log::Host for GuestState {
    fn write(
        &mut self,
        level: transformer::periplus::discovery::log::Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        use transformer::periplus::discovery::log::Level as Guest;
        let level = match level {
            Guest::Trace => Level::Trace,
            Guest::Debug => Level::Debug,
            Guest::Info => Level::Info,
            Guest::Warn => Level::Warn,
            Guest::Error => Level::Error,
        };
        self.log.write(level, &message, &fields);
        Ok(())
    }
}
