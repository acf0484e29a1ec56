//! Which encoding of a body a reader wants, and how to make it.

use axum::http::{HeaderMap, header};
use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress};

/// How a body travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Encoding {
    /// As it is.
    Identity,
    /// One gzip member over the whole body: many readers stop after the first.
    Gzip,
}

/// What `Accept-Encoding` says of the two encodings: a weight from 0 to 1000, or nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Weights {
    gzip: Option<u16>,
    identity: Option<u16>,
    any: Option<u16>,
}

/// The encoding to answer with; none if the reader forbids both.
///
/// gzip is used only where it is asked for by name (or where identity is forbidden), and then also
/// when both weigh the same.
pub(crate) fn negotiate(headers: &HeaderMap) -> Option<Encoding> {
    let weights = Weights::of(headers);
    let identity = weights.identity.or(weights.any).unwrap_or(1);
    match weights.gzip {
        Some(gzip) if gzip > 0 && gzip >= identity => Some(Encoding::Gzip),
        None if identity == 0 && weights.any.is_some_and(|any| any > 0) => Some(Encoding::Gzip),
        Some(gzip) if gzip > 0 && identity == 0 => Some(Encoding::Gzip),
        _ if identity > 0 => Some(Encoding::Identity),
        _ => None,
    }
}

/// Compresses runs of bytes that one gzip member is put together from.
#[derive(Debug)]
pub(crate) struct Packer(Compress);

/// A gzip member on its way: runs that were compressed apart, and short ones as they are.
#[derive(Debug)]
pub(crate) struct Member {
    pieces: Vec<Bytes>,
    crc: Crc,
}

/// A few bytes as one gzip member.
pub(crate) fn gzip(bytes: &'static [u8]) -> Vec<Bytes> {
    Member::new(bytes).finish()
}

// === impl Packer ===

impl Packer {
    /// Compresses with the cheapest level: on target lists it is 12 to 1 at 700 MB/s, while level 6
    /// takes three times as long for a third less. What comes out depends on these bytes alone.
    pub(crate) fn pack(&mut self, bytes: &[u8]) -> Bytes {
        self.0.reset();
        let mut packed = Vec::with_capacity(bytes.len() / 8 + 64);
        loop {
            let taken = self.0.total_in() as usize;
            // After the flush it ends on a byte, and what follows does not look back behind it.
            self.0
                .compress_vec(&bytes[taken..], &mut packed, FlushCompress::Full)
                .expect("the encoder takes every byte");
            let has_room = packed.len() < packed.capacity();
            if has_room && self.0.total_in() as usize == bytes.len() {
                break;
            }
            packed.reserve(packed.capacity());
        }
        packed.shrink_to_fit();
        packed.into()
    }
}

impl Default for Packer {
    fn default() -> Self {
        Self(Compress::new(Compression::new(1), false))
    }
}

// === impl Member ===

impl Member {
    /// Without a name or a time, so that replicas do not differ.
    const HEADER: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff];
    /// A last block without content.
    const END: &[u8] = &[3, 0];

    /// A member that begins with these few bytes.
    pub(crate) fn new(first: &'static [u8]) -> Self {
        let mut member = Self {
            pieces: vec![Bytes::from_static(Self::HEADER)],
            crc: Crc::new(),
        };
        member.literal(first);
        member
    }

    /// Appends a few bytes as they are.
    pub(crate) fn literal(&mut self, bytes: &[u8]) {
        let length = (bytes.len() as u16).to_le_bytes();
        let check = (!(bytes.len() as u16)).to_le_bytes();
        let block = [&[0][..], &length, &check, bytes].concat();
        self.crc.update(bytes);
        self.pieces.push(block.into());
    }

    /// Appends what a [`Packer`] made of bytes with this checksum.
    pub(crate) fn append(&mut self, packed: Bytes, crc: &Crc) {
        self.crc.combine(crc);
        self.pieces.push(packed);
    }

    /// The whole member in pieces.
    pub(crate) fn finish(mut self) -> Vec<Bytes> {
        let (sum, length) = (
            self.crc.sum().to_le_bytes(),
            self.crc.amount().to_le_bytes(),
        );
        self.pieces.push([Self::END, &sum, &length].concat().into());
        self.pieces
    }
}

// === impl Weights ===

impl Weights {
    fn of(headers: &HeaderMap) -> Self {
        let mut weights = Self::default();
        let values = headers.get_all(header::ACCEPT_ENCODING);
        for item in values
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|v| v.split(','))
        {
            let mut parts = item.split(';');
            let coding = parts.next().unwrap_or_default().trim();
            let Some(weight) = weight(parts) else {
                continue;
            };
            if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
                weights.gzip = Some(weight);
            } else if coding.eq_ignore_ascii_case("identity") {
                weights.identity = Some(weight);
            } else if coding == "*" {
                weights.any = Some(weight);
            }
        }
        weights
    }
}

/// The weight among the parameters of a coding, in thousandths; none if it is malformed.
fn weight<'a>(parameters: impl Iterator<Item = &'a str>) -> Option<u16> {
    for parameter in parameters {
        let (name, value) = parameter.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("q") {
            let weight: f32 = value.trim().parse().ok()?;
            return (0.0..=1.0)
                .contains(&weight)
                .then(|| (weight * 1000.0).round() as u16);
        }
    }
    Some(1000)
}

// === impl Encoding ===

impl Encoding {
    /// The value of `Content-Encoding`.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn chosen(values: &[&str]) -> Option<Encoding> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::ACCEPT_ENCODING, value.parse().unwrap());
        }
        negotiate(&headers)
    }

    #[test]
    fn encoding_follows_the_weights_of_the_reader() {
        let cases: &[(&[&str], Option<Encoding>)] = &[
            (&[], Some(Encoding::Identity)),
            (&[""], Some(Encoding::Identity)),
            (&["gzip"], Some(Encoding::Gzip)),
            (&["GZIP"], Some(Encoding::Gzip)),
            (&["x-gzip"], Some(Encoding::Gzip)),
            (&["gzip, deflate, br"], Some(Encoding::Gzip)),
            (&["deflate", "gzip"], Some(Encoding::Gzip)),
            (&["deflate, br"], Some(Encoding::Identity)),
            (&["gzip;q=0"], Some(Encoding::Identity)),
            (&["gzip;q=0.000"], Some(Encoding::Identity)),
            (&["gzip; q=0.5"], Some(Encoding::Gzip)),
            (&["gzip;q=0.5, identity"], Some(Encoding::Identity)),
            (&["gzip;q=0.5, identity;q=0.4"], Some(Encoding::Gzip)),
            (&["gzip, identity"], Some(Encoding::Gzip)),
            (&["*"], Some(Encoding::Identity)),
            (&["*;q=0"], None),
            (&["identity;q=0"], None),
            (&["identity;q=0, *"], Some(Encoding::Gzip)),
            (&["identity;q=0, gzip;q=0.1"], Some(Encoding::Gzip)),
            (&["gzip, *;q=0"], Some(Encoding::Gzip)),
            (&["gzip;q=0, identity;q=0"], None),
            (&["gzip;q=0, *"], Some(Encoding::Identity)),
            (&["gzip;q=nonsense"], Some(Encoding::Identity)),
            (&["gzip;q=2"], Some(Encoding::Identity)),
            (&["gzipped"], Some(Encoding::Identity)),
        ];
        for (values, expected) in cases {
            assert_eq!(chosen(values), *expected, "{values:?}");
        }
    }

    fn member(runs: &[&[u8]]) -> Vec<u8> {
        let mut packer = Packer::default();
        let mut member = Member::new(b"[");
        for run in runs {
            let mut crc = Crc::new();
            crc.update(run);
            member.append(packer.pack(run), &crc);
            member.literal(b",");
        }
        member.finish().concat()
    }

    #[test]
    fn runs_make_one_member_that_gives_the_body_back() {
        let run = b"{\"targets\":[\"10.0.0.1:80\"],\"labels\":{}}".repeat(1000);
        let random: Vec<u8> = (0..200_000_u64)
            .map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
            .collect();
        for runs in [&[][..], &[&run[..]], &[&run[..], &[], &random, &run]] {
            let packed = member(runs);
            let mut plain = Vec::new();
            let mut decoder = flate2::bufread::GzDecoder::new(&packed[..]);
            decoder.read_to_end(&mut plain).unwrap();
            let expected: Vec<u8> = runs
                .iter()
                .flat_map(|run| [run, &b","[..]].concat())
                .collect();
            assert!(plain == [b"[", &expected[..]].concat());
            assert!(
                decoder.into_inner().is_empty(),
                "bytes behind the first member"
            );
        }
        assert!(member(&[&run]).len() * 10 < run.len());
    }

    #[test]
    fn packed_run_depends_on_its_bytes_alone() {
        let run = b"{\"targets\":[\"10.0.0.1:80\"],\"labels\":{}}".repeat(5000);
        let mut packer = Packer::default();
        let first = packer.pack(&run);
        packer.pack(b"something else");
        assert_eq!(packer.pack(&run), first);
        assert_eq!(Packer::default().pack(&run), first);
    }
}
