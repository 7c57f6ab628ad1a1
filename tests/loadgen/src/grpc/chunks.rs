//! The bytes of an answer.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};

/// Response bytes as received: usually one chunk, many for large lists; never copied together.
#[derive(Default, Clone)]
pub(super) struct Chunks {
    len: usize,
    first: Bytes,
    rest: VecDeque<Bytes>,
}
impl Chunks {
    pub(super) fn push(&mut self, b: Bytes) {
        self.len += b.len();
        if self.first.is_empty() {
            self.first = b;
        } else if !b.is_empty() {
            self.rest.push_back(b);
        }
    }
}
impl Buf for Chunks {
    fn remaining(&self) -> usize {
        self.len
    }
    fn chunk(&self) -> &[u8] {
        &self.first
    }
    fn advance(&mut self, mut n: usize) {
        self.len -= n;
        while n > self.first.len() {
            n -= self.first.len();
            self.first = self.rest.pop_front().expect("advance past the end");
        }
        self.first.advance(n);
        if self.first.is_empty()
            && let Some(b) = self.rest.pop_front()
        {
            self.first = b;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_read_as_one_buffer() {
        let mut c = Chunks::default();
        for s in ["ab", "", "c", "defg"] {
            c.push(Bytes::from(s));
        }
        let mut skipped = c.clone();
        assert_eq!(c.copy_to_bytes(7), "abcdefg");
        assert_eq!((c.remaining(), c.chunk().len()), (0, 0));
        skipped.advance(3);
        assert_eq!((skipped.remaining(), skipped.chunk()), (4, &b"defg"[..]));
    }
}
