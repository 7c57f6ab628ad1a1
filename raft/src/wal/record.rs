//! Frames and records: bytes in, bytes out.
//!
//! A frame is a little-endian length word, the record, and zeros up to a multiple of eight. The word's low 56 bits are
//! the record's length; its top byte is `0x80 | padding` when there is padding. A record is `walpb.Record`: kind (1),
//! checksum (2), data (3). Checksums form a chain: each is the CRC-32C of all data from the start of the log up to and
//! including its own.

use std::ops::Range;

/// What a record carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Whose log it is.
    Metadata = 1,
    /// A log entry.
    Entry = 2,
    /// Term, vote and commit index.
    State = 3,
    /// The chain's value so far, at the start of a segment.
    Crc = 4,
    /// A snapshot mark.
    Snapshot = 5,
}

impl Kind {
    fn from_wire(value: u64) -> Option<Kind> {
        Some(match value {
            1 => Kind::Metadata,
            2 => Kind::Entry,
            3 => Kind::State,
            4 => Kind::Crc,
            5 => Kind::Snapshot,
            _ => return None,
        })
    }
}

/// The length word.
pub(super) const WORD: usize = 8;
/// No record is longer; a length beyond is not a length.
pub(super) const MAX_RECORD_BYTES: u64 = 1 << 30;

/// Appends a frame whose data is the concatenation of `parts`, and advances the chain.
pub(super) fn put(buf: &mut Vec<u8>, chain: &mut u32, kind: Kind, parts: &[&[u8]]) {
    let mut len = 0;
    for part in parts {
        *chain = crc32c::crc32c_append(*chain, part);
        len += part.len();
    }
    let start = buf.len();
    buf.extend_from_slice(&[0; WORD]);
    buf.extend_from_slice(&[0x08, kind as u8, 0x10]);
    put_varint(buf, u64::from(*chain));
    if kind != Kind::Crc {
        buf.push(0x1a);
        put_varint(buf, len as u64);
        buf.reserve(len + WORD);
        for part in parts {
            buf.extend_from_slice(part);
        }
    }
    let record = buf.len() - start - WORD;
    let pad = record.next_multiple_of(8) - record;
    let word = length_word(record as u64, pad as u64);
    buf.resize(buf.len() + pad, 0);
    if let Some(place) = buf.get_mut(start..start + WORD) {
        place.copy_from_slice(&word.to_le_bytes());
    }
}

fn length_word(record: u64, pad: u64) -> u64 {
    if pad == 0 { record } else { record | (0x80 | pad) << 56 }
}

/// Splits a length word into record length and padding; `None` when no writer produces such a word.
pub(super) fn parse_word(word: u64) -> Option<(u64, u64)> {
    let len = word & ((1 << 56) - 1);
    let pad = len.next_multiple_of(8) - len;
    (len > 0 && len <= MAX_RECORD_BYTES && word == length_word(len, pad)).then_some((len, pad))
}

/// The fields of a record; `data` is a range of the bytes given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordFields {
    pub(super) kind: Kind,
    pub(super) crc: u32,
    pub(super) data: Range<usize>,
}

/// Reads a record. Absent fields are zero; `None` when it is not a record.
pub(super) fn parse_record(bytes: &[u8]) -> Option<RecordFields> {
    let (mut kind, mut crc, mut data) = (0, 0, 0..0);
    let mut at = 0;
    while at < bytes.len() {
        let tag = take_varint(bytes, &mut at)?;
        match tag {
            0x08 => kind = take_varint(bytes, &mut at)?,
            0x10 => crc = u32::try_from(take_varint(bytes, &mut at)?).ok()?,
            0x1a => {
                let len = usize::try_from(take_varint(bytes, &mut at)?).ok()?;
                let end = at.checked_add(len).filter(|end| *end <= bytes.len())?;
                data = at..end;
                at = end;
            }
            _ => return None,
        }
    }
    Some(RecordFields { kind: Kind::from_wire(kind)?, crc, data })
}

/// The beginning of a record, as [`put`] writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    pub(super) crc: u32,
    /// Where the data is in the record; it goes to its end.
    pub(super) data: Range<u64>,
}

/// No head is longer.
pub(super) const MAX_HEAD_BYTES: u64 = 16;

/// Reads the head of a record of `len` bytes from its first bytes, of which [`MAX_HEAD_BYTES`] are enough. Unlike
/// [`parse_record`] it only takes what a writer produces, and never looks at the data.
pub(super) fn parse_head(bytes: &[u8], len: u64) -> Option<Head> {
    let mut at = 0;
    let mut field = |tag| if take_varint(bytes, &mut at)? == tag { take_varint(bytes, &mut at) } else { None };
    let kind = Kind::from_wire(field(0x08)?)?;
    let crc = u32::try_from(field(0x10)?).ok()?;
    let data_len = if kind == Kind::Crc { 0 } else { field(0x1a)? };
    let start = at as u64;
    (start.checked_add(data_len)? == len).then_some(Head { kind, crc, data: start..len })
}

/// The value of a chain before data that brought it to `chain`: what [`put`] does, backwards.
pub(super) fn rewind(chain: u32, data: &[u8]) -> u32 {
    let before = data.iter().rev().fold(!chain, |chain, byte| {
        // The entry that was mixed in is known by its highest byte; the byte that selected it was shifted out.
        let selected = REWIND.get(usize::from((chain >> 24) as u8)).copied().unwrap_or_default();
        ((chain ^ selected.1) << 8) | u32::from(selected.0 ^ byte)
    });
    !before
}

/// By the highest byte of an entry in the table of CRC-32C: its place there, and the entry.
static REWIND: [(u8, u32); 256] = {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let mut table = [(0, 0); 256];
    let mut place = 0u8;
    loop {
        let mut entry = place as u32;
        let mut bit = 0;
        while bit < 8 {
            entry = (entry >> 1) ^ (POLYNOMIAL * (entry & 1));
            bit += 1;
        }
        table[(entry >> 24) as usize] = (place, entry);
        if place == u8::MAX {
            break table;
        }
        place += 1;
    }
};

/// Appends a protobuf varint.
pub(super) fn put_varint(buf: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        #[expect(clippy::cast_possible_truncation, reason = "the low seven bits are what is meant")]
        buf.push(value as u8 | 0x80);
        value >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "less than 0x80")]
    buf.push(value as u8);
}

fn take_varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_etcds_bytes() {
        let (mut buf, mut chain) = (Vec::new(), 0);
        put(&mut buf, &mut chain, Kind::Crc, &[]);
        assert_eq!(buf, [4, 0, 0, 0, 0, 0, 0, 0x84, 0x08, 4, 0x10, 0, 0, 0, 0, 0]);
        buf.clear();
        put(&mut buf, &mut chain, Kind::Metadata, &[b"somed", b"ata"]);
        assert_eq!(chain, crc32c::crc32c(b"somedata"));
        let (len, pad) = parse_word(u64::from_le_bytes(buf[..8].try_into().unwrap())).unwrap();
        assert_eq!(8 + len + pad, buf.len() as u64);
        let record = parse_record(&buf[8..8 + usize::try_from(len).unwrap()]).unwrap();
        assert_eq!((record.kind, record.crc), (Kind::Metadata, chain));
        assert_eq!(&buf[8..][record.data], b"somedata");
    }

    #[test]
    fn words_that_no_writer_makes_are_refused() {
        for word in [0, 1 << 56, 5, 8 | 0x80 << 56, 5 | 0x82 << 56, (MAX_RECORD_BYTES + 8)] {
            assert_eq!(parse_word(word), None, "{word:#x}");
        }
        assert_eq!(parse_word(8), Some((8, 0)));
        assert_eq!(parse_word(5 | 0x83 << 56), Some((5, 3)));
    }

    #[test]
    fn heads_are_read_without_the_data() {
        for (kind, data) in
            [(Kind::Crc, 0), (Kind::Metadata, 1), (Kind::Entry, 70_000), (Kind::State, 6), (Kind::Snapshot, 0)]
        {
            let (mut buf, mut chain) = (Vec::new(), 7);
            put(&mut buf, &mut chain, kind, &[&vec![3; data]]);
            let (len, _) = parse_word(u64::from_le_bytes(buf[..8].try_into().unwrap())).unwrap();
            let end = buf.len().min(8 + usize::try_from(MAX_HEAD_BYTES).unwrap());
            let head = parse_head(&buf[8..end], len).unwrap();
            assert_eq!((head.kind, head.crc), (kind, chain));
            assert_eq!((head.data.end - head.data.start, head.data.end), (data as u64, len));
            assert_eq!(parse_head(&buf[8..end], len + 1).filter(|_| kind != Kind::Crc), None);
        }
        assert_eq!(parse_head(&[8, 3, 16, 0, 26], 5), None);
    }

    #[test]
    fn a_chain_goes_backwards() {
        for (chain, data) in [(0, &b""[..]), (7, b"x"), (u32::MAX, b"123456789"), (0xdead_beef, &[0; 100])] {
            assert_eq!(rewind(crc32c::crc32c_append(chain, data), data), chain);
        }
    }

    #[test]
    fn truncated_records_are_refused() {
        let (mut buf, mut chain) = (Vec::new(), 7);
        put(&mut buf, &mut chain, Kind::Entry, &[&[1; 300]]);
        let (len, _) = parse_word(u64::from_le_bytes(buf[..8].try_into().unwrap())).unwrap();
        let len = usize::try_from(len).unwrap();
        for end in 1..len {
            assert!(parse_record(&buf[8..8 + end]).is_none_or(|r| r.data.len() < 300), "{end}");
        }
    }
}
