//! The keys of the rows that hold history.

use std::fmt;

/// The key of a row in [`Bucket::Key`](super::Bucket::Key): a revision, and whether it deleted its key.
///
/// Encoded as etcd does: main and sub revision as big-endian 64-bit numbers with `_` between them, `t` behind a
/// deletion. The order of the encoded bytes, and of these values, is the order of history.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey {
    pub main: i64,
    pub sub: u32,
    pub tombstone: bool,
}

const SEPARATOR: u8 = b'_';
const TOMBSTONE: u8 = b't';
const SEPARATOR_AT: usize = 8;
const PLAIN_LEN: usize = 17;

impl RowKey {
    pub const fn new(main: i64, sub: u32) -> RowKey {
        RowKey { main, sub, tombstone: false }
    }

    pub const fn tombstone(main: i64, sub: u32) -> RowKey {
        RowKey { main, sub, tombstone: true }
    }

    pub fn encode(self) -> EncodedRowKey {
        let mut bytes = [TOMBSTONE; PLAIN_LEN + 1];
        bytes[..SEPARATOR_AT].copy_from_slice(&self.main.to_be_bytes());
        bytes[SEPARATOR_AT] = SEPARATOR;
        bytes[SEPARATOR_AT + 1..PLAIN_LEN].copy_from_slice(&u64::from(self.sub).to_be_bytes());
        EncodedRowKey { bytes, len: PLAIN_LEN + usize::from(self.tombstone) }
    }

    /// Reads what [`RowKey::encode`] wrote; none if these bytes are something else.
    pub fn decode(bytes: &[u8]) -> Option<RowKey> {
        let (plain, rest) = bytes.split_at_checked(PLAIN_LEN)?;
        let tombstone = match rest {
            [] => false,
            [TOMBSTONE] => true,
            _ => return None,
        };
        let (main, sub) = plain.split_first_chunk::<SEPARATOR_AT>()?;
        let (&SEPARATOR, sub) = sub.split_first()? else { return None };
        let main = i64::from_be_bytes(*main);
        let sub = u32::try_from(u64::from_be_bytes(sub.try_into().ok()?)).ok()?;
        Some(RowKey { main, sub, tombstone })
    }
}

impl fmt::Debug for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}{}", self.main, self.sub, if self.tombstone { "t" } else { "" })
    }
}

/// A [`RowKey`] as bytes.
#[derive(Clone, Copy, Debug)]
pub struct EncodedRowKey {
    bytes: [u8; PLAIN_LEN + 1],
    len: usize,
}

impl std::ops::Deref for EncodedRowKey {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_etcds_and_sort_as_history() {
        let keys = [RowKey::new(1, 0), RowKey::tombstone(1, 0), RowKey::new(1, 1), RowKey::new(258, 0)];
        assert_eq!(&*RowKey::tombstone(258, 3).encode(), b"\0\0\0\0\0\0\x01\x02_\0\0\0\0\0\0\0\x03t");
        for pair in keys.windows(2) {
            assert!(pair[0] < pair[1] && *pair[0].encode() < *pair[1].encode());
        }
        for key in keys {
            assert_eq!(RowKey::decode(&key.encode()), Some(key));
        }
    }

    #[test]
    fn other_bytes_are_no_row_key() {
        let good = RowKey::new(7, 0).encode();
        let mut wrong_separator = good.to_vec();
        wrong_separator[8] = b'-';
        for bytes in [&[][..], &good[..16], &wrong_separator, &[&good[..], b"x"].concat(), &[&good[..], b"tt"].concat()]
        {
            assert_eq!(RowKey::decode(bytes), None);
        }
    }
}
