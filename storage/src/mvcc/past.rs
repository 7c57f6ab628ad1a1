//! What a key was: its versions one behind the other, deletions among them.

use super::MvccError;
use super::state::State;
use crate::Record;
use crate::backend::RowKey;

/// Versions of one key.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// The newest first; a deletion is a record without a version.
    pub versions: Vec<Record>,
    /// Whether there are older ones.
    pub more: bool,
    /// The store's revision when it was looked at.
    pub revision: i64,
}

impl State {
    /// The versions of a key that are older than revision `before` (0: all), `limit` of them at most, and one more than fit
    /// `max_bytes`.
    pub(super) fn past(&self, key: &[u8], before: i64, limit: usize, max_bytes: usize) -> Result<Past, MvccError> {
        let (rows, revision) = {
            let index = self.index.read();
            let before = if before > 0 { before } else { i64::MAX };
            (index.get(key).map(|state| state.rows_before(before, limit + 1)).unwrap_or_default(), self.revision())
        };
        let mut past = Past { revision, ..Past::default() };
        let mut bytes = 0;
        for row in rows {
            if past.versions.len() == limit || bytes >= max_bytes {
                past.more = true;
                break;
            }
            // A compaction may have overtaken this: then there is nothing older, either.
            let Some(record) = self.version(row, key)? else { break };
            bytes += record.encoded().len();
            past.versions.push(record);
        }
        Ok(past)
    }

    fn version(&self, row: RowKey, key: &[u8]) -> Result<Option<Record>, MvccError> {
        if row.tombstone {
            return Ok(Some(Record::deletion(key, row.main)));
        }
        match self.edition.record(row)? {
            None if self.compacted() < row.main => {
                Err(self.edition.corrupt(format!("the row {row:?} is missing")).into())
            }
            found => Ok(found),
        }
    }
}
