//! Decoders that can be called: what they read is read the same again, and however it is cut.

pub mod good;

use bytes::Bytes;
use keyport_api::etcdserverpb::RangeRequest;
use keyport_api::json::{FromJson, Splitter, ToJson, first_from_slice, from_slice, to_vec};
use keyport_api::{bounds, for_each_route};
use keyport_raft::peers::any_bytes;
use keyport_raft::sim;
use keyport_storage::KeyRange;
use keyport_storage::bbolt::{ReadError, Reader, layout};
use prost::Message;

/// Operations that a transaction may have here.
const MAX_TXN_OPS: usize = 128;

/// One segment of a log: it is read whole or refused, and what was read once is read again.
pub fn wal(input: &[u8]) {
    if let Ok(recovered) = sim::replay_wal(input) {
        let indexes: Vec<u64> = recovered.entries.iter().map(|entry| entry.index.unwrap_or(0)).collect();
        assert!(indexes.windows(2).all(|pair| pair[0] + 1 == pair[1]), "indexes without gaps: {indexes:?}");
    }
}

/// A stream of another member, and the body of a snapshot: as they are; and as a row of kinds, lengths and payloads, to
/// which the checksums are added, for nobody finds those by chance.
pub fn peer_frames(input: &[u8]) {
    any_bytes::read_stream(input);
    any_bytes::read_snapshot(input);
    let (mut rest, mut frames) = (input, Vec::new());
    while let [kind, high, low, after @ ..] = rest {
        let (payload, after) = after.split_at(after.len().min(usize::from(u16::from_be_bytes([*high, *low]))));
        frames.extend_from_slice(&any_bytes::frame(kind % 8, payload).unwrap_or_default());
        rest = after;
    }
    any_bytes::read_stream(&frames);
    any_bytes::read_snapshot(&frames);
}

/// The body of a call of the gateway; the first byte says of which. What can be read can be written, and reads as the same.
pub fn json(input: &[u8]) {
    fn both_ways<T: FromJson + ToJson + PartialEq + std::fmt::Debug>(input: &[u8]) {
        if let Ok(Some((message, used))) = first_from_slice::<T>(input) {
            assert!(used <= input.len());
            let Ok(written) = to_vec(&message) else { return }; // a number of an enumeration that has no name
            let again: T = from_slice(&written).expect("what was written can be read");
            assert_eq!(again, message);
        }
    }
    macro_rules! call {
        ([] $(($kind:ident, $route:literal, $field:ident, $Service:path, $method:ident, $Request:ty, $Response:ty))*) => {
            [$(both_ways::<$Request> as fn(&[u8]),)* $(both_ways::<$Response>,)*]
        };
    }
    one_of(&for_each_route!(call), input);
}

/// A message in protobuf; the first byte says which.
pub fn protobuf(input: &[u8]) {
    fn both_ways<T: bounds::Bounded + Message + Default + PartialEq>(input: &[u8]) {
        let bounded = bounds::check::<T>(input, MAX_TXN_OPS);
        if let Ok(message) = T::decode(input)
            && bounded.is_ok()
        {
            let again = T::decode(&message.encode_to_vec()[..]).expect("what was written can be read");
            assert!(again == message);
        }
    }
    macro_rules! call {
        ([] $(($kind:ident, $route:literal, $field:ident, $Service:path, $method:ident, $Request:ty, $Response:ty))*) => {
            [$(both_ways::<$Request> as fn(&[u8]),)*]
        };
    }
    one_of(&for_each_route!(call), input);
}

fn one_of(readers: &[fn(&[u8])], input: &[u8]) {
    if let Some((first, rest)) = input.split_first() {
        readers[usize::from(*first) % readers.len()](rest);
    }
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
    let (key, end): (Bytes, Bytes) = (request.key.clone(), request.range_end.clone());
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

/// A database file of etcd's: as it is; and with the checksums of both metas, for nobody finds those by chance.
pub fn bbolt(input: &[u8]) {
    let _ = read_bbolt(input);
    let mut sealed = input.to_vec();
    for at in [0, good::BBOLT_PAGE] {
        if let Some(meta) = sealed.get_mut(at..at + 80) {
            let sum = layout::checksum(&meta[16..72]);
            meta[72..].copy_from_slice(&sum.to_le_bytes());
        }
    }
    let _ = read_bbolt(&sealed);
}

/// Names and keys ascend, and there is no more in the file than it is long.
fn read_bbolt(input: &[u8]) -> Result<(), ReadError> {
    let reader = Reader::open(input)?;
    let (mut buckets, mut name, mut bytes) = (reader.buckets()?, Vec::new(), 0);
    while let Some(mut bucket) = buckets.next_bucket()? {
        assert!(bucket.name() > &name[..], "names ascend");
        name = bucket.name().to_vec();
        let mut key = Vec::new();
        while let Some(row) = bucket.next_row()? {
            assert!(row.key > &key[..], "keys ascend");
            key = row.key.to_vec();
            bytes += row.key.len() + row.value.len();
        }
    }
    assert!(bytes <= input.len(), "{bytes} of {}", input.len());
    Ok(())
}
