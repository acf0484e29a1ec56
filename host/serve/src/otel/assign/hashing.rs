//! Rendezvous hashing: every collector draws a number for a target, and the highest wins.
//!
//! When a collector comes, only targets that it wins move, and all to it; when one goes, only its own
//! do. There is no ring to fill, so loads differ by chance alone. A weight is a number of draws.

use periplus_config::Collector;
use periplus_core::ContentHash;

use super::{Key, Member};

/// The draws that collectors have.
#[derive(Debug, Default)]
pub(super) struct Seats(Vec<(u64, Member)>);

// === impl Seats ===

impl Seats {
    pub(super) fn new<'a>(members: impl Iterator<Item = (Member, &'a Collector)> + Clone) -> Self {
        // Weights of 50 and 100 are those of 1 and 2, for less work.
        let divisor = members.clone().fold(0, |divisor, (_, it)| {
            greatest_common_divisor(divisor, it.weight)
        });
        let draws = |(number, member): (Member, &Collector)| {
            let seed = ContentHash::of(member.id.as_bytes()).0 as u64;
            let draws = member.weight / divisor.max(1);
            (0..draws).map(move |draw| (mix(seed.wrapping_add(u64::from(draw))), number))
        };
        Self(members.flat_map(draws).collect())
    }

    /// Who wins a target; of equal draws the first collector's counts.
    pub(super) fn choose(&self, key: Key) -> Option<Member> {
        let key = key.0 as u64;
        let mut best = None;
        for (seed, member) in &self.0 {
            let draw = mix(key ^ seed);
            if best.is_none_or(|(highest, _)| draw > highest) {
                best = Some((draw, *member));
            }
        }
        best.map(|(_, member)| member)
    }
}

fn greatest_common_divisor(mut one: u32, mut other: u32) -> u32 {
    while other > 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// The last steps of splitmix64 (Steele, Lea and Flood, 2014): each bit depends on all.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
