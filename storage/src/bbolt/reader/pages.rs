//! Runs of pages, from the file into memory.

use std::io;

use super::reached::Reached;
use crate::bbolt::error::{Damage, ReadError};
use crate::bbolt::layout::{META_PAGES, Meta, PageHeader};
use crate::bbolt::read_at::ReadAt;

/// The file and its geometry. It has all pages below the high water mark.
#[derive(Debug)]
pub(super) struct Pages<R> {
    pub(super) source: R,
    pub(super) meta: Meta,
}

/// Why a page is not to be had.
#[derive(Debug)]
pub(super) enum Trouble {
    Damage(Damage),
    Other(ReadError),
}

impl From<Damage> for Trouble {
    fn from(damage: Damage) -> Trouble {
        Trouble::Damage(damage)
    }
}

impl<R: ReadAt> Pages<R> {
    /// Cannot overflow: that was seen when the file was opened.
    pub(super) fn bytes(&self) -> u64 {
        self.meta.high_water.saturating_mul(self.page_bytes())
    }

    /// Reads the run that begins with this page, which nothing else may be in.
    pub(super) fn read_run(
        &self,
        page: u64,
        bytes: &mut Vec<u8>,
        reached: &mut Reached,
    ) -> Result<PageHeader, Trouble> {
        let end = self.meta.high_water;
        if !(META_PAGES..end).contains(&page) {
            return Err(Damage::NoPage { last: end.saturating_sub(1) }.into());
        }
        bytes.clear();
        self.read_more(page, self.page_bytes(), bytes)?;
        let header = PageHeader::decode(bytes).ok_or(Damage::Kind)?;
        if header.page != page {
            return Err(Damage::OtherPage(header.page).into());
        }
        let pages = u64::from(header.overflow) + 1;
        if pages > end - page {
            return Err(Damage::Run { pages }.into());
        }
        // Before there is memory for it: all runs together are no larger than the file.
        reached.take(page..page + pages)?;
        self.read_more(page, pages * self.page_bytes(), bytes)?;
        Ok(header)
    }

    /// Reads on until there are so many bytes from the beginning of this page on.
    fn read_more(&self, page: u64, until: u64, bytes: &mut Vec<u8>) -> Result<(), Trouble> {
        let have = bytes.len();
        let offset = page * self.page_bytes() + have as u64;
        let failed = |source| Trouble::Other(ReadError::Io { offset, source });
        let until = usize::try_from(until).map_err(|_| failed(io::ErrorKind::OutOfMemory.into()))?;
        if until > have {
            bytes.reserve_exact(until - have);
            bytes.resize(until, 0);
            self.source.read_exact_at(bytes.get_mut(have..).unwrap_or_default(), offset).map_err(failed)?;
        }
        Ok(())
    }

    fn page_bytes(&self) -> u64 {
        u64::from(self.meta.page_bytes)
    }
}
