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
    newest: Option<Record>,
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
    /// A key seen for the first time; no record with a tombstone.
    pub(super) fn new(row: RowKey, record: Option<Record>) -> KeyState {
        match (Packed::new(row), record) {
            (Some(at), Some(record)) => KeyState::One { record, at },
            (_, record) => KeyState::Many(Box::new(Rows { newest: record, rows: vec![row] })),
        }
    }

    /// Adds a row behind all others; returns the version that it replaced.
    pub(super) fn push(&mut self, row: RowKey, record: Option<Record>) -> Option<Record> {
        match self {
            KeyState::One { record: replaced, at } => {
                let replaced = replaced.clone();
                *self = KeyState::Many(Box::new(Rows { newest: record, rows: vec![at.row(), row] }));
                Some(replaced)
            }
            KeyState::Many(state) => {
                state.rows.push(row);
                std::mem::replace(&mut state.newest, record)
            }
        }
    }

    /// The newest version, if the key is alive.
    pub(super) fn newest(&self) -> Option<&Record> {
        match self {
            KeyState::One { record, .. } => Some(record),
            KeyState::Many(state) => state.newest.as_ref(),
        }
    }

    pub(super) fn is_alive(&self) -> bool {
        self.newest().is_some()
    }

    /// What the key held at a revision.
    pub(super) fn at(&self, revision: i64) -> Option<Version> {
        match self {
            KeyState::One { record, at } => (at.main() <= revision).then(|| Version::Newest(record.clone())),
            KeyState::Many(state) => {
                let seen = state.rows.partition_point(|row| row.main <= revision);
                let row = seen.checked_sub(1).and_then(|at| state.rows.get(at))?;
                match &state.newest {
                    _ if row.tombstone => None,
                    Some(newest) if seen == state.rows.len() => Some(Version::Newest(newest.clone())),
                    _ => Some(Version::Older(*row)),
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

    /// Forgets what no read at `revision` or later needs, and reports it to `drop_row`. What stays of the rows up
    /// to there is the newest one, if it is alive, and a tombstone at that very revision.
    ///
    /// Returns what is left of the key.
    pub(super) fn compact(&mut self, revision: i64, drop_row: &mut dyn FnMut(RowKey)) -> Left {
        let newest = self.row_at(revision);
        match self {
            KeyState::One { at, .. } => Left { rows: true, compacted_rows: at.main() <= revision },
            KeyState::Many(state) => {
                let mut compacted_rows = false;
                state.rows.retain(|row| {
                    let old = row.main <= revision;
                    let keep = !old || newest == Some(*row) || (row.tombstone && row.main == revision);
                    compacted_rows |= old && keep;
                    if !keep {
                        drop_row(*row);
                    }
                    keep
                });
                self.shrink(compacted_rows)
            }
        }
    }

    /// Goes back to the smallest form.
    fn shrink(&mut self, compacted_rows: bool) -> Left {
        if let KeyState::Many(state) = self {
            let left = Left { rows: !state.rows.is_empty(), compacted_rows };
            state.rows.shrink_to_fit();
            if let ([row], Some(record)) = (&state.rows[..], &state.newest)
                && let Some(at) = Packed::new(*row)
            {
                *self = KeyState::One { record: record.clone(), at };
            }
            return left;
        }
        Left { rows: true, compacted_rows }
    }
}

/// What a compaction left of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Left {
    /// Anything at all; if not the key is forgotten.
    pub(super) rows: bool,
    /// Rows up to the compacted revision.
    pub(super) compacted_rows: bool,
}
