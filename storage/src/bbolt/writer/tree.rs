//! A bucket under construction.

use std::io::{self, Seek, Write};

use super::branch::Branches;
use super::leaf::{self, Leaf};
use super::sink::Sink;
use crate::bbolt::error::RowError;
use crate::bbolt::layout::{MAX_KEY_BYTES, MAX_VALUE_BYTES};

/// Rows that come in order, on their way into leaves and branches.
#[derive(Debug, Default)]
pub(super) struct Tree {
    leaf: Leaf,
    branches: Branches,
    /// Empty before the first row.
    last_key: Vec<u8>,
}

impl Tree {
    /// Says whether this can be the next row.
    pub(super) fn check(&self, key: &[u8], value: &[u8]) -> Result<(), RowError> {
        if key.is_empty() {
            return Err(RowError::EmptyKey);
        }
        if key.len() > MAX_KEY_BYTES {
            return Err(RowError::LongKey(key.len()));
        }
        if value.len() > MAX_VALUE_BYTES {
            return Err(RowError::LargeValue(value.len()));
        }
        if key <= &self.last_key[..] {
            return Err(RowError::Order);
        }
        Ok(())
    }

    /// Adds a row that was checked.
    pub(super) fn put<W: Write + Seek>(
        &mut self,
        sink: &mut Sink<W>,
        flags: u32,
        key: &[u8],
        value: &[u8],
    ) -> io::Result<()> {
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        if !sink.is_one_page(self.leaf.bytes_with(key, value)) {
            self.close_leaf(sink)?;
            if !sink.is_one_page(self.leaf.bytes_with(key, value)) {
                let page = leaf::write_alone(sink, flags, key, value)?;
                return self.branches.push(key, page, sink);
            }
        }
        self.leaf.push(flags, key, value);
        Ok(())
    }

    /// Writes what is left, and begins anew; returns the root.
    pub(super) fn finish<W: Write + Seek>(&mut self, sink: &mut Sink<W>) -> io::Result<u64> {
        self.last_key.clear();
        if self.branches.is_empty() {
            // Empty if the bucket is.
            return self.leaf.write(sink);
        }
        self.close_leaf(sink)?;
        self.branches.finish(sink)
    }

    fn close_leaf<W: Write + Seek>(&mut self, sink: &mut Sink<W>) -> io::Result<()> {
        if self.leaf.is_empty() {
            return Ok(());
        }
        let key = self.leaf.first_key().to_vec();
        let page = self.leaf.write(sink)?;
        self.branches.push(&key, page, sink)
    }
}
