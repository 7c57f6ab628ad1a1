//! A runner that needs no fuzzer: changes good inputs at random, from a seed, for a bounded time.

use std::time::{Duration, Instant};

use bytes::Bytes;
use keyport_tests::random::Random;

use crate::Target;

/// How many inputs are tried between two looks at the clock.
const BATCH: usize = 10;

/// Runs a target for a while; how many inputs there were.
pub fn run(target: Target, seed: u64, time: Duration) -> usize {
    let (good, mut random) = ((target.good)(), Random::new(seed));
    good.iter().for_each(|input| (target.run)(input));
    let (end, mut count) = (Instant::now() + time, 0);
    while Instant::now() < end {
        for _ in 0..BATCH {
            let mut input = good[random.below(good.len())].to_vec();
            for _ in 0..1 + random.below(4) {
                mutate(&mut random, &mut input, &good);
            }
            (target.run)(&input);
        }
        count += BATCH;
    }
    count
}

fn mutate(random: &mut Random, input: &mut Vec<u8>, good: &[Bytes]) {
    let at = random.below(input.len() + 1);
    match random.below(8) {
        0 => input.truncate(at),
        1 => input.insert(at, u8::try_from(random.below(256)).unwrap_or(0)),
        2 if at < input.len() => drop(input.remove(at)),
        3 if at < input.len() => input[at] ^= 1 << random.below(8),
        4 if at < input.len() => input[at] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'{', b'\\'][random.below(8)],
        5 => {
            // A piece of another input.
            let other = &good[random.below(good.len())];
            let from = random.below(other.len() + 1);
            let piece = &other[from..(from + random.below(64)).min(other.len())];
            input.splice(at..at, piece.iter().copied());
        }
        6 => {
            // A piece of itself again.
            let to = (at + random.below(32)).min(input.len());
            let piece = input[at..to].to_vec();
            input.splice(at..at, piece);
        }
        _ => {
            let to = (at + random.below(16)).min(input.len());
            input[at..to].fill(0);
        }
    }
}
