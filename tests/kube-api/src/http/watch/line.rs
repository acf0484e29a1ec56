//! The lines of a watch as they go out: events, bookmarks, errors, each plain or a gzip member of its own.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use tokio::sync::mpsc;

use super::super::Call;
use super::super::negotiate::{PARTIAL, View};
use super::run::End;
use crate::faults::Fault;
use crate::object::{Object, wire};

/// Where the lines of one watch go.
pub(super) struct Lines {
    sender: mpsc::Sender<io::Result<Bytes>>,
    view: View,
    /// `kind` and `apiVersion` of the objects.
    prefix: String,
    gzip: bool,
    pub(super) sent: usize,
    /// The last event, without the end of its line.
    pub(super) last: Vec<u8>,
}

// === impl Lines ===

impl Lines {
    pub(super) fn new(
        call: &Call<'_>,
        sender: mpsc::Sender<io::Result<Bytes>>,
        gzip: bool,
    ) -> Self {
        Self {
            sender,
            view: call.view,
            prefix: match call.view {
                View::Whole => call.prefix(),
                View::Metadata => PARTIAL.to_owned(),
            },
            gzip,
            sent: 0,
            last: Vec::new(),
        }
    }

    /// The line of an event, without its end.
    pub(super) fn event(&self, kind: &str, object: &Object, faults: &[Fault]) -> Vec<u8> {
        let prefix = format!(r#"{{"type":"{kind}","object":{{{}"#, self.prefix);
        let replaced = faults.iter().find_map(|f| f.replaces(object));
        let mut line = match (replaced, self.view) {
            // Text that is not an object is sent as it is, in the place of the object.
            (Some(json), _) if !json.starts_with('{') => {
                format!(r#"{{"type":"{kind}","object":{json}"#).into_bytes()
            }
            // `wire` opens an object; the prefix has opened it already.
            (Some(json), _) => wire(&prefix, json.as_bytes()),
            (None, View::Whole) => object.wire(&prefix),
            (None, View::Metadata) => wire(&prefix, &object.metadata_json()),
        };
        line.push(b'}');
        line
    }

    /// The line of a bookmark: an object of the kind with every required field empty.
    pub(super) fn bookmark(&self, version: u64, ends_initial_events: bool) -> Vec<u8> {
        let annotations = if ends_initial_events {
            r#","annotations":{"k8s.io/initial-events-end":"true"}"#
        } else {
            ""
        };
        let prefix = &self.prefix;
        format!(
            r#"{{"type":"BOOKMARK","object":{{{prefix}"metadata":{{"resourceVersion":"{version}","creationTimestamp":null{annotations}}}}}}}"#
        )
        .into_bytes()
    }

    /// Sends a line that says what went wrong.
    pub(super) async fn error(&self, status: &Value) -> Result<(), End> {
        let line = format!("{{\"type\":\"ERROR\",\"object\":{status}}}\n");
        self.send(line.into_bytes()).await
    }

    /// Sends bytes, as a whole member if the answer is compressed.
    pub(super) async fn send(&self, bytes: Vec<u8>) -> Result<(), End> {
        let bytes = if self.gzip { member(&bytes) } else { bytes };
        self.sender
            .send(Ok(Bytes::from(bytes)))
            .await
            .map_err(|_| End::Close)
    }

    /// Makes the connection break after what was sent.
    pub(super) async fn cut(&self) {
        let error = io::Error::new(io::ErrorKind::ConnectionAborted, "cut on demand");
        // Whoever has left needs no cut.
        let _ = self.sender.send(Err(error)).await;
    }

    /// Waits until the client has left.
    pub(super) async fn closed(&self) {
        self.sender.closed().await;
    }
}

fn member(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(1));
    // Writing to a vector cannot fail; if it did, the client would see a broken member.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}
