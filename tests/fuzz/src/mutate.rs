//! New inputs from old ones.

use rand::Rng;
use rand::rngs::StdRng;

/// Changes of one input, at most.
const MOST_CHANGES: u32 = 6;

/// A random input, changed in a few places.
pub(crate) fn mutated(
    inputs: &[Vec<u8>],
    words: &[String],
    most_bytes: usize,
    random: &mut StdRng,
) -> Vec<u8> {
    let mut input = pick(inputs, random);
    for _ in 0..random.random_range(1..=MOST_CHANGES) {
        change(&mut input, inputs, words, random);
    }
    input.truncate(most_bytes);
    input
}

fn pick(inputs: &[Vec<u8>], random: &mut StdRng) -> Vec<u8> {
    if inputs.is_empty() {
        return Vec::new();
    }
    // What came last led further: half of the time one of those.
    let from = if random.random_bool(0.5) {
        inputs.len() * 3 / 4
    } else {
        0
    };
    inputs[random.random_range(from..inputs.len())].clone()
}

fn change(input: &mut Vec<u8>, inputs: &[Vec<u8>], words: &[String], random: &mut StdRng) {
    let at = random.random_range(0..=input.len());
    let end = (at + random.random_range(0..32)).min(input.len());
    match random.random_range(0..9) {
        0 if at < input.len() => input[at] ^= 1 << random.random_range(0..8),
        1 if at < input.len() => input[at] = random.random(),
        2 => _ = input.drain(at..end),
        3 => {
            let piece = input[at..end].to_vec();
            let times = random.random_range(1..40);
            input.splice(at..at, piece.repeat(times));
        }
        4 | 5 if !words.is_empty() => {
            let word = &words[random.random_range(0..words.len())];
            let until = if random.random() { at } else { end };
            input.splice(at..until, word.bytes());
        }
        6 => {
            let other = pick(inputs, random);
            let from = random.random_range(0..=other.len());
            let until = (from + random.random_range(0..200)).min(other.len());
            input.splice(at..end, other[from..until].iter().copied());
        }
        7 => {
            let digits = random.random::<u64>() >> random.random_range(0..64);
            input.splice(at..end, digits.to_string().into_bytes());
        }
        _ => {
            let c = char::from_u32(random.random_range(0..0x11_0000)).unwrap_or('\u{fffd}');
            input.splice(at..at, c.to_string().into_bytes());
        }
    }
}
