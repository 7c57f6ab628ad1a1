//! Fuzz targets, and a runner that needs no fuzzer: it mutates good inputs, from a seed, for a bounded time.
//!
//! A target takes any bytes and panics if something is wrong with how they are read. A coverage-guided fuzzer can call
//! the same functions.

use std::time::{Duration, Instant};

use bytes::Bytes;
use keyport_api::etcdserverpb::{PutRequest, RangeRequest, TxnRequest, WatchRequest};
use keyport_api::json::{FromJson, Splitter, ToJson, first_from_slice, from_slice, to_vec};
use keyport_raft::sim;
use keyport_storage::KeyRange;
use prost::Message;

use crate::random::Random;

/// One segment of a log: it is read whole or refused, and what was read once is read again.
pub fn wal_replay(input: &[u8]) {
    if let Ok(recovered) = sim::replay_wal(input) {
        let indexes: Vec<u64> = recovered.entries.iter().map(|entry| entry.index.unwrap_or(0)).collect();
        assert!(indexes.windows(2).all(|pair| pair[0] + 1 == pair[1]), "indexes without gaps: {indexes:?}");
    }
}

/// A body of the gateway: what can be read can be written, and reads as the same again.
pub fn gateway_json(input: &[u8]) {
    fn both_ways<T: FromJson + ToJson + PartialEq + std::fmt::Debug>(input: &[u8]) {
        if let Ok(Some((message, used))) = first_from_slice::<T>(input) {
            assert!(used <= input.len());
            let Ok(written) = to_vec(&message) else { return }; // a number of an enumeration that has no name
            let again: T = from_slice(&written).expect("what was written can be read");
            assert_eq!(again, message);
        }
    }
    both_ways::<RangeRequest>(input);
    both_ways::<PutRequest>(input);
    both_ways::<TxnRequest>(input);
    both_ways::<WatchRequest>(input);
}

/// The end of a value in a stream of them is found wherever the stream is cut.
pub fn json_splitting(input: &[u8]) {
    if input.iter().find(|byte| !b" \t\n\r".contains(byte)) != Some(&b'{') {
        return; // no message: refused with whatever has come
    }
    let ends = |pieces: &[&[u8]]| {
        let (mut splitter, mut seen) = (Splitter::default(), Vec::new());
        for piece in pieces {
            seen.extend_from_slice(piece);
            if let Some(end) = splitter.end(&seen) {
                return Some(end);
            }
        }
        None
    };
    let whole = ends(&[input]);
    let (one, two) = input.split_at(input.len() / 2);
    assert_eq!(ends(&[one, two]), whole);
}

/// A range over the wire: its members are what a comparison of bytes says.
pub fn ranges(input: &[u8]) {
    let Ok(request) = RangeRequest::decode(input) else { return };
    let (key, end) = (request.key.clone(), request.range_end.clone());
    let range = KeyRange::new(request.key, request.range_end);
    for probe in [&key[..], &end[..], b"", b"\0", b"a", b"\xff\xff", input] {
        let inside = match &end[..] {
            [] => probe == &key[..],
            [0] => probe >= &key[..],
            end => probe >= &key[..] && probe < end,
        };
        assert_eq!(range.contains(probe), inside, "{probe:?} in {key:?}..{end:?}");
        assert!(!(range.is_empty() && inside));
    }
}

/// Runs a target on mutations of good inputs for a while; how many there were.
pub fn run(target: impl Fn(&[u8]), good: &[Bytes], seed: u64, time: Duration) -> usize {
    let mut random = Random::new(seed);
    good.iter().for_each(|input| target(input));
    let (end, mut count) = (Instant::now() + time, 0);
    while Instant::now() < end {
        for _ in 0..50 {
            let mut input = good[random.below(good.len())].to_vec();
            for _ in 0..1 + random.below(4) {
                mutate(&mut random, &mut input, good);
            }
            target(&input);
            count += 1;
        }
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
