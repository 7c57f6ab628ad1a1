//! Pages, one behind the other.

use std::io::{self, Seek, SeekFrom, Write};

use crate::bbolt::layout::{META_PAGES, PageHeader, PageKind};

/// What is gathered before it is written.
const BUFFER_BYTES: usize = 1 << 20;

/// Numbers runs of pages and writes them in this order, from page 2 on.
#[derive(Debug)]
pub(super) struct Sink<W> {
    out: W,
    page_bytes: u32,
    /// The first page of the next run.
    next: u64,
    buffer: Vec<u8>,
    /// Zeros that the run under way ends with.
    padding: usize,
    /// Something was not written: what comes after it would be in the wrong place.
    failed: bool,
}

impl<W: Write + Seek> Sink<W> {
    pub(super) fn begin(mut out: W, page_bytes: u32) -> io::Result<Sink<W>> {
        out.seek(SeekFrom::Start(META_PAGES * u64::from(page_bytes)))?;
        let buffer = Vec::with_capacity(BUFFER_BYTES);
        Ok(Sink { out, page_bytes, next: META_PAGES, buffer, padding: 0, failed: false })
    }

    pub(super) fn page_bytes(&self) -> u32 {
        self.page_bytes
    }

    /// Whether a leaf or branch of so many bytes is in one page.
    pub(super) fn is_one_page(&self, bytes: usize) -> bool {
        bytes <= self.page_bytes as usize
    }

    /// The number of the next run. All before it are in use.
    pub(super) fn next_page(&self) -> u64 {
        self.next
    }

    /// Begins a run for so many bytes with the header, and returns its number.
    pub(super) fn begin_run(&mut self, kind: PageKind, count: usize, bytes: usize) -> io::Result<u64> {
        let pages = bytes.div_ceil(self.page_bytes as usize);
        let too_many = |_| io::Error::from(io::ErrorKind::InvalidInput);
        let count = u16::try_from(count).map_err(too_many)?;
        let overflow = u32::try_from(pages.saturating_sub(1)).map_err(too_many)?;
        if self.buffer.len() >= BUFFER_BYTES {
            self.write_out()?;
        }
        let page = self.next;
        PageHeader { page, kind: Some(kind), count, overflow }.encode(&mut self.buffer);
        self.padding = pages * self.page_bytes as usize - bytes;
        self.next += pages as u64;
        Ok(page)
    }

    /// Where elements of the run go: no more than a few pages at a time.
    pub(super) fn elements(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Goes on with the run.
    pub(super) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.write_out()?;
        }
        if bytes.len() < BUFFER_BYTES {
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        }
        let written = self.out.write_all(bytes);
        self.failed = written.is_err();
        written
    }

    pub(super) fn end_run(&mut self) {
        self.buffer.resize(self.buffer.len() + self.padding, 0);
    }

    /// Writes the metas, at last.
    pub(super) fn finish(mut self, metas: &[Vec<u8>]) -> io::Result<W> {
        self.write_out()?;
        self.out.seek(SeekFrom::Start(0))?;
        for meta in metas {
            let mut page = meta.clone();
            page.resize(self.page_bytes as usize, 0);
            self.out.write_all(&page)?;
        }
        self.out.flush()?;
        Ok(self.out)
    }

    fn write_out(&mut self) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("something before it could not be written"));
        }
        let written = self.out.write_all(&self.buffer);
        self.failed = written.is_err();
        self.buffer.clear();
        written
    }
}
