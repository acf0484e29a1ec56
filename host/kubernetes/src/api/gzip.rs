//! Bodies that come compressed.

use std::io::Write;

use bytes::{Buf, Bytes};
use flate2::write::MultiGzDecoder;
use futures::{StreamExt, stream};

use super::{ApiError, Body};

/// Decodes a body as it comes. Its size is not bounded, but no more of it is held than one piece
/// of the decoder, so a body that unpacks to gigabytes costs time and no memory.
///
/// Kubernetes 1.37 sends streamed states as one gzip member per event, so what one piece holds is
/// handed on without waiting for the next.
pub(super) fn decoded(body: Body) -> Body {
    let unpacking = Unpacking {
        body,
        decoder: MultiGzDecoder::new(Vec::new()),
        packed: Bytes::new(),
        began: false,
        ended: false,
    };
    stream::try_unfold(unpacking, |mut unpacking| async move {
        let piece = unpacking.next().await?;
        Ok(piece.map(|piece| (piece, unpacking)))
    })
    .boxed()
}

struct Unpacking {
    body: Body,
    decoder: MultiGzDecoder<Vec<u8>>,
    /// What came and was not decoded yet.
    packed: Bytes,
    began: bool,
    ended: bool,
}

// === impl Unpacking ===

impl Unpacking {
    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        while !self.ended {
            if self.packed.is_empty() {
                match self.body.next().await {
                    Some(piece) => self.packed = piece?,
                    None => self.end()?,
                }
            }
            self.unpack()?;
            let unpacked = std::mem::take(self.decoder.get_mut());
            if !unpacked.is_empty() {
                return Ok(Some(unpacked.into()));
            }
        }
        Ok(None)
    }

    /// Decodes as much as the decoder holds at once.
    fn unpack(&mut self) -> Result<(), ApiError> {
        if self.packed.is_empty() {
            return Ok(());
        }
        self.began = true;
        let read = self.decoder.write(&self.packed).map_err(garbled)?;
        if read == 0 {
            return Err(ApiError::Garbled("the gzip does not go on".to_owned()));
        }
        self.packed.advance(read);
        if self.packed.is_empty() {
            self.decoder.flush().map_err(garbled)?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), ApiError> {
        self.ended = true;
        if self.began {
            self.decoder.try_finish().map_err(garbled)?;
        }
        Ok(())
    }
}

fn garbled(error: std::io::Error) -> ApiError {
    ApiError::Garbled(format!("the gzip is not readable: {error}"))
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn member(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// What comes out of these bytes, sent in pieces of this size.
    async fn unpacked(packed: &[u8], size: usize) -> Result<Vec<u8>, ApiError> {
        let pieces: Vec<_> = packed
            .chunks(size)
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .collect();
        let mut body = decoded(stream::iter(pieces).boxed());
        let mut text = Vec::new();
        while let Some(piece) = body.next().await {
            text.extend_from_slice(&piece?);
        }
        Ok(text)
    }

    #[tokio::test]
    async fn any_number_of_members_is_one_body_whatever_the_pieces() {
        let packed = [
            member(b"first "),
            member(b""),
            member(b"second"),
            member(b" third"),
        ]
        .concat();
        for size in 1..=packed.len() {
            let text = unpacked(&packed, size).await.unwrap();
            assert_eq!(text, b"first second third", "pieces of {size}");
        }
        assert_eq!(unpacked(b"", 1).await.unwrap(), b"");
    }

    #[tokio::test]
    async fn an_event_does_not_wait_for_the_next_one() {
        let pieces = [Ok(Bytes::from(member(b"event\n")))];
        let body = stream::iter(pieces).chain(stream::pending());
        let mut body = decoded(body.boxed());
        let mut text = Vec::new();
        while text != b"event\n" {
            text.extend_from_slice(&body.next().await.unwrap().unwrap());
        }
    }

    #[tokio::test]
    async fn a_body_that_unpacks_to_much_comes_in_small_pieces() {
        let packed = member(&vec![b' '; 16 << 20]);
        assert!(packed.len() < 1 << 20);
        let whole = [Ok(Bytes::from(packed))];
        let mut body = decoded(stream::iter(whole).boxed());
        let (mut total, mut largest) = (0, 0);
        while let Some(piece) = body.next().await {
            let length = piece.unwrap().len();
            total += length;
            largest = largest.max(length);
        }
        assert_eq!(total, 16 << 20);
        assert!(largest <= 128 << 10, "a piece of {largest}");
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_or_is_no_gzip_is_an_error() {
        let packed = member(&b"some text ".repeat(100));
        for end in 1..packed.len() {
            assert!(unpacked(&packed[..end], 7).await.is_err(), "cut at {end}");
        }
        let mut damaged = packed.clone();
        let at = packed.len() - 6;
        damaged[at] ^= 1;
        assert!(unpacked(&damaged, 7).await.is_err());
        assert!(unpacked(b"{\"items\":[]}", 7).await.is_err());
    }
}
