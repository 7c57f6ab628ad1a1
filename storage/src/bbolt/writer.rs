//! Making a file in one pass, from the leaves up.
//!
//! Leaves are written as they fill, and a branch as soon as there are enough below it, so children come before their
//! parents: the format does not mind. Memory is a leaf, a branch a level, and a buffer. What is known last, the two metas,
//! is at the beginning of the file and written last: before that it is no bbolt file.

mod branch;
mod leaf;
mod sink;
mod tree;

use std::io::{Seek, Write};

use self::sink::Sink;
use self::tree::Tree;
use super::error::{RowError, WriteError};
use super::layout::{BucketValue, IS_BUCKET, Meta, PAGE_BYTES};

/// Of the first meta; the second is one behind, so that the next transaction overwrites that one.
const TXID: u64 = 2;

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The size of the file.
    pub bytes: u64,
    /// Pages in it: the high water mark.
    pub pages: u64,
    /// Rows of all buckets.
    pub rows: u64,
}

/// Writes a bbolt file: buckets in the order of their names, rows in the order of their keys.
///
/// A row that is refused leaves the rest as it was. After an error of `out` nothing more is written, and what is there is no
/// bbolt file.
#[derive(Debug)]
pub struct Writer<W> {
    sink: Sink<W>,
    /// Of the bucket under way.
    rows: Tree,
    bucket: Option<Vec<u8>>,
    /// The root bucket.
    buckets: Tree,
    count: u64,
}

impl<W: Write + Seek> Writer<W> {
    /// Begins a file, which should be empty: what is there already and longer stays behind the end.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(out: W) -> Result<Writer<W>, WriteError> {
        Writer::with_page_bytes(out, PAGE_BYTES)
    }

    /// Like [`Writer::new`] with pages as they are on other machines: a power of two from 1 KiB to 64 KiB.
    ///
    /// # Errors
    /// When pages cannot be of that size, or the file cannot be written.
    pub fn with_page_bytes(out: W, page_bytes: u32) -> Result<Writer<W>, WriteError> {
        if !page_bytes.is_power_of_two() || !(1 << 10..=1 << 16).contains(&page_bytes) {
            return Err(WriteError::PageBytes(page_bytes));
        }
        let sink = Sink::begin(out, page_bytes)?;
        Ok(Writer { sink, rows: Tree::default(), bucket: None, buckets: Tree::default(), count: 0 })
    }

    /// Begins a bucket, and ends the one before it.
    ///
    /// # Errors
    /// When its name does not come after that one's, or the file cannot be written.
    pub fn bucket(&mut self, name: &[u8]) -> Result<(), WriteError> {
        self.end_bucket()?;
        self.buckets.check(name, &[]).map_err(|error| WriteError::Bucket { name: name.to_vec(), error })?;
        self.bucket = Some(name.to_vec());
        Ok(())
    }

    /// Adds a row to the bucket.
    ///
    /// # Errors
    /// When there is no bucket yet, the row does not come after the one before it or is too large, or the file cannot be
    /// written.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), WriteError> {
        let Some(bucket) = &self.bucket else { return Err(WriteError::NoBucket) };
        let refused = |error: RowError| WriteError::Row { bucket: bucket.clone(), error };
        self.rows.check(key, value).map_err(refused)?;
        self.rows.put(&mut self.sink, 0, key, value)?;
        self.count += 1;
        Ok(())
    }

    /// Ends the file, which then is one; it is not synced. Returns what it was written to.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<(W, Written), WriteError> {
        self.end_bucket()?;
        let root = self.buckets.finish(&mut self.sink)?;
        let pages = self.sink.next_page();
        let meta = Meta {
            page_bytes: self.sink.page_bytes(),
            root,
            // What etcd does: whoever opens the file to write walks through it.
            free_list: None,
            high_water: pages,
            txid: TXID,
        };
        let bytes = pages * u64::from(meta.page_bytes);
        let metas = [meta.encode(0), Meta { txid: TXID - 1, ..meta }.encode(1)];
        let out = self.sink.finish(&metas)?;
        Ok((out, Written { bytes, pages, rows: self.count }))
    }

    fn end_bucket(&mut self) -> Result<(), WriteError> {
        let Some(name) = self.bucket.take() else { return Ok(()) };
        let root = self.rows.finish(&mut self.sink)?;
        self.buckets.put(&mut self.sink, IS_BUCKET, &name, &BucketValue::encode_tree(root))?;
        Ok(())
    }
}
