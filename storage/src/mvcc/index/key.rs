//! Keys as the index holds them.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Deref;

use compact_bytes::CompactBytes;

/// Up to 23 bytes in place, ordered by its bytes.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::mvcc) struct Key(CompactBytes);

impl Key {
    pub(in crate::mvcc) fn new(bytes: &[u8]) -> Key {
        Key(CompactBytes::new(bytes))
    }
}

impl Default for Key {
    fn default() -> Key {
        Key::new(&[])
    }
}

impl Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Key) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}
