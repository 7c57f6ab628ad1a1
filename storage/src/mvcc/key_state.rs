//! What the index knows of one key.

use crate::Record;
use crate::backend::RowKey;

/// The rows of one key, and its newest version if it is alive.
///
/// Most keys have exactly one row, so that form has no allocation of its own. Otherwise a row that is a tombstone
/// ends a generation (a life of the key), the next one begins another.
#[derive(Debug)]
pub(super) enum KeyState {
    One { record: Record, at: Packed },
    Many(Box<Rows>),
}

const _: () = assert!(size_of::<KeyState>() == 16, "a million of them are in memory");

/// Several rows, a dead key, or a row whose revision does not fit [`Packed`].
#[derive(Debug)]
pub(super) struct Rows {
    /// The newest row: a live version, or a tombstone.
    latest: Record,
    /// Ascending, never empty.
    rows: Vec<RowKey>,
}

/// A version that a read found.
#[derive(Debug)]
pub(super) enum Version {
    Newest(Record),
    /// To be read from the backend.
    Older(RowKey),
}

/// The revision of a live row in 64 bits: there is room for revisions below 2^44 and 2^20 changes in each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed(u64);

const SUB_BITS: u32 = 20;
const MAIN_BITS: u32 = u64::BITS - SUB_BITS;

impl Packed {
    fn new(row: RowKey) -> Option<Packed> {
        let main = row.main.cast_unsigned();
        let fits = main >> MAIN_BITS == 0 && row.sub >> SUB_BITS == 0 && !row.tombstone;
        fits.then(|| Packed(main << SUB_BITS | u64::from(row.sub)))
    }

    fn main(self) -> i64 {
        (self.0 >> SUB_BITS).cast_signed()
    }

    fn row(self) -> RowKey {
        let sub = self.0 & ((1 << SUB_BITS) - 1);
        RowKey::new(self.main(), u32::try_from(sub).unwrap_or(u32::MAX))
    }
}

impl KeyState {
    /// A key seen for the first time.
    pub(super) fn new(row: RowKey, record: Record) -> KeyState {
        match Packed::new(row) {
            Some(at) => KeyState::One { record, at },
            None => KeyState::Many(Box::new(Rows { latest: record, rows: vec![row] })),
        }
    }

    /// Adds a row behind all others; returns the live version that it replaced.
    pub(super) fn push(&mut self, row: RowKey, record: Record) -> Option<Record> {
        match self {
            KeyState::One { record: replaced, at } => {
                let replaced = replaced.clone();
                *self = KeyState::Many(Box::new(Rows { latest: record, rows: vec![at.row(), row] }));
                Some(replaced)
            }
            KeyState::Many(state) => {
                let alive = state.is_alive();
                state.rows.push(row);
                let replaced = std::mem::replace(&mut state.latest, record);
                alive.then_some(replaced)
            }
        }
    }

    pub(super) fn key(&self) -> &[u8] {
        match self {
            KeyState::One { record, .. } => record.key(),
            KeyState::Many(state) => state.latest.key(),
        }
    }

    /// The newest version, if the key is alive.
    pub(super) fn newest(&self) -> Option<&Record> {
        match self {
            KeyState::One { record, .. } => Some(record),
            KeyState::Many(state) => state.is_alive().then_some(&state.latest),
        }
    }

    pub(super) fn is_alive(&self) -> bool {
        match self {
            KeyState::One { .. } => true,
            KeyState::Many(state) => state.is_alive(),
        }
    }

    /// What the key held at a revision.
    pub(super) fn at(&self, revision: i64) -> Option<Version> {
        match self {
            KeyState::One { record, at } => (at.main() <= revision).then(|| Version::Newest(record.clone())),
            KeyState::Many(state) => {
                let seen = state.rows.partition_point(|row| row.main <= revision);
                let row = seen.checked_sub(1).and_then(|at| state.rows.get(at))?;
                if row.tombstone {
                    None
                } else if seen == state.rows.len() {
                    Some(Version::Newest(state.latest.clone()))
                } else {
                    Some(Version::Older(*row))
                }
            }
        }
    }

    /// The row that a read at a revision finds.
    pub(super) fn row_at(&self, revision: i64) -> Option<RowKey> {
        match self {
            KeyState::One { at, .. } => (at.main() <= revision).then(|| at.row()),
            KeyState::Many(state) => {
                let seen = state.rows.partition_point(|row| row.main <= revision);
                seen.checked_sub(1).and_then(|at| state.rows.get(at)).copied().filter(|row| !row.tombstone)
            }
        }
    }

    /// The rows of revisions before one, the newest first, `limit` of them at most.
    pub(super) fn rows_before(&self, revision: i64, limit: usize) -> Vec<RowKey> {
        match self {
            KeyState::One { at, .. } => (at.main() < revision && limit > 0).then(|| at.row()).into_iter().collect(),
            KeyState::Many(state) => {
                let older = state.rows.partition_point(|row| row.main < revision);
                state.rows.iter().take(older).rev().take(limit).copied().collect()
            }
        }
    }

    /// Forgets what no read at `revision` or later needs, and reports it to `drop_row`. What stays of the rows up
    /// to there is the newest one, if it is alive, and a tombstone at that very revision.
    pub(super) fn compact(&mut self, revision: i64, drop_row: &mut dyn FnMut(RowKey)) -> Left {
        let newest = self.row_at(revision);
        let KeyState::Many(state) = self else {
            return if newest.is_some() { Left::CompactedRows } else { Left::Rows };
        };
        let mut left = Left::Rows;
        state.rows.retain(|row| {
            let old = row.main <= revision;
            let keep = !old || newest == Some(*row) || (row.tombstone && row.main == revision);
            if !keep {
                drop_row(*row);
            } else if old {
                left = Left::CompactedRows;
            }
            keep
        });
        state.rows.shrink_to_fit();
        match state.rows[..] {
            [] => return Left::Nothing,
            [row] => {
                if let Some(at) = Packed::new(row) {
                    *self = KeyState::One { record: state.latest.clone(), at };
                }
            }
            _ => {}
        }
        left
    }
}

impl Rows {
    fn is_alive(&self) -> bool {
        self.rows.last().is_some_and(|row| !row.tombstone)
    }
}

/// What a compaction left of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    Nothing,
    /// Only rows behind the compacted revision.
    Rows,
    /// Rows up to the compacted revision.
    CompactedRows,
}
