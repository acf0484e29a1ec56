//! Who turns components into machine code, and where: this process, or one of its own whose memory
//! is the system's again afterwards.

mod child;

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;

use crate::error::PluginError;
use crate::source::VerifiedPlugin;

pub use child::compile_as_child;

/// Bytes of what a compiler may say about a component.
const MAX_MESSAGE: u64 = 4 << 10;

/// Who compiles.
#[derive(Clone, Debug, Default)]
pub enum Compiler {
    /// This process: memory stays larger for it, and a component that takes too long cannot be
    /// stopped. For tests, and for a host without a cache folder, which has no place for a file.
    #[default]
    InProcess,
    /// A process of its own for each component.
    Child(ChildCompiler),
}

/// A program that compiles one component: it reads it from its standard input, writes the machine
/// code to its standard output, and what is wrong with the component to its standard error. One
/// runs at a time.
#[derive(Clone, Debug)]
pub struct ChildCompiler {
    program: PathBuf,
    arguments: Vec<OsString>,
    bounds: CompilerBounds,
    turn: Arc<Semaphore>,
}

/// What a compiler may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompilerBounds {
    /// Bytes of address space.
    pub memory: u64,
    /// Processor time of all its threads.
    pub cpu: Duration,
    /// Time from its start to its end.
    pub wall: Duration,
}

// === impl CompilerBounds ===

impl Default for CompilerBounds {
    /// Six times what Python's interpreter takes, the largest component known (2026-11).
    fn default() -> Self {
        Self {
            memory: 3 << 30,
            cpu: Duration::from_mins(10),
            wall: Duration::from_mins(5),
        }
    }
}

// === impl ChildCompiler ===

impl ChildCompiler {
    /// The program must call [`compile_as_child`] with the same bounds when it is given these
    /// arguments.
    pub fn new(program: PathBuf, arguments: Vec<OsString>, bounds: CompilerBounds) -> Self {
        Self {
            program,
            arguments,
            bounds,
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// Compiles into a file. The process is killed when this is dropped.
    pub(crate) async fn compile(
        &self,
        plugin: &VerifiedPlugin,
        output: File,
    ) -> Result<(), PluginError> {
        let _turn = self.turn.acquire().await;
        let began = Instant::now();
        let path = plugin.path.display();
        tracing::info!(plugin = %path, bytes = plugin.bytes.len(), "Compiling a plugin");
        let failed = |reason| PluginError::Compiler {
            path: plugin.path.clone(),
            reason,
        };
        let child = self.start(output).map_err(|e| {
            failed(format!(
                "cannot start `{}`: {e}",
                self.program.to_string_lossy()
            ))
        })?;
        let wall = self.bounds.wall;
        let ended = tokio::time::timeout(wall, feed(child, &plugin.bytes)).await;
        let (status, message) = ended
            .map_err(|_| failed(format!("it was not done after {wall:?}")))?
            .map_err(|e| failed(e.to_string()))?;
        if status.success() {
            tracing::info!(plugin = %path, seconds = began.elapsed().as_secs_f64(), "Compiled a plugin");
            return Ok(());
        }
        Err(match child::refusal(status, &message) {
            Some(reason) => PluginError::Compile {
                path: plugin.path.clone(),
                reason,
            },
            None => failed(child::end_of(status, &message, &self.bounds)),
        })
    }

    fn start(&self, output: File) -> std::io::Result<Child> {
        Command::new(&self.program)
            .args(&self.arguments)
            // It needs nothing of it, and there may be secrets in it.
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }
}

/// Hands a component to the process and waits for its end.
async fn feed(
    mut child: Child,
    component: &[u8],
) -> std::io::Result<(std::process::ExitStatus, String)> {
    let (input, errors) = (child.stdin.take(), child.stderr.take());
    let write = async {
        if let Some(mut input) = input {
            // A compiler that ends early says why in another way.
            let _ = input.write_all(component).await;
            let _ = input.shutdown().await;
        }
    };
    let read = async {
        let mut message = Vec::new();
        if let Some(mut errors) = errors {
            let mut bounded = (&mut errors).take(MAX_MESSAGE);
            bounded.read_to_end(&mut message).await?;
            // The rest is read all the same, or the process would wait for a reader.
            tokio::io::copy(&mut errors, &mut tokio::io::sink()).await?;
        }
        std::io::Result::Ok(String::from_utf8_lossy(&message).trim().to_owned())
    };
    let ((), message) = tokio::join!(write, read);
    Ok((child.wait().await?, message?))
}
