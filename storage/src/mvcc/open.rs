//! Reading a store from its backend.

use std::ops::ControlFlow;
use std::sync::mpsc;
use std::thread;

use super::index::Index;
use super::{FIRST_REVISION, NEVER_COMPACTED};
use crate::Record;
use crate::backend::schema::{FINISHED_COMPACT_REVISION, SCHEDULED_COMPACT_REVISION};
use crate::backend::{BackendError, Bucket, Edition, RowKey, Rows};

/// What the rows of a backend amount to.
pub(super) struct Opened {
    pub(super) index: Index,
    pub(super) revision: i64,
    pub(super) compacted: i64,
    pub(super) unfinished: Option<Unfinished>,
    /// Whether any row names a lease.
    pub(super) leased: bool,
    /// Whether the value of any is on the disk alone.
    pub(super) evicted: bool,
}

/// A compaction that was asked for and not finished.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unfinished {
    pub(super) revision: i64,
    /// The compacted revision before.
    pub(super) previous: i64,
}

/// Of values no more than `value_bytes` are in memory at any time.
pub(super) fn open(edition: &Edition, value_bytes: usize) -> Result<Opened, BackendError> {
    let (scheduled, finished) = compactions(edition)?;
    let rows = read_rows(edition, value_bytes)?;
    let History { index, highest, leased, evicted } = rows;
    let revision = [highest, finished.unwrap_or(0), scheduled.unwrap_or(0), FIRST_REVISION].into_iter().max();
    let previous = finished.unwrap_or(NEVER_COMPACTED);
    Ok(Opened {
        index,
        revision: revision.unwrap_or(FIRST_REVISION),
        compacted: scheduled.unwrap_or(previous),
        unfinished: scheduled.map(|revision| Unfinished { revision, previous }),
        leased,
        evicted,
    })
}

struct History {
    index: Index,
    highest: i64,
    leased: bool,
    evicted: bool,
}

/// How many rows one thread hands to the other at a time, and how many of these parcels may be under way.
const PARCEL_ROWS: usize = 1024;
const PARCELS: usize = 16;

/// Reads all of history. One thread reads the file and makes the records while this one puts them in order.
fn read_rows(edition: &Edition, value_bytes: usize) -> Result<History, BackendError> {
    let (sender, parcels) = mpsc::sync_channel::<Vec<(RowKey, Record)>>(PARCELS);
    thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut parcel = Vec::with_capacity(PARCEL_ROWS);
            let mut wrong = None;
            let (first, end) = (RowKey::new(0, 0), RowKey::tombstone(i64::MAX, u32::MAX));
            edition.history().scan_outlines(first, end, &mut |row, _, value| {
                let Ok(record) = Record::decode_row(value) else {
                    wrong = Some(row);
                    return ControlFlow::Break(());
                };
                parcel.push((row, record));
                if parcel.len() < PARCEL_ROWS {
                    return ControlFlow::Continue(());
                }
                match sender.send(std::mem::replace(&mut parcel, Vec::with_capacity(PARCEL_ROWS))) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                }
            })?;
            // Nobody listens any more only when the other side panicked.
            let _ = sender.send(parcel);
            wrong.map_or(Ok(()), |row| Err(edition.corrupt(format!("the row {row:?} is not an encoded KeyValue"))))
        });
        let mut rows = History { index: Index::new(), highest: 0, leased: false, evicted: false };
        let mut evicted = Vec::new();
        for (row, record) in parcels.into_iter().flatten() {
            rows.highest = row.main;
            rows.leased |= record.lease() != 0;
            // Of large values nothing more is read: those that are wanted come by and by.
            rows.evicted |= record.is_outline();
            rows.index.push(row, record);
            rows.index.evict_down_to(value_bytes, &mut evicted);
            rows.evicted |= !evicted.is_empty();
            evicted.clear();
        }
        match reader.join() {
            Ok(outcome) => outcome.map(|()| rows),
            Err(_) => Err(edition.corrupt("reading history panicked")),
        }
    })
}

/// The last compaction that was asked for, unless it is finished, and the last one that is.
pub(super) fn compactions(rows: &impl Rows) -> Result<(Option<i64>, Option<i64>), BackendError> {
    let finished = compaction_row(rows, FINISHED_COMPACT_REVISION)?;
    let scheduled = compaction_row(rows, SCHEDULED_COMPACT_REVISION)?.filter(|revision| Some(*revision) > finished);
    Ok((scheduled, finished))
}

fn compaction_row(rows: &impl Rows, name: &[u8]) -> Result<Option<i64>, BackendError> {
    let Some(bytes) = rows.row(Bucket::Meta, name)? else { return Ok(None) };
    match RowKey::decode(&bytes) {
        Some(row) => Ok(Some(row.main)),
        None => Err(BackendError::corrupt(rows.path(), format!("{} is {bytes:02x?}", String::from_utf8_lossy(name)))),
    }
}
