//! The `key` / `range_end` pair of a request, decoded once.

use bytes::Bytes;

/// Where a [`KeyRange`] ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RangeEnd {
    /// Just the one key.
    Single,
    /// Every key below this one. Not above the start means that the range is empty.
    Before(Bytes),
    /// Every key from the start on.
    Unbounded,
}

/// A single key or a half-open interval of keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyRange {
    pub start: Bytes,
    pub end: RangeEnd,
}

impl KeyRange {
    /// Reads a request's pair: an empty `range_end` means the single key, one zero byte means "to the end".
    pub fn new(key: Bytes, range_end: Bytes) -> KeyRange {
        let end = match &range_end[..] {
            [] => RangeEnd::Single,
            [0] => RangeEnd::Unbounded,
            _ => RangeEnd::Before(range_end),
        };
        KeyRange { start: key, end }
    }

    pub fn single(key: Bytes) -> KeyRange {
        KeyRange { start: key, end: RangeEnd::Single }
    }

    /// Every key that begins with a prefix; all keys for the empty one.
    pub fn prefix(prefix: &[u8]) -> KeyRange {
        let mut end = prefix.to_vec();
        while let Some(last) = end.pop() {
            if last < u8::MAX {
                end.push(last + 1);
                return KeyRange { start: Bytes::copy_from_slice(prefix), end: RangeEnd::Before(end.into()) };
            }
        }
        KeyRange { start: Bytes::copy_from_slice(prefix), end: RangeEnd::Unbounded }
    }

    /// Whether no key can be inside.
    pub fn is_empty(&self) -> bool {
        matches!(&self.end, RangeEnd::Before(end) if end <= &self.start)
    }

    pub fn contains(&self, key: &[u8]) -> bool {
        match &self.end {
            RangeEnd::Single => key == &self.start[..],
            RangeEnd::Before(end) => key >= &self.start[..] && key < &end[..],
            RangeEnd::Unbounded => key >= &self.start[..],
        }
    }
}
