//! What a guest prints: cut into lines, into the log.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use super::log::{GuestLog, Level};
use crate::limits::MAX_LOG_LINE;

/// Standard output or error of one guest. Clones share the line that is not complete yet.
#[derive(Clone)]
pub(super) struct LineLog {
    log: GuestLog,
    level: Level,
    partial: Arc<Mutex<Vec<u8>>>,
}

// === impl LineLog ===

impl LineLog {
    pub(super) fn new(log: GuestLog, level: Level) -> Self {
        Self {
            log,
            level,
            partial: Arc::default(),
        }
    }

    fn push(&self, bytes: &[u8]) {
        let mut lines = Vec::new();
        {
            let mut partial = self.partial.lock().unwrap_or_else(PoisonError::into_inner);
            for &byte in bytes {
                if byte == b'\n' {
                    lines.push(std::mem::take(&mut *partial));
                } else if partial.len() < MAX_LOG_LINE {
                    // What is longer is lost: a line that never ends must not fill the host.
                    partial.push(byte);
                }
            }
        }
        for line in lines {
            self.log
                .write(self.level, &String::from_utf8_lossy(&line), &[]);
        }
    }
}

impl IsTerminal for LineLog {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LineLog {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for LineLog {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

#[async_trait::async_trait]
impl Pollable for LineLog {
    async fn ready(&mut self) {}
}

impl AsyncWrite for LineLog {
    fn poll_write(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
