//! The compiler's own side, and what its end means.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::{Resource, Rlimit, Signal};

use super::CompilerBounds;
use crate::engine;
use crate::limits::MAX_COMPONENT_BYTES;

/// How a compiler ends that found the component wrong: not 1, which a panic or a wrong command line
/// could be taken for.
const REFUSED: u8 = 65;

/// Bounds this process, compiles the component on standard input, and writes its machine code to
/// standard output. The answer is the exit code; what is wrong goes to standard error. Does not
/// survive its parent.
pub fn compile_as_child(bounds: &CompilerBounds) -> u8 {
    match bound(bounds).and_then(|()| read()) {
        Err(error) => fail(1, &error.to_string()),
        Ok(component) => match compile(&component) {
            Err(error) => fail(REFUSED, &error.root_cause().to_string()),
            Ok(code) => match std::io::stdout().lock().write_all(&code) {
                Ok(()) => 0,
                Err(error) => fail(1, &format!("cannot write the compiled code: {error}")),
            },
        },
    }
}

fn compile(component: &[u8]) -> wasmtime::Result<Vec<u8>> {
    engine::engine()?.precompile_component(component)
}

fn bound(bounds: &CompilerBounds) -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    set(Resource::As, bounds.memory)?;
    set(Resource::Cpu, bounds.cpu.as_secs().max(1))?;
    // Nobody wants the memory of a compiler on disk.
    set(Resource::Core, 0)
}

/// Never above what the process was given: only administrators may raise that.
fn set(resource: Resource, value: u64) -> std::io::Result<()> {
    let given = rustix::process::getrlimit(resource).maximum;
    let value = given.map_or(value, |given| given.min(value));
    let limit = Rlimit {
        current: Some(value),
        maximum: Some(value),
    };
    Ok(rustix::process::setrlimit(resource, limit)?)
}

fn read() -> std::io::Result<Vec<u8>> {
    let mut component = Vec::new();
    let mut input = std::io::stdin().lock().take(MAX_COMPONENT_BYTES + 1);
    input.read_to_end(&mut component)?;
    if component.len() as u64 > MAX_COMPONENT_BYTES {
        return Err(std::io::Error::other("the component is too large"));
    }
    Ok(component)
}

fn fail(code: u8, message: &str) -> u8 {
    // Without a reader, the code alone has to say it.
    let _ = writeln!(std::io::stderr(), "{message}");
    code
}

/// What is wrong with the component, if that is why the compiler ended.
pub(super) fn refusal(status: ExitStatus, message: &str) -> Option<String> {
    (status.code() == Some(i32::from(REFUSED))).then(|| message.to_owned())
}

/// Why the compiler ended without an answer.
pub(super) fn end_of(status: ExitStatus, message: &str, bounds: &CompilerBounds) -> String {
    let mebibytes = bounds.memory >> 20;
    let signal = status.signal().and_then(Signal::from_named_raw);
    // Rust's allocator says so before it aborts, and threads that cannot start do in their way.
    let memory = message.contains("memory allocation") || message.contains("os error 12");
    match signal {
        Some(Signal::XCPU) => format!("it used more than {:?} of processor time", bounds.cpu),
        _ if memory => format!("it needed more than {mebibytes} MiB of memory"),
        Some(Signal::KILL) => {
            "it was killed from outside, perhaps because the machine is short of memory".to_owned()
        }
        Some(signal) if message.is_empty() => format!("it ended with signal {signal:?}"),
        Some(signal) => format!("it ended with signal {signal:?}: {message}"),
        None if message.is_empty() => format!("it ended with {status}"),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_is_told_apart() {
        let bounds = CompilerBounds::default();
        let said = |raw, message| end_of(ExitStatus::from_raw(raw), message, &bounds);
        assert_eq!(said(24, ""), "it used more than 600s of processor time");
        let aborted = said(6, "memory allocation of 4096 bytes failed");
        assert_eq!(aborted, "it needed more than 3072 MiB of memory");
        assert!(said(9, "").starts_with("it was killed from outside"));
        assert_eq!(said(1 << 8, "no space left"), "no space left");
        assert_eq!(
            refusal(ExitStatus::from_raw(65 << 8), "bad code").as_deref(),
            Some("bad code")
        );
        assert_eq!(refusal(ExitStatus::from_raw(1 << 8), "bad code"), None);
    }
}
