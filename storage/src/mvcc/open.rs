//! Reading a store from its backend.

use std::ops::ControlFlow;
use std::sync::{Arc, mpsc};
use std::thread;

use super::index::Index;
use super::{FIRST_REVISION, NEVER_COMPACTED};
use crate::Record;
use crate::backend::{Backend, BackendError, Bucket, RowKey};
use crate::schema::{FINISHED_COMPACT_REVISION, SCHEDULED_COMPACT_REVISION};

/// What the rows of a backend amount to.
pub(super) struct Opened {
    pub(super) index: Index,
    pub(super) revision: i64,
    pub(super) finished: i64,
    /// A compaction that was asked for and not finished.
    pub(super) scheduled: Option<i64>,
    /// Whether any row names a lease.
    pub(super) leased: bool,
}

pub(super) fn open(backend: &Arc<Backend>) -> Result<Opened, BackendError> {
    let finished = compaction_row(backend, FINISHED_COMPACT_REVISION)?;
    let scheduled = compaction_row(backend, SCHEDULED_COMPACT_REVISION)?.filter(|revision| Some(*revision) > finished);
    let rows = read_rows(backend)?;
    let Rows { index, highest, leased } = rows;
    let revision = [highest, finished.unwrap_or(0), scheduled.unwrap_or(0), FIRST_REVISION].into_iter().max();
    Ok(Opened {
        index,
        revision: revision.unwrap_or(FIRST_REVISION),
        finished: finished.unwrap_or(NEVER_COMPACTED),
        scheduled,
        leased,
    })
}

struct Rows {
    index: Index,
    highest: i64,
    leased: bool,
}

/// How many rows one thread hands to the other at a time, and how many of these parcels may be under way.
const PARCEL_ROWS: usize = 1024;
const PARCELS: usize = 16;

/// Reads all of history. One thread reads the file and makes the records while this one puts them in order.
fn read_rows(backend: &Backend) -> Result<Rows, BackendError> {
    let (sender, parcels) = mpsc::sync_channel::<Vec<(RowKey, Record)>>(PARCELS);
    thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut parcel = Vec::with_capacity(PARCEL_ROWS);
            let mut wrong = None;
            let (first, end) = (RowKey::new(0, 0), RowKey::tombstone(i64::MAX, u32::MAX));
            backend.history().scan(first, end, &mut |row, _, value| {
                let Ok(record) = Record::decode(value) else {
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
            wrong.map_or(Ok(()), |row| Err(backend.corrupt(format!("the row {row:?} is not an encoded KeyValue"))))
        });
        let mut rows = Rows { index: Index::new(), highest: 0, leased: false };
        for (row, record) in parcels.into_iter().flatten() {
            rows.highest = row.main;
            rows.leased |= record.lease() != 0;
            rows.index.push(row, record);
        }
        match reader.join() {
            Ok(outcome) => outcome.map(|()| rows),
            Err(_) => Err(backend.corrupt("reading history panicked")),
        }
    })
}

fn compaction_row(backend: &Backend, name: &[u8]) -> Result<Option<i64>, BackendError> {
    let Some(bytes) = backend.get(Bucket::Meta, name)? else { return Ok(None) };
    match RowKey::decode(&bytes) {
        Some(row) => Ok(Some(row.main)),
        None => Err(backend.corrupt(format!("{} is {bytes:02x?}", String::from_utf8_lossy(name)))),
    }
}
