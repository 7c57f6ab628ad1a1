//! Bytes that can be read from anywhere, without a position that somebody else may move.

use std::cell::RefCell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::{fmt, io};

/// A file, or what stands for one.
pub trait ReadAt {
    /// Fills the buffer with what is at this offset.
    ///
    /// # Errors
    /// When it cannot be read, or ends before that.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// How many bytes there are.
    ///
    /// # Errors
    /// When nobody can say.
    fn size(&self) -> io::Result<u64>;
}

/// A source that tells of how many bytes are read each time.
pub struct Counted<S, F> {
    source: S,
    told: RefCell<F>,
}

impl<S: ReadAt, F: FnMut(usize)> Counted<S, F> {
    /// `told` must not read from it.
    pub fn new(source: S, told: F) -> Counted<S, F> {
        Counted { source, told: RefCell::new(told) }
    }
}

impl<S: ReadAt, F: FnMut(usize)> ReadAt for Counted<S, F> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.told.borrow_mut()(buffer.len());
        self.source.read_exact_at(buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.source.size()
    }
}

impl<S: fmt::Debug, F> fmt::Debug for Counted<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counted").field("source", &self.source).finish_non_exhaustive()
    }
}

impl ReadAt for File {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

impl ReadAt for [u8] {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let piece = usize::try_from(offset).ok().and_then(|at| self.get(at..)?.get(..buffer.len()));
        buffer.copy_from_slice(piece.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        (**self).read_exact_at(buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        (**self).size()
    }
}
