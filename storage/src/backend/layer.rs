//! What was committed and is not in the file yet.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::{Applied, Batch, Bucket, RowKey};
use crate::Record;

/// What a row takes in memory beside its bytes, roughly.
const ROW_OVERHEAD_BYTES: usize = 64;

/// The batches of one future transaction, merged.
#[derive(Debug, Default)]
pub(super) struct Layer {
    /// In ascending order: history is only appended to.
    pub(super) rows: Vec<(RowKey, Record)>,
    /// Rows that are gone, here or below. A row is never written again after its removal.
    pub(super) removed: BTreeSet<RowKey>,
    pub(super) other: BTreeMap<(Bucket, Bytes), Option<Bytes>>,
    pub(super) applied: Option<Applied>,
    /// How many rows were written or removed.
    pub(super) operations: usize,
    pub(super) bytes: usize,
}

/// What a layer knows of a row.
pub(super) enum Found<T> {
    Here(T),
    Removed,
    /// Ask the layer below.
    Below,
}

impl Layer {
    pub(super) fn is_empty(&self) -> bool {
        self.operations == 0 && self.applied.is_none()
    }

    pub(super) fn absorb(&mut self, batch: Batch, applied: Option<Applied>) {
        let Batch { rows, removed, other } = batch;
        self.operations += rows.len() + removed.len() + other.len();
        for (key, record) in rows {
            assert!(self.rows.last().is_none_or(|(last, _)| *last < key), "history is only appended to: {key:?}");
            self.bytes += record.encoded().len() + ROW_OVERHEAD_BYTES;
            self.rows.push((key, record));
        }
        self.bytes += removed.len() * ROW_OVERHEAD_BYTES;
        self.removed.extend(removed);
        for (bucket, key, value) in other {
            self.bytes += key.len() + value.as_ref().map_or(0, Bytes::len) + ROW_OVERHEAD_BYTES;
            self.other.insert((bucket, key), value);
        }
        self.applied = applied.or(self.applied);
    }

    pub(super) fn row(&self, key: RowKey) -> Found<Record> {
        if !self.removed.is_empty() && self.removed.contains(&key) {
            return Found::Removed;
        }
        let at = self.rows.binary_search_by(|(other, _)| other.cmp(&key));
        at.ok().and_then(|at| self.rows.get(at)).map_or(Found::Below, |(_, record)| Found::Here(record.clone()))
    }

    /// The rows from `from` up to and without `to`, removed ones included.
    pub(super) fn rows_between(&self, from: RowKey, to: RowKey) -> &[(RowKey, Record)] {
        let start = self.rows.partition_point(|(key, _)| *key < from);
        let end = self.rows.partition_point(|(key, _)| *key < to);
        self.rows.get(start..end).unwrap_or_default()
    }

    pub(super) fn value(&self, bucket: Bucket, key: &Bytes) -> Found<Bytes> {
        if self.other.is_empty() {
            return Found::Below;
        }
        match self.other.get(&(bucket, key.clone())) {
            Some(Some(value)) => Found::Here(value.clone()),
            Some(None) => Found::Removed,
            None => Found::Below,
        }
    }
}

/// What a row takes in a page of the file.
pub(super) fn row_bytes(key: &[u8], value: &[u8]) -> u64 {
    const OFFSETS: usize = 8;
    (key.len() + value.len() + OFFSETS) as u64
}
