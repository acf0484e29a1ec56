//! Answers' bodies: read to a bound, decoded to the same bound.

use std::io::Read;

use bytes::BytesMut;
use flate2::read::MultiGzDecoder;
use http::Response;
use http::header::CONTENT_ENCODING;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};

use crate::error::{EgressError, FailureKind};

/// Reads the body and undoes gzip; says whether there was any. Never holds more than the bound
/// encoded and the bound decoded.
pub(crate) async fn read(
    response: Response<Incoming>,
    max_bytes: usize,
) -> Result<(Vec<u8>, bool), EgressError> {
    let (parts, body) = response.into_parts();
    let encoding = parts.headers.get(CONTENT_ENCODING).map(|value| {
        String::from_utf8_lossy(value.as_bytes())
            .trim()
            .to_ascii_lowercase()
    });
    let raw = read_raw(body, max_bytes).await?;
    match encoding.as_deref() {
        None | Some("" | "identity") => Ok((raw, false)),
        // An answer to `HEAD`, or one without content.
        Some("gzip" | "x-gzip") if raw.is_empty() => Ok((raw, true)),
        Some("gzip" | "x-gzip") => {
            // Up to tens of megabytes of inflating: not on a thread that others wait for.
            let decoded = tokio::task::spawn_blocking(move || inflate(&raw, max_bytes))
                .await
                .map_err(|_| other("decoding the body was cancelled"))??;
            Ok((decoded, true))
        }
        Some(encoding) => Err(other(&format!(
            "the answer is encoded as `{encoding}`, which was not asked for"
        ))),
    }
}

async fn read_raw(mut body: Incoming, max_bytes: usize) -> Result<Vec<u8>, EgressError> {
    // Not the header: an answer to `HEAD` tells a length that does not come.
    if body.size_hint().lower() > max_bytes as u64 {
        return Err(too_large(max_bytes));
    }
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| EgressError::from_body(&error))?;
        let Ok(chunk) = frame.into_data() else {
            continue;
        };
        if bytes.len() + chunk.len() > max_bytes {
            return Err(too_large(max_bytes));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

fn inflate(raw: &[u8], max_bytes: usize) -> Result<Vec<u8>, EgressError> {
    let mut decoded = Vec::new();
    MultiGzDecoder::new(raw)
        .take(max_bytes as u64 + 1)
        .read_to_end(&mut decoded)
        .map_err(|e| other(&format!("the body is not valid gzip: {e}")))?;
    if decoded.len() > max_bytes {
        return Err(too_large(max_bytes));
    }
    Ok(decoded)
}

fn too_large(max_bytes: usize) -> EgressError {
    EgressError::new(
        FailureKind::TooLarge,
        format!("the answer's body passes the limit of {max_bytes} bytes"),
    )
}

fn other(message: &str) -> EgressError {
    EgressError::new(FailureKind::Other, message.to_owned())
}
