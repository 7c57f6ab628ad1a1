//! What waits to be written to one peer.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

/// New blocks have at least this size.
const BLOCK: usize = 64 << 10;
/// A block up to this size is kept for what comes next.
const KEPT: usize = 1 << 20;
/// Blocks written with one call.
const SLICES: usize = 16;

/// Bytes in blocks that never move: what is encoded into one is copied again only by the kernel.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    blocks: VecDeque<Vec<u8>>,
    /// How much of the first block is written.
    written: usize,
    bytes: usize,
    spare: Option<Vec<u8>>,
}

impl Outbox {
    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Lets `put` append up to `size` bytes.
    pub(super) fn append(&mut self, size: usize, put: impl FnOnce(&mut Vec<u8>)) {
        let fits = self.blocks.back().is_some_and(|block| block.capacity() - block.len() >= size);
        if !fits {
            let spare = self.spare.take().filter(|spare| spare.capacity() >= size);
            self.blocks.push_back(spare.unwrap_or_else(|| Vec::with_capacity(size.max(BLOCK))));
        }
        if let Some(block) = self.blocks.back_mut() {
            let before = block.len();
            put(block);
            self.bytes += block.len() - before;
        }
    }

    /// Has `write` take what it takes at once, until nothing is left or it would block. Returns how much was written.
    pub(super) fn write_to(&mut self, mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>) -> io::Result<usize> {
        let mut total = 0;
        while self.bytes > 0 {
            let mut slices = [IoSlice::new(&[]); SLICES];
            for (at, (slice, block)) in slices.iter_mut().zip(&self.blocks).enumerate() {
                let from = if at == 0 { self.written } else { 0 };
                *slice = IoSlice::new(block.get(from..).unwrap_or_default());
            }
            match write(&slices) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.advance(count);
                    total += count;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(total)
    }

    fn advance(&mut self, count: usize) {
        self.bytes = self.bytes.saturating_sub(count);
        self.written += count;
        while let Some(block) = self.blocks.pop_front_if(|block| self.written >= block.len()) {
            self.written -= block.len();
            self.keep(block);
        }
    }

    fn keep(&mut self, mut block: Vec<u8>) {
        let better = self.spare.as_ref().is_none_or(|spare| spare.capacity() < block.capacity());
        if better && block.capacity() <= KEPT {
            block.clear();
            self.spare = Some(block);
        }
    }

    /// Forgets everything: the stream it was meant for is gone.
    pub(super) fn clear(&mut self) {
        *self = Outbox { spare: self.spare.take(), ..Outbox::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// Takes so many bytes at a time, up to a total.
    struct Slow {
        taken: RefCell<Vec<u8>>,
        at_once: usize,
        total: usize,
    }

    impl Slow {
        fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            let mut taken = self.taken.borrow_mut();
            let room = self.at_once.min(self.total - taken.len());
            if room == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
            let count = room.min(all.len());
            taken.extend_from_slice(&all[..count]);
            Ok(count)
        }
    }

    #[test]
    fn everything_goes_out_in_order_however_little_fits() {
        let expected: Vec<u8> = (0..300_000u32).map(|i| i.to_le_bytes()[0] ^ i.to_le_bytes()[1]).collect();
        let slow = Slow { taken: RefCell::default(), at_once: 7_001, total: 250_000 };
        let mut outbox = Outbox::default();
        for (at, part) in expected.chunks(999).enumerate() {
            outbox.append(part.len(), |block| block.extend_from_slice(part));
            if at % 50 == 0 {
                outbox.write_to(|slices| slow.try_write(slices)).unwrap();
            }
        }
        outbox.write_to(|slices| slow.try_write(slices)).unwrap();
        assert_eq!(outbox.len(), 50_000);
        let fast = Slow { total: usize::MAX, ..slow };
        assert_eq!(outbox.write_to(|slices| fast.try_write(slices)).unwrap(), 50_000);
        assert!(outbox.is_empty());
        assert_eq!(*fast.taken.borrow(), expected);
    }

    #[test]
    fn blocks_are_used_again_and_never_move() {
        let fast = Slow { taken: RefCell::default(), at_once: usize::MAX, total: usize::MAX };
        let mut outbox = Outbox::default();
        let mut first: *const u8 = std::ptr::null();
        for _ in 0..5 {
            outbox.append(100, |block| {
                block.extend_from_slice(&[1; 100]);
                assert!(first.is_null() || first == block.as_ptr());
                first = block.as_ptr();
            });
            outbox.write_to(|slices| fast.try_write(slices)).unwrap();
        }
        outbox.append(3 << 20, |block| block.extend_from_slice(&[2; 3 << 20]));
        outbox.append(10, |block| block.extend_from_slice(&[3; 10]));
        assert_eq!(outbox.len(), (3 << 20) + 10);
        outbox.clear();
        assert!(outbox.is_empty());
    }
}
