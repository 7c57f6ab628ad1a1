//! The rows of a bucket, as one committed transaction left them and as they are written.
//!
//! A row of history with a large value is in two tables. In the bucket's own stands its outline (the key, the numbers and how long
//! the value is), in `keyLarge` the whole row, both under the row's key and written and removed together. So whoever needs no values,
//! as a store that is opened, reads a small part of the file. All others see whole rows: the two tables are read side by side, and
//! neither may have a row for which there is none in the other.

#[cfg(test)]
mod tests;

use std::ops::Bound;

use redb::{
    AccessGuard, CursorError, CursorMut, ReadOnlyTable, ReadTransaction, ReadableTableMetadata, StorageError,
    TableDefinition, TableError, WriteTransaction,
};

use super::Bucket;
use super::layer::row_bytes;
use crate::record;

/// Values of so many bytes are kept apart.
const LARGE: usize = if cfg!(test) { 130 } else { 1024 };

/// The table of a bucket.
pub(super) const fn definition(bucket: Bucket) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(bucket.name())
}

/// Whole rows of history with large values.
const LARGE_ROWS: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("keyLarge");

type ReadOnly = ReadOnlyTable<&'static [u8], &'static [u8]>;
type Writable<'t> = redb::Table<'t, &'static [u8], &'static [u8]>;
type Guard = AccessGuard<'static, &'static [u8]>;

/// From where to where.
pub(super) type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// A bucket, to be read.
pub(super) struct Table {
    rows: ReadOnly,
    /// Of history; none in a file that was never opened by a program that knows it.
    large: Option<ReadOnly>,
}

impl Table {
    pub(super) fn open(transaction: &ReadTransaction, bucket: Bucket) -> Result<Table, TableError> {
        let rows = transaction.open_table(definition(bucket))?;
        let large = match bucket {
            Bucket::Key => match transaction.open_table(LARGE_ROWS) {
                Err(TableError::TableDoesNotExist(_)) => None,
                opened => Some(opened?),
            },
            _ => None,
        };
        Ok(Table { rows, large })
    }

    /// A whole row.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Guard>, StorageError> {
        let row = self.rows.get(key)?;
        match &self.large {
            Some(large) if row.as_ref().is_some_and(|row| record::is_outline(row.value())) => {
                large.get(key)?.map_or_else(|| Err(alone(key)), |whole| Ok(Some(whole)))
            }
            _ => Ok(row),
        }
    }

    /// Whole rows, in order.
    pub(super) fn range(&self, bounds: Bounds<'_>) -> Result<Rows, StorageError> {
        let large = self.large.as_ref().map(|large| large.range::<&[u8]>(bounds)).transpose()?;
        Ok(Rows { rows: self.rows.range::<&[u8]>(bounds)?, large })
    }

    /// All of them.
    pub(super) fn iter(&self) -> Result<Rows, StorageError> {
        self.range((Bound::Unbounded, Bound::Unbounded))
    }

    /// Rows in order, of those with large values the outlines.
    pub(super) fn outlines(&self, bounds: Bounds<'_>) -> Result<Rows, StorageError> {
        Ok(Rows { rows: self.rows.range::<&[u8]>(bounds)?, large: None })
    }

    /// What its pages take of the file.
    pub(super) fn taken_bytes(&self) -> Result<u64, StorageError> {
        let mut bytes = 0;
        for rows in std::iter::once(&self.rows).chain(&self.large) {
            let stats = rows.stats()?;
            bytes += stats.stored_bytes() + stats.metadata_bytes() + stats.fragmented_bytes();
        }
        Ok(bytes)
    }
}

/// Some rows of a bucket.
pub(super) struct Rows {
    rows: redb::Range<'static, &'static [u8], &'static [u8]>,
    large: Option<redb::Range<'static, &'static [u8], &'static [u8]>>,
}

impl Iterator for Rows {
    type Item = Result<(Guard, Guard), StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Some(large) = &mut self.large else { return self.rows.next() };
        let Some(row) = self.rows.next() else {
            let left = large.next()?;
            return Some(left.and_then(|(key, _)| Err(alone(key.value()))));
        };
        Some(row.and_then(|(key, value)| {
            if !record::is_outline(value.value()) {
                return Ok((key, value));
            }
            match large.next().transpose()? {
                Some((whole_key, whole)) if whole_key.value() == key.value() => Ok((key, whole)),
                _ => Err(alone(key.value())),
            }
        }))
    }
}

fn alone(key: &[u8]) -> StorageError {
    StorageError::Corrupted(format!("of the row {key:02x?} of history there is only one half"))
}

/// A bucket, to be written.
pub(super) struct WriteTable<'t> {
    rows: Writable<'t>,
    large: Option<Writable<'t>>,
}

impl<'t> WriteTable<'t> {
    /// It is there afterwards.
    pub(super) fn open(transaction: &'t WriteTransaction, bucket: Bucket) -> Result<WriteTable<'t>, TableError> {
        let large = (bucket == Bucket::Key).then(|| transaction.open_table(LARGE_ROWS)).transpose()?;
        Ok(WriteTable { rows: transaction.open_table(definition(bucket))?, large })
    }

    /// Its end, to add rows to.
    pub(super) fn end(&mut self) -> Result<End<'_>, StorageError> {
        let large = self.large.as_mut().map(|large| large.upper_bound_mut(Bound::<&[u8]>::Unbounded)).transpose()?;
        Ok(End { rows: self.rows.upper_bound_mut(Bound::<&[u8]>::Unbounded)?, large })
    }

    /// Puts a row of any bucket but [`Bucket::Key`], in place of what is there; what that took of a page.
    pub(super) fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<Option<u64>, StorageError> {
        let replaced = self.rows.insert(key, value)?;
        Ok(replaced.map(|replaced| row_bytes(key, replaced.value())))
    }

    /// Removes a row, if it is there; what it took of its pages.
    pub(super) fn remove(&mut self, key: &[u8]) -> Result<Option<u64>, StorageError> {
        let (bytes, is_outline) = match self.rows.remove(key)? {
            Some(row) => (row_bytes(key, row.value()), self.large.is_some() && record::is_outline(row.value())),
            None => return Ok(None),
        };
        let whole = match &mut self.large {
            Some(large) if is_outline => large.remove(key)?.map(|whole| row_bytes(key, whole.value())),
            _ => None,
        };
        Ok(Some(bytes + whole.unwrap_or(0)))
    }
}

/// Where rows are added in order.
pub(super) struct End<'a> {
    rows: CursorMut<'a, &'static [u8], &'static [u8]>,
    large: Option<CursorMut<'a, &'static [u8], &'static [u8]>>,
}

impl End<'_> {
    /// Adds a whole row behind all others; what it takes of its pages.
    ///
    /// # Errors
    /// When it does not follow them, or cannot be written.
    pub(super) fn push(&mut self, key: &[u8], value: &[u8]) -> Result<u64, CursorError> {
        match &mut self.large {
            Some(large) if record::value_len(value) >= LARGE => {
                large.insert_before(key, value)?;
                let outline = record::with_outline(value, |outline| {
                    self.rows.insert_before(key, outline)?;
                    Ok::<_, CursorError>(row_bytes(key, outline))
                })?;
                Ok(outline + row_bytes(key, value))
            }
            _ => {
                self.rows.insert_before(key, value)?;
                Ok(row_bytes(key, value))
            }
        }
    }

    /// To be called at the end, or nothing of it is there.
    pub(super) fn close(self) -> Result<(), StorageError> {
        self.rows.close()?;
        self.large.map_or(Ok(()), CursorMut::close)
    }
}
