//! A file that is only read, under a database that thinks that it can write: what it writes stays in memory.
//!
//! redb repairs a file whose process was killed when it opens it. So that this can be looked at without being touched, the
//! repair is written here.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use parking_lot::Mutex;
use redb::StorageBackend;

/// What is kept of a place that was written; redb writes whole pages of at least this.
const BLOCK_BYTES: usize = 4096;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Overlay {
    file: File,
    /// Bytes that the file has.
    below: u64,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    len: u64,
    /// Bytes of the file that count: it was never cut shorter than this.
    below: u64,
    blocks: BTreeMap<u64, Box<[u8; BLOCK_BYTES]>>,
}

impl Overlay {
    pub(super) fn new(file: File) -> io::Result<Overlay> {
        let below = file.metadata()?.len();
        Ok(Overlay { file, below, written: Mutex::new(Written { len: below, below, blocks: BTreeMap::new() }) })
    }

    /// What the file has there, and zeros behind its end.
    fn read_below(&self, offset: u64, out: &mut [u8], below: u64) -> io::Result<()> {
        let there = usize::try_from(below.min(self.below).saturating_sub(offset)).unwrap_or(usize::MAX).min(out.len());
        let (there, behind) = out.split_at_mut(there);
        behind.fill(0);
        self.file.read_exact_at(there, offset)
    }
}

/// Cuts a range at the borders of blocks: number of the block, where in it, and where in the range.
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (u64, std::ops::Range<usize>, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let inside = usize::try_from(at % BLOCK_BYTES as u64).unwrap_or_default();
        let count = (BLOCK_BYTES - inside).min(len.checked_sub(done).filter(|left| *left > 0)?);
        let piece = (at / BLOCK_BYTES as u64, inside..inside + count, done..done + count);
        done += count;
        Some(piece)
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.written.lock().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let written = self.written.lock();
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > written.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read_below(offset, out, written.below)?;
        if written.blocks.is_empty() {
            return Ok(());
        }
        for (number, inside, range) in pieces(offset, out.len()) {
            if let Some(block) = written.blocks.get(&number)
                && let (Some(to), Some(from)) = (out.get_mut(range), block.get(inside))
            {
                to.copy_from_slice(from);
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut written = self.written.lock();
        if len < written.len {
            // What comes back later is zeros.
            written.below = written.below.min(len);
            let first = len.div_ceil(BLOCK_BYTES as u64);
            written.blocks.split_off(&first);
            let last = written.blocks.get_mut(&(len / BLOCK_BYTES as u64));
            let inside = usize::try_from(len % BLOCK_BYTES as u64).unwrap_or_default();
            last.and_then(|block| block.get_mut(inside..)).unwrap_or_default().fill(0);
        }
        written.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut written = self.written.lock();
        let below = written.below;
        for (number, inside, range) in pieces(offset, data.len()) {
            let block = match written.blocks.entry(number) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    let mut block = Box::new([0; BLOCK_BYTES]);
                    self.read_below(number * BLOCK_BYTES as u64, &mut block[..], below)?;
                    entry.insert(block)
                }
            };
            if let (Some(to), Some(from)) = (block.get_mut(inside), data.get(range)) {
                to.copy_from_slice(from);
            }
        }
        written.len = written.len.max(offset.saturating_add(data.len() as u64));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_the_file_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let whole: Vec<u8> = (0..10_000_u32).map(|n| (n % 251) as u8).collect();
        std::fs::write(&path, &whole).unwrap();
        let overlay = Overlay::new(File::open(&path).unwrap()).unwrap();
        let mut expected = whole.clone();
        let same = |overlay: &Overlay, expected: &[u8]| {
            let mut all = vec![1; expected.len()];
            overlay.read(0, &mut all).unwrap();
            assert!(all == expected && overlay.len().unwrap() == expected.len() as u64);
        };
        same(&overlay, &expected);
        // Across a border, and behind the end.
        overlay.write(4090, &[7; 20]).unwrap();
        expected[4090..4110].fill(7);
        overlay.write(9_990, &[8; 20]).unwrap();
        expected.resize(10_010, 0);
        expected[9_990..].fill(8);
        same(&overlay, &expected);
        overlay.set_len(20_000).unwrap();
        expected.resize(20_000, 0);
        same(&overlay, &expected);
        // What was cut off is zeros when there is room again.
        overlay.set_len(4_100).unwrap();
        overlay.set_len(9_000).unwrap();
        expected.truncate(4_100);
        expected.resize(9_000, 0);
        same(&overlay, &expected);
        assert!(overlay.read(8_999, &mut [0; 2]).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), whole);
    }
}
