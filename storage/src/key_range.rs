//! The `key` / `range_end` pair of a request, decoded once.

use bytes::Bytes;

/// The key right after another.
pub fn next_key(key: &[u8]) -> Bytes {
    [key, &[0]].concat().into()
}

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

    /// The pair that a request writes it as. There is no empty key, so a range of all keys begins at the first there can be.
    pub fn into_pair(self) -> (Bytes, Bytes) {
        let zero = || Bytes::from_static(&[0]);
        let range_end = match self.end {
            RangeEnd::Single => Bytes::new(),
            RangeEnd::Before(end) => end,
            RangeEnd::Unbounded => zero(),
        };
        (if self.start.is_empty() { zero() } else { self.start }, range_end)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_written_as_it_is_read() {
        let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
        for (range, pair) in [
            (KeyRange::single(bytes("a")), ("a", "")),
            (KeyRange::prefix(b"a"), ("a", "b")),
            (KeyRange::prefix(b""), ("\0", "\0")),
            (KeyRange { start: bytes("a"), end: RangeEnd::Unbounded }, ("a", "\0")),
        ] {
            let (key, range_end) = range.clone().into_pair();
            assert_eq!((&key[..], &range_end[..]), (pair.0.as_bytes(), pair.1.as_bytes()));
            let read = KeyRange::new(key, range_end);
            assert_eq!(read.end, range.end);
            assert!(read.start == range.start || range.start.is_empty());
        }
        assert_eq!(next_key(b"a"), "a\0");
    }
}
