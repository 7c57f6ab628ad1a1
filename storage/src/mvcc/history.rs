//! History for watchers.

use super::MvccError;
use super::state::State;
use crate::backend::RowKey;
use crate::watch::{HistoryError, HistoryPage, HistoryRead, RevisionEvents};
use crate::{Event, EventKind, Record};

/// How many rows are read from the backend at a time.
const ROWS_PER_READ: usize = 1000;

impl State {
    pub(super) fn events(&self, read: HistoryRead) -> Result<HistoryPage, HistoryError> {
        // Rows beyond it may be there already, but not all of their revision.
        let current = self.revision();
        if read.from < self.compacted() {
            return Err(HistoryError::Compacted);
        }
        let mut page = HistoryPage { revisions: Vec::new(), through: current.max(read.from - 1) };
        if read.from > current {
            page.through = read.from - 1;
            return Ok(page);
        }
        let mut bytes = 0;
        let mut from = RowKey::new(read.from.max(0), 0);
        let end = RowKey::new(current + 1, 0);
        loop {
            let rows = self.edition.records(from, end, ROWS_PER_READ).map_err(failed)?;
            let last = rows.len() < ROWS_PER_READ;
            for (row, record) in rows {
                from = RowKey { sub: row.sub + 1, tombstone: false, ..row };
                let new = page.revisions.last().is_none_or(|last| last.revision != row.main);
                if new && (page.revisions.len() >= read.max_revisions || bytes >= read.max_bytes) {
                    page.through = row.main - 1;
                    return self.still_there(read.from, page);
                }
                let event = self.event(row, record, read.prev_kv).map_err(failed)?;
                bytes += event.kv.encoded().len() + event.prev_kv.as_ref().map_or(0, |prev_kv| prev_kv.encoded().len());
                match page.revisions.last_mut() {
                    Some(last) if !new => last.events.push(event),
                    _ => page.revisions.push(RevisionEvents::new(row.main, vec![event])),
                }
            }
            if last {
                return self.still_there(read.from, page);
            }
        }
    }

    /// A row, unless it was compacted.
    pub(super) fn record(&self, row: RowKey) -> Result<Option<Record>, HistoryError> {
        self.edition.record(row).map_err(failed)
    }

    fn event(&self, row: RowKey, record: Record, prev_kv: bool) -> Result<Event, MvccError> {
        let prev_kv = prev_kv && (row.tombstone || !record.is_creation());
        let prev_kv = if prev_kv { self.value_at(record.key(), row.main - 1)? } else { None };
        Ok(if row.tombstone {
            Event { kind: EventKind::Delete, kv: Record::deletion(record.key(), row.main), prev_kv }
        } else {
            Event { kind: EventKind::Put, kv: record, prev_kv }
        })
    }

    /// A compaction that overtook the reading may have removed some of it.
    fn still_there(&self, from: i64, page: HistoryPage) -> Result<HistoryPage, HistoryError> {
        if from < self.compacted() { Err(HistoryError::Compacted) } else { Ok(page) }
    }
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> HistoryError {
    HistoryError::Failed(error.into())
}
