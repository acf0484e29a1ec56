//! Which of several readers a target belongs to, by its discovered address alone.

use std::fmt;
use std::str::FromStr;

use periplus_core::ContentHash;

/// One of several equal parts of a job: part `index` of `count`, written `index/count`, counted
/// from 0.
///
/// A target's part is the jump consistent hash (Lamping and Veach, 2014) of its key: the same on
/// every replica, machine and version. When `count` grows by one, only the targets of the new part
/// move, and each part stays as large as the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard {
    index: u32,
    count: u32,
}

/// Why a text names no shard.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// It has another form than `i/n`.
    #[error("shard `{0}` is not of the form `i/n`, such as `0/3` for the first of three")]
    Malformed(String),
    /// There is no part at all, or more than [`Shard::MAX_COUNT`].
    #[error("there may be 1 to {max} shards, not {0}", max = Shard::MAX_COUNT)]
    Count(u64),
    /// The part lies behind the last one.
    #[error(
        "shard {0} of {1} does not exist: shards are counted from 0, so the last one is `{last}/{1}`",
        last = .1.saturating_sub(1)
    )]
    Index(u64, u64),
}

// === impl Shard ===

impl Shard {
    /// The most parts that a job can have.
    pub const MAX_COUNT: u32 = 4096;

    /// Part `index` of `count`, counted from 0.
    ///
    /// # Errors
    /// If there is no such part, or there are more than [`MAX_COUNT`](Self::MAX_COUNT).
    pub fn new(index: u64, count: u64) -> Result<Self, ShardError> {
        match u32::try_from(count) {
            Ok(all @ 1..=Self::MAX_COUNT) => match u32::try_from(index) {
                Ok(index) if index < all => Ok(Self { index, count: all }),
                _ => Err(ShardError::Index(index, count)),
            },
            _ => Err(ShardError::Count(count)),
        }
    }

    /// Reads `index` and `count` around a separator.
    ///
    /// # Errors
    /// If the text is no such pair, or there is no such part.
    pub fn parse(text: &str, separator: &str) -> Result<Self, ShardError> {
        let malformed = || ShardError::Malformed(text.to_owned());
        let number = |digits: &str| -> Result<u64, ShardError> {
            // `parse` takes a sign, too.
            if digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return digits.parse().map_err(|_| malformed());
            }
            Err(malformed())
        };
        let (index, count) = text.split_once(separator).ok_or_else(malformed)?;
        Self::new(number(index)?, number(count)?)
    }

    /// Counted from 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many parts there are.
    pub fn count(self) -> u32 {
        self.count
    }

    /// Whether the target with this key, its discovered `__address__`, belongs to this part.
    pub fn holds(self, key: &str) -> bool {
        self.count == 1 || jump(ContentHash::of(key.as_bytes()).0 as u64, self.count) == self.index
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        Self::parse(text, "/")
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

/// The bucket of a key among `count`: expected `ln(count)` steps, no state.
fn jump(mut key: u64, count: u32) -> u32 {
    let (mut bucket, mut next) = (0_u32, 0_f64);
    while next < f64::from(count) {
        // Below `count`, so it is exact.
        bucket = next as u32;
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        let draw = ((key >> 33) + 1) as f64;
        next = (f64::from(bucket + 1) * (f64::from(1_u32 << 31) / draw)).floor();
    }
    bucket
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(key: &str, count: u32) -> u32 {
        jump(ContentHash::of(key.as_bytes()).0 as u64, count)
    }

    #[test]
    fn text_is_a_shard_or_says_why_not() {
        type Expected = Result<(u64, u64), &'static str>;
        let cases: &[(&str, Expected)] = &[
            ("0/1", Ok((0, 1))),
            ("2/3", Ok((2, 3))),
            ("4095/4096", Ok((4095, 4096))),
            (
                "3/3",
                Err(
                    "shard 3 of 3 does not exist: shards are counted from 0, so the last one is `2/3`",
                ),
            ),
            ("0/0", Err("there may be 1 to 4096 shards, not 0")),
            ("0/4097", Err("there may be 1 to 4096 shards, not 4097")),
            (
                "0/99999999999",
                Err("there may be 1 to 4096 shards, not 99999999999"),
            ),
            (
                "",
                Err("shard `` is not of the form `i/n`, such as `0/3` for the first of three"),
            ),
            (
                "1",
                Err("shard `1` is not of the form `i/n`, such as `0/3` for the first of three"),
            ),
            (
                "/3",
                Err("shard `/3` is not of the form `i/n`, such as `0/3` for the first of three"),
            ),
            (
                "+1/3",
                Err("shard `+1/3` is not of the form `i/n`, such as `0/3` for the first of three"),
            ),
            (
                "-1/3",
                Err("shard `-1/3` is not of the form `i/n`, such as `0/3` for the first of three"),
            ),
            (
                "1/3/5",
                Err("shard `1/3/5` is not of the form `i/n`, such as `0/3` for the first of three"),
            ),
            (
                "1 /3",
                Err("shard `1 /3` is not of the form `i/n`, such as `0/3` for the first of three"),
            ),
            (
                "١/3",
                Err("shard `١/3` is not of the form `i/n`, such as `0/3` for the first of three"),
            ),
        ];
        for (text, expected) in cases {
            let found = text.parse::<Shard>().map_err(|error| error.to_string());
            let expected = match expected {
                Ok((index, count)) => Ok(Shard::new(*index, *count).unwrap()),
                Err(message) => Err((*message).to_owned()),
            };
            assert_eq!(found, expected, "{text}");
        }
        assert_eq!(Shard::parse("1-of-3", "-of-"), Shard::new(1, 3));
    }

    #[test]
    fn shards_never_change_between_versions() {
        let keys = [
            "10.0.0.1:80",
            "10.0.0.2:80",
            "db.example.com:9104",
            "[::1]:9100",
            "",
        ];
        let of_three: Vec<_> = keys.iter().map(|key| bucket(key, 3)).collect();
        let of_many: Vec<_> = keys.iter().map(|key| bucket(key, 1000)).collect();
        assert_eq!(of_three, [0, 1, 1, 2, 0]);
        assert_eq!(of_many, [271, 672, 768, 188, 28]);
        // The published algorithm's own values.
        let published: Vec<_> = [
            (1, 1),
            (42, 57),
            (0xDEAD_10CC, 1),
            (0xDEAD_10CC, 666),
            (256, 1024),
        ]
        .map(|(key, count)| jump(key, count))
        .into();
        assert_eq!(published, [0, 43, 0, 361, 520]);
    }

    #[test]
    fn every_key_has_one_shard_and_few_move() {
        let keys: Vec<String> = (0..10_000)
            .map(|n| format!("10.{}.{}.1:80", n >> 8, n & 255))
            .collect();
        for count in 1..12 {
            let mut sizes = vec![0_usize; count as usize];
            for key in &keys {
                let holders = (0..count).filter(|index| {
                    Shard::new(u64::from(*index), u64::from(count))
                        .unwrap()
                        .holds(key)
                });
                let holders: Vec<u32> = holders.collect();
                assert_eq!(holders.len(), 1, "{key} of {count}");
                sizes[holders[0] as usize] += 1;
                let more = bucket(key, count + 1);
                assert!(
                    more == holders[0] || more == count,
                    "{key} moved between old shards"
                );
            }
            let fair = keys.len() / count as usize;
            assert!(
                sizes.iter().all(|size| size.abs_diff(fair) < fair / 5),
                "{sizes:?}"
            );
        }
    }
}
