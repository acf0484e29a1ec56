//! Answers' bodies: read to a bound, decoded to the same bound.

use std::io::Read;

use bytes::BytesMut;
use flate2::read::MultiGzDecoder;
use futures::StreamExt;
use http::header::CONTENT_ENCODING;

use crate::error::{EgressError, FailureKind};

/// Reads the body and undoes gzip; says whether there was any. Never holds more than the bound
/// encoded and the bound decoded.
pub(crate) async fn read(
    response: reqwest::Response,
    max_bytes: usize,
) -> Result<(Vec<u8>, bool), EgressError> {
    let encoding = response.headers().get(CONTENT_ENCODING).map(|v| {
        String::from_utf8_lossy(v.as_bytes())
            .trim()
            .to_ascii_lowercase()
    });
    let raw = read_raw(response, max_bytes).await?;
    match encoding.as_deref() {
        None | Some("" | "identity") => Ok((raw, false)),
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

async fn read_raw(response: reqwest::Response, max_bytes: usize) -> Result<Vec<u8>, EgressError> {
    if response
        .content_length()
        .is_some_and(|length| length > max_bytes as u64)
    {
        return Err(too_large(max_bytes));
    }
    let mut body = BytesMut::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|e| EgressError::from_reqwest(&e))?;
        if body.len() + chunk.len() > max_bytes {
            return Err(too_large(max_bytes));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
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
