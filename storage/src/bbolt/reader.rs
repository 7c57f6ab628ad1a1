//! Going through a file that nobody vouches for.
//!
//! Positioned reads, one run of pages a level in memory; rows are lent from there. Each page is reached once at most, and
//! the keys below a branch have to be between its own ones, so whatever the pages say, a walk ends after one look at each,
//! and no memory is taken for more than the file has.

mod buckets;
mod free_list;
mod node;
mod open;
mod pages;
mod reached;
mod tree;

pub use buckets::{Bucket, Buckets};

use self::pages::Pages;
use super::error::ReadError;
use super::layout::Meta;
use super::read_at::ReadAt;

/// A bbolt file that can be read, as of its last good transaction. What is behind its last page is ignored.
#[derive(Debug)]
pub struct Reader<R> {
    pages: Pages<R>,
}

/// A row, for as long as the next one is not asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    pub key: &'a [u8],
    pub value: &'a [u8],
}

impl<R: ReadAt> Reader<R> {
    /// Finds out what the file is, and that it is not shorter than it says.
    ///
    /// # Errors
    /// When it is no bbolt file, one that this program does not read, damaged or truncated.
    pub fn open(source: R) -> Result<Reader<R>, ReadError> {
        let meta = open::meta(&source)?;
        Ok(Reader { pages: Pages { source, meta } })
    }

    /// The meta page that counts.
    pub fn meta(&self) -> &Meta {
        &self.pages.meta
    }

    /// Bytes that belong to the database: what follows them in the file does not.
    pub fn bytes(&self) -> u64 {
        self.pages.bytes()
    }

    /// Begins to go through all buckets, in the order of their names. Takes a bit of memory for each page.
    ///
    /// # Errors
    /// When the root bucket or the list of free pages is damaged, or cannot be read.
    pub fn buckets(&self) -> Result<Buckets<'_, R>, ReadError> {
        Buckets::begin(&self.pages)
    }

    /// Goes through everything: each page below the high water mark is in use once, or free, and in order.
    ///
    /// # Errors
    /// When it is not, or cannot be read.
    pub fn check(&self) -> Result<(), ReadError> {
        let mut buckets = self.buckets()?;
        while let Some(mut bucket) = buckets.next_bucket()? {
            while bucket.next_row()?.is_some() {}
        }
        Ok(())
    }
}
