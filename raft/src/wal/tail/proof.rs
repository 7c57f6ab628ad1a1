//! Looks behind a bad place for records that prove that it had been synced.
//!
//! The bytes there may be anything: values hold what clients put in them, frames included. So the work is bounded by
//! what is read, whatever that is: only heads of records are looked at, and the data of a possible proof once.

#[cfg(test)]
mod tests;

use std::ops::Range;

use keyport_api::raftpb::HardState;
use keyport_api::walpb;
use prost::Message as _;

use super::{Frame, SegmentReader};
use crate::wal::WalError;
use crate::wal::record::{self, Head, Kind, MAX_HEAD_BYTES, WORD};

/// Records are at multiples of this from each other.
const GRID: usize = 8;
/// No state or snapshot record has more data: a state has three numbers, a snapshot the ids of the members.
const MAX_PROOF_BYTES: u64 = 16 << 10;

/// Whether a state or snapshot record in what follows, up to `end`, covers `index`. The chain is broken there, so a record
/// counts only when its checksum continues from the one stored in the record before it, whose data may be what is torn.
pub(super) fn later_records_cover(reader: &mut SegmentReader<'_>, index: u64, end: u64) -> Result<bool, WalError> {
    Search { from: reader.offset, end, index, looked_at: 0 }.run(reader)
}

#[derive(Debug)]
struct Search {
    from: u64,
    end: u64,
    index: u64,
    /// Records whose head was read, and bytes of data besides.
    looked_at: u64,
}

/// A record that covers the index, if the one before it is the right one.
#[derive(Debug)]
struct Proof {
    at: u64,
    /// The checksum that the record before it has to have.
    before: u32,
}

impl Search {
    fn run(&mut self, reader: &mut SegmentReader<'_>) -> Result<bool, WalError> {
        let proofs = self.proofs(reader)?;
        if proofs.is_empty() {
            return Ok(false);
        }
        for at in self.grid() {
            if let Some((head, next)) = self.head(reader, at)?
                && let Ok(found) = proofs.binary_search_by_key(&next, |proof| proof.at)
                && proofs.get(found).is_some_and(|proof| proof.before == head.crc)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn grid(&self) -> impl Iterator<Item = u64> + use<> {
        let end = self.end;
        (self.from..).step_by(GRID).take_while(move |at| at + (WORD as u64) <= end)
    }

    /// In the order of their places.
    fn proofs(&mut self, reader: &mut SegmentReader<'_>) -> Result<Vec<Proof>, WalError> {
        let mut proofs = Vec::new();
        for at in self.grid() {
            let Some((Head { kind: kind @ (Kind::State | Kind::Snapshot), crc, data }, _)) = self.head(reader, at)?
            else {
                continue;
            };
            if let Some(data) = self.data(reader, at, data)?
                && covered_index(kind, data) >= self.index
            {
                proofs.push(Proof { at, before: record::rewind(crc, data) });
            }
        }
        Ok(proofs)
    }

    /// What may be the head of a record, and where the next one would be.
    fn head(&mut self, reader: &mut SegmentReader<'_>, at: u64) -> Result<Option<(Head, u64)>, WalError> {
        self.looked_at += 1;
        let Frame::Record { len, frame } = reader.frame(at)? else { return Ok(None) };
        // From `at` on, as always here, so that the window only ever moves forward.
        let bytes = reader.bytes(at, WORD as u64 + len.min(MAX_HEAD_BYTES))?;
        let head = record::parse_head(bytes.get(WORD..).unwrap_or_default(), len);
        Ok(head.map(|head| (head, at + frame)))
    }

    /// What may be the data of a state or snapshot record. Such data never has two zeros in a row: there is a tag before
    /// each number. The length word of a record of this size has. So the data of no two that are let through overlap, and
    /// what is looked at in vain ends where the next one begins.
    fn data<'r>(
        &mut self,
        reader: &'r mut SegmentReader<'_>,
        at: u64,
        data: Range<u64>,
    ) -> Result<Option<&'r [u8]>, WalError> {
        let len = data.end - data.start;
        if len > MAX_PROOF_BYTES {
            return Ok(None);
        }
        let frame = reader.bytes(at, WORD as u64 + data.end)?;
        let data = usize::try_from(len).ok().and_then(|len| frame.get(frame.len() - len..)).unwrap_or_default();
        let zeros = data.windows(2).position(|pair| pair == [0, 0]);
        self.looked_at += zeros.map_or(len, |zeros| zeros as u64);
        Ok(if zeros.is_none() { Some(data) } else { None })
    }
}

fn covered_index(kind: Kind, data: &[u8]) -> u64 {
    match kind {
        Kind::State => HardState::decode(data).map(|state| state.commit()).unwrap_or_default(),
        _ => walpb::Snapshot::decode(data).map(|mark| mark.index()).unwrap_or_default(),
    }
}
