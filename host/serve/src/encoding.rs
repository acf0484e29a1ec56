//! Which encoding of a body a reader wants, and how to make it.

use std::io::Write;

use axum::http::{HeaderMap, header};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};

/// What the encoder is given at once.
const PORTION: usize = 64 << 10;

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

/// Compresses with the cheapest level: on target lists it is 12 to 1 at 700 MB/s, while level 6
/// takes three times as long for a third less.
///
/// What comes out depends on how much the encoder is given at once, so it gets the same portions
/// however the body was cut: replicas must not differ.
pub(crate) fn gzip<T: AsRef<[u8]>>(pieces: impl IntoIterator<Item = T>) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(1));
    let mut pack = |portion: &[u8]| {
        encoder.write_all(portion).expect("a Vec takes every byte");
    };
    let mut portion = Vec::new();
    for piece in pieces {
        let mut piece = piece.as_ref();
        while portion.len() + piece.len() >= PORTION {
            let (head, rest) = piece.split_at(PORTION - portion.len());
            portion.extend_from_slice(head);
            pack(&portion);
            portion.clear();
            piece = rest;
        }
        portion.extend_from_slice(piece);
    }
    pack(&portion);
    let mut packed = encoder.finish().expect("a Vec takes every byte");
    packed.shrink_to_fit();
    packed.into()
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

    #[test]
    fn gzip_is_one_member_that_gives_the_body_back() {
        let body = b"[{\"targets\":[\"10.0.0.1:80\"],\"labels\":{}}]".repeat(1000);
        let packed = gzip([&body]);
        let mut plain = Vec::new();
        let mut decoder = flate2::bufread::GzDecoder::new(&packed[..]);
        decoder.read_to_end(&mut plain).unwrap();
        assert_eq!(plain, body);
        assert!(
            decoder.into_inner().is_empty(),
            "bytes behind the first member"
        );
        assert!(packed.len() * 10 < body.len());
    }

    #[test]
    fn gzip_does_not_depend_on_where_pieces_end() {
        let targets = (0..20_000).map(|n: u64| {
            let hash = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            format!(
                "{{\"targets\":[\"10.0.{}.{}:80\"],\"labels\":{{\"id\":\"{hash:x}\"}}}}",
                n >> 8,
                n & 255
            )
        });
        let body = targets.collect::<Vec<_>>().join(",").into_bytes();
        let whole = gzip([&body]);
        for size in [1 << 10, 65_536, 70_001, 1 << 20] {
            assert!(gzip(body.chunks(size)) == whole, "pieces of {size}");
        }
    }
}
