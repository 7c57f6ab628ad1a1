//! Reading through the buffer.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, ControlFlow};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use redb::StorageError;

use super::layer::Found;
use super::table::{Bounds, Table};
use super::view::View;
use super::{Backend, BackendError, Bucket, Edition, RowKey, guarded, table};
use crate::Record;

/// Told the key and the value of each row until it breaks.
pub type EachRow<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// Where rows are to be had: the database, or a finished file that is to take its place.
pub trait Rows {
    fn path(&self) -> &Path;

    /// Reads a row of any bucket but [`Bucket::Key`].
    ///
    /// # Errors
    /// When the file cannot be read.
    fn row(&self, bucket: Bucket, key: &[u8]) -> Result<Option<Bytes>, BackendError>;

    /// Calls `each` for the rows of a bucket, in order, until it breaks.
    ///
    /// # Errors
    /// When the file cannot be read.
    fn each_row(&self, bucket: Bucket, each: &mut EachRow<'_>) -> Result<(), BackendError>;
}

impl Rows for Backend {
    fn path(&self) -> &Path {
        self.path()
    }

    fn row(&self, bucket: Bucket, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        self.get(bucket, key)
    }

    fn each_row(&self, bucket: Bucket, each: &mut EachRow<'_>) -> Result<(), BackendError> {
        self.scan(bucket, &[], None, each)
    }
}

impl Rows for Edition {
    fn path(&self) -> &Path {
        &self.shared.path
    }

    fn row(&self, bucket: Bucket, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        self.get(bucket, key)
    }

    fn each_row(&self, bucket: Bucket, each: &mut EachRow<'_>) -> Result<(), BackendError> {
        self.scan(bucket, &[], None, each)
    }
}

/// The same for rows of history, with the key decoded too.
pub(crate) type EachHistoryRow<'a> = dyn FnMut(RowKey, &[u8], &[u8]) -> ControlFlow<()> + 'a;

impl Backend {
    /// What is there now, for as long as it is held.
    pub(crate) fn edition(&self) -> Edition {
        Edition { shared: Arc::clone(&self.shared), contents: self.shared.contents.load_full() }
    }

    /// Reads a row of any bucket but [`Bucket::Key`], for which there is [`Backend::record`].
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn get(&self, bucket: Bucket, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        self.edition().get(bucket, key)
    }

    /// Reads a row of history; none if it was never there or is compacted away.
    ///
    /// # Errors
    /// When the file cannot be read, or the row is no record.
    pub fn record(&self, key: RowKey) -> Result<Option<Record>, BackendError> {
        self.edition().record(key)
    }

    /// Reads rows of history in order, from `from` up to and without `to`, at most `limit` of them.
    ///
    /// # Errors
    /// When the file cannot be read, or a row is no record.
    pub fn records(&self, from: RowKey, to: RowKey, limit: usize) -> Result<Vec<(RowKey, Record)>, BackendError> {
        self.edition().records(from, to, limit)
    }

    /// Calls `each` for the rows of a bucket, from `from` up to and without `to`, in order, until it breaks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn scan(
        &self,
        bucket: Bucket,
        from: &[u8],
        to: Option<&[u8]>,
        each: &mut EachRow<'_>,
    ) -> Result<(), BackendError> {
        self.edition().scan(bucket, from, to, each)
    }
}

impl Edition {
    /// See [`Backend::get`].
    pub(crate) fn get(&self, bucket: Bucket, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        let key = Bytes::copy_from_slice(key);
        let view = {
            let buffers = self.contents.buffers.read();
            for layer in std::iter::once(&buffers.active).chain(buffers.sealed.as_deref()) {
                match layer.value(bucket, &key) {
                    Found::Here(value) => return Ok(Some(value)),
                    Found::Removed => return Ok(None),
                    Found::Below => {}
                }
            }
            Arc::clone(&buffers.view)
        };
        self.guarded(|| {
            let row = view.table(bucket).get(&key[..]).map_err(|error| self.failed(error))?;
            Ok(row.map(|row| Bytes::copy_from_slice(row.value())))
        })
    }

    /// See [`Backend::record`].
    pub(crate) fn record(&self, key: RowKey) -> Result<Option<Record>, BackendError> {
        let view = {
            let buffers = self.contents.buffers.read();
            for layer in std::iter::once(&buffers.active).chain(buffers.sealed.as_deref()) {
                match layer.row(key) {
                    Found::Here(record) => return Ok(Some(record)),
                    Found::Removed => return Ok(None),
                    Found::Below => {}
                }
            }
            Arc::clone(&buffers.view)
        };
        self.guarded(|| {
            let row = view.table(Bucket::Key).get(&key.encode()).map_err(|error| self.failed(error))?;
            row.map(|row| self.decode(&key, row.value())).transpose()
        })
    }

    /// See [`Backend::records`].
    pub(crate) fn records(
        &self,
        from: RowKey,
        to: RowKey,
        limit: usize,
    ) -> Result<Vec<(RowKey, Record)>, BackendError> {
        let (view, sealed, removed, newest) = {
            let buffers = self.contents.buffers.read();
            let removed: BTreeSet<RowKey> = buffers.active.removed.range(from..to.max(from)).copied().collect();
            let newest = buffers.active.rows_between(from, to);
            let newest: Vec<_> = newest.iter().filter(|(key, _)| !removed.contains(key)).take(limit).cloned().collect();
            (Arc::clone(&buffers.view), buffers.sealed.clone(), removed, newest)
        };
        let gone =
            |key: &RowKey| removed.contains(key) || sealed.as_ref().is_some_and(|layer| layer.removed.contains(key));
        let newest_in_file =
            sealed.as_deref().and_then(|layer| layer.rows.first()).map_or(to, |(key, _)| (*key).min(to));
        let mut found = Vec::new();
        HistoryView { edition: self, view }.scan(from, newest_in_file, &mut |key, _, value| {
            if found.len() >= limit {
                return ControlFlow::Break(());
            }
            if !gone(&key) {
                found.push(self.decode(&key, value).map(|record| (key, record)));
            }
            ControlFlow::Continue(())
        })?;
        let mut found = found.into_iter().collect::<Result<Vec<_>, _>>()?;
        let older = sealed.iter().flat_map(|layer| layer.rows_between(from, to)).filter(|(key, _)| !gone(key)).cloned();
        let room = limit - found.len();
        found.extend(older.chain(newest).take(room));
        Ok(found)
    }

    /// See [`Backend::scan`].
    pub(crate) fn scan(
        &self,
        bucket: Bucket,
        from: &[u8],
        to: Option<&[u8]>,
        each: &mut EachRow<'_>,
    ) -> Result<(), BackendError> {
        assert!(bucket != Bucket::Key, "rows of the key bucket are records");
        if to.is_some_and(|to| to <= from) {
            return Ok(());
        }
        let start = Bytes::copy_from_slice(from);
        let end = to.map(Bytes::copy_from_slice);
        let (view, newer) = {
            let buffers = self.contents.buffers.read();
            let mut newer: BTreeMap<Bytes, Option<Bytes>> = BTreeMap::new();
            for layer in buffers.sealed.as_deref().into_iter().chain([&buffers.active]) {
                let rows = layer.other.range((bucket, start.clone())..);
                let inside =
                    rows.take_while(|((other, key), _)| *other == bucket && end.as_ref().is_none_or(|end| key < end));
                newer.extend(inside.map(|((_, key), value)| (key.clone(), value.clone())));
            }
            (Arc::clone(&buffers.view), newer)
        };
        let bounds = (Bound::Included(from), to.map_or(Bound::Unbounded, Bound::Excluded));
        self.guarded(|| self.merge(view.table(bucket), bounds, newer, each))
    }

    /// Rows of a table with newer ones over them.
    fn merge(
        &self,
        table: &Table,
        bounds: Bounds<'_>,
        newer: BTreeMap<Bytes, Option<Bytes>>,
        each: &mut EachRow<'_>,
    ) -> Result<(), BackendError> {
        let mut newer = newer.into_iter().peekable();
        let rows = table.range(bounds).map_err(|error| self.failed(error))?;
        for row in rows {
            let (key, value) = row.map_err(|error| self.failed(error))?;
            while let Some((newer_key, newer_value)) = newer.next_if(|(newer_key, _)| &newer_key[..] < key.value()) {
                if newer_value.is_some_and(|value| each(&newer_key, &value).is_break()) {
                    return Ok(());
                }
            }
            // A row in the buffer hides the one in the file.
            if newer.peek().is_none_or(|(newer_key, _)| newer_key[..] != *key.value())
                && each(key.value(), value.value()).is_break()
            {
                return Ok(());
            }
        }
        for (key, value) in newer {
            if value.is_some_and(|value| each(&key, &value).is_break()) {
                break;
            }
        }
        Ok(())
    }

    /// The history that is in the file; what is only in the buffer is left out, so flush first.
    pub(crate) fn history(&self) -> HistoryView<'_> {
        HistoryView { edition: self, view: self.view() }
    }

    pub(super) fn guarded<T>(&self, read: impl FnOnce() -> Result<T, BackendError>) -> Result<T, BackendError> {
        guarded(&self.shared.path, read)
    }

    pub(super) fn failed(&self, error: impl Into<redb::Error>) -> BackendError {
        BackendError::from_redb(&self.shared.path, error)
    }

    pub(crate) fn corrupt(&self, detail: impl Into<Arc<str>>) -> BackendError {
        BackendError::corrupt(&self.shared.path, detail)
    }

    fn row_key(&self, bytes: &[u8]) -> Result<RowKey, BackendError> {
        RowKey::decode(bytes).ok_or_else(|| self.corrupt(format!("a row of history has the key {bytes:02x?}")))
    }

    fn decode(&self, key: &RowKey, value: &[u8]) -> Result<Record, BackendError> {
        Record::decode(value).map_err(|error| self.corrupt(format!("the row {key:?} is {error}")))
    }
}

/// The rows of history as one transaction left them.
pub(crate) struct HistoryView<'a> {
    edition: &'a Edition,
    view: Arc<View>,
}

impl HistoryView<'_> {
    /// Calls `each` for the rows from `from` up to and without `to`, in order, until it breaks.
    pub(crate) fn scan(&self, from: RowKey, to: RowKey, each: &mut EachHistoryRow<'_>) -> Result<(), BackendError> {
        self.each(Table::range, from, to, each)
    }

    /// The same, with outlines in the place of rows whose values are large.
    pub(crate) fn scan_outlines(
        &self,
        from: RowKey,
        to: RowKey,
        each: &mut EachHistoryRow<'_>,
    ) -> Result<(), BackendError> {
        self.each(Table::outlines, from, to, each)
    }

    fn each(
        &self,
        rows: fn(&Table, Bounds<'_>) -> Result<table::Rows, StorageError>,
        from: RowKey,
        to: RowKey,
        each: &mut EachHistoryRow<'_>,
    ) -> Result<(), BackendError> {
        if to <= from {
            return Ok(());
        }
        let (start, end) = (from.encode(), to.encode());
        self.edition.guarded(|| {
            let rows = rows(self.view.table(Bucket::Key), (Bound::Included(&start), Bound::Excluded(&end)));
            for row in rows.map_err(|error| self.edition.failed(error))? {
                let (key, value) = row.map_err(|error| self.edition.failed(error))?;
                if each(self.edition.row_key(key.value())?, key.value(), value.value()).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }
}
