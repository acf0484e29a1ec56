//! Answers' bodies, and the faults that befall them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, Stream, StreamExt};
use hyper::body::{Frame, SizeHint};

use crate::faults::Fault;

/// A body of known length, or a stream of pieces; an error in the stream cuts the connection.
pub(crate) struct Body {
    pieces: BoxStream<'static, io::Result<Bytes>>,
    length: Option<u64>,
    /// An error that waits until what came before it has been sent.
    failing: Option<io::Error>,
}

impl Body {
    pub(crate) fn full(bytes: Bytes) -> Self {
        let length = Some(bytes.len() as u64);
        Self {
            pieces: stream::iter([Ok(bytes)]).boxed(),
            length,
            failing: None,
        }
    }

    pub(crate) fn stream(pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        Self {
            pieces: pieces.boxed(),
            length: None,
            failing: None,
        }
    }

    pub(crate) fn with_faults(mut self, faults: &[Fault]) -> Self {
        for fault in faults {
            match fault {
                Fault::SlowBody { chunk, pause } => {
                    self.pieces = slow(self.pieces, (*chunk).max(1), *pause);
                }
                Fault::TruncateBody(after) => self.pieces = truncated(self.pieces, *after),
                _ => {}
            }
        }
        self
    }
}

fn slow(
    pieces: BoxStream<'static, io::Result<Bytes>>,
    chunk: usize,
    pause: Duration,
) -> BoxStream<'static, io::Result<Bytes>> {
    let split = pieces.flat_map(move |piece| match piece {
        Ok(bytes) => {
            let mut rest = BytesMut::from(bytes);
            let parts = std::iter::from_fn(move || {
                (!rest.is_empty()).then(|| Ok(rest.split_to(rest.len().min(chunk)).freeze()))
            });
            stream::iter(parts).left_stream()
        }
        Err(error) => stream::iter([Err(error)]).right_stream(),
    });
    split
        .then(move |part| async move {
            tokio::time::sleep(pause).await;
            part
        })
        .boxed()
}

fn truncated(
    pieces: BoxStream<'static, io::Result<Bytes>>,
    after: usize,
) -> BoxStream<'static, io::Result<Bytes>> {
    let cut = || io::Error::new(io::ErrorKind::ConnectionAborted, "cut on demand");
    stream::unfold(
        (pieces, Some(after)),
        move |(mut pieces, left)| async move {
            let left = left?;
            if left == 0 {
                return Some((Err(cut()), (pieces, None)));
            }
            match pieces.next().await? {
                Ok(bytes) => {
                    let part = bytes.slice(..bytes.len().min(left));
                    let left = left - part.len();
                    Some((Ok(part), (pieces, Some(left))))
                }
                Err(error) => Some((Err(error), (pieces, None))),
            }
        },
    )
    .boxed()
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(error) = self.failing.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match self.pieces.poll_next_unpin(context) {
            // hyper drops what it has not yet written when a body fails, and writes when it has to wait.
            Poll::Ready(Some(Err(error))) => {
                self.failing = Some(error);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            piece => piece.map(|piece| piece.map(|p| p.map(Frame::data))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
