//! What the index knows of one key.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::backend::RowKey;
use crate::{Outline, Record};

/// The rows of one key, and its newest version if it is alive.
///
/// Most keys have exactly one row, so that form has no allocation of its own. Otherwise a row that is a tombstone
/// ends a generation (a life of the key), the next one begins another.
///
/// The value of the newest version is evicted when memory is short: its outline stays.
#[derive(Debug)]
pub(super) enum KeyState {
    One { record: Record, at: Packed },
    Many(Box<Rows>),
}

const _: () = assert!(size_of::<KeyState>() == 16, "a million of them are in memory");

/// Shorter values stay in memory: their outline would take about as much.
const LEAST_EVICTED: usize = 128;

/// How much of memory evicting the value of a record would give back.
pub(super) fn evictable(record: &Record) -> usize {
    match record.value().len() {
        ..LEAST_EVICTED => 0,
        len => len,
    }
}

/// Several rows, a dead key, or a row whose revision does not fit [`Packed`].
#[derive(Debug)]
pub(super) struct Rows {
    /// The newest row: a live version, or a tombstone.
    latest: Record,
    /// Ascending, never empty.
    rows: Vec<RowKey>,
    is_used: AtomicBool,
}

/// A version that a read found.
#[derive(Clone, Debug)]
pub(super) enum Version {
    Newest(Record),
    /// The outline of the newest one; its value is to be read from the backend.
    Evicted(Record, RowKey),
    /// To be read from the backend.
    Older(RowKey),
}

impl Version {
    /// The key and the numbers.
    pub(super) fn into_outline(self) -> Option<Outline> {
        match self {
            Version::Newest(record) | Version::Evicted(record, _) => Some(Outline(record)),
            Version::Older(_) => None,
        }
    }

    /// For who has no need of values an outline is as good.
    pub(super) fn for_reader(self, valueless: bool) -> Version {
        match self {
            Version::Evicted(outline, _) if valueless => Version::Newest(outline),
            version => version,
        }
    }

    /// Whether it is to be read from the backend.
    pub(super) fn is_stored(&self) -> bool {
        !matches!(self, Version::Newest(_))
    }
}

/// The revision of a live row in 64 bits, and what is known of its value. There is room for revisions below 2^44 and 2^19
/// changes in each.
#[derive(Debug)]
pub(super) struct Packed(AtomicU64);

/// The value was read since somebody looked for one to be evicted.
const USED: u64 = 1;

const FLAG_BITS: u32 = 1;
const SUB_BITS: u32 = 19;
const MAIN_BITS: u32 = u64::BITS - SUB_BITS - FLAG_BITS;

impl Packed {
    fn new(row: RowKey) -> Option<Packed> {
        let main = row.main.cast_unsigned();
        let fits = main >> MAIN_BITS == 0 && row.sub >> SUB_BITS == 0 && !row.tombstone;
        fits.then(|| Packed(AtomicU64::new((main << SUB_BITS | u64::from(row.sub)) << FLAG_BITS)))
    }

    fn bits(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn main(&self) -> i64 {
        (self.bits() >> (SUB_BITS + FLAG_BITS)).cast_signed()
    }

    fn row(&self) -> RowKey {
        let sub = (self.bits() >> FLAG_BITS) & ((1 << SUB_BITS) - 1);
        RowKey::new(self.main(), u32::try_from(sub).unwrap_or(u32::MAX))
    }

    fn has(&self, flag: u64) -> bool {
        self.bits() & flag != 0
    }

    /// Returns whether it was set.
    fn set(&self, flag: u64) -> bool {
        self.0.fetch_or(flag, Ordering::Relaxed) & flag != 0
    }

    /// Returns whether it was set.
    fn clear(&self, flag: u64) -> bool {
        self.0.fetch_and(!flag, Ordering::Relaxed) & flag != 0
    }
}

impl KeyState {
    /// A key seen for the first time.
    pub(super) fn new(row: RowKey, record: Record) -> KeyState {
        match Packed::new(row) {
            Some(at) => KeyState::One { record, at },
            None => KeyState::Many(Box::new(Rows::new(record, vec![row]))),
        }
    }

    /// Adds a row behind all others; returns the live version that it replaced, perhaps its outline.
    pub(super) fn push(&mut self, row: RowKey, record: Record) -> Option<Record> {
        match self {
            KeyState::One { record: replaced, at } => {
                let replaced = replaced.clone();
                *self = KeyState::Many(Box::new(Rows::new(record, vec![at.row(), row])));
                Some(replaced)
            }
            KeyState::Many(state) => {
                let alive = state.is_alive();
                state.rows.push(row);
                *state.is_used.get_mut() = false;
                let replaced = std::mem::replace(&mut state.latest, record);
                alive.then_some(replaced)
            }
        }
    }

    pub(super) fn key(&self) -> &[u8] {
        self.latest().key()
    }

    fn latest(&self) -> &Record {
        match self {
            KeyState::One { record, .. } => record,
            KeyState::Many(state) => &state.latest,
        }
    }

    /// The newest version, if the key is alive.
    pub(super) fn newest(&self) -> Option<Version> {
        self.is_alive().then(|| self.newest_version())
    }

    fn newest_version(&self) -> Version {
        let record = self.latest().clone();
        let row = match self {
            _ if !record.is_outline() => None,
            KeyState::One { at, .. } => Some(at.row()),
            KeyState::Many(state) => state.rows.last().copied(),
        };
        match row {
            Some(row) => Version::Evicted(record, row),
            None => Version::Newest(record),
        }
    }

    /// The key and the numbers of the newest version, if the key is alive; its value may be missing.
    pub(super) fn outline(&self) -> Option<&Record> {
        self.is_alive().then(|| self.latest())
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
            KeyState::One { at, .. } => (at.main() <= revision).then(|| self.newest_version()),
            KeyState::Many(state) => {
                let seen = state.rows.partition_point(|row| row.main <= revision);
                let row = seen.checked_sub(1).and_then(|at| state.rows.get(at))?;
                if row.tombstone {
                    None
                } else if seen == state.rows.len() {
                    Some(self.newest_version())
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

    /// Notes that the value was read; says whether it had been before.
    pub(super) fn note_use(&self) -> bool {
        match self {
            // Most often it is noted already, and then nobody else's cache is disturbed.
            KeyState::One { at, .. } => at.has(USED) || at.set(USED),
            KeyState::Many(state) => {
                state.is_used.load(Ordering::Relaxed) || state.is_used.swap(true, Ordering::Relaxed)
            }
        }
    }

    /// How much of memory evicting the value would give back.
    pub(super) fn evictable(&self) -> usize {
        evictable(self.latest())
    }

    /// Leaves the outline of the newest version, unless its value was read since this was tried last; returns what was there.
    pub(super) fn evict(&mut self) -> Option<Record> {
        if self.evictable() == 0 || self.take_use() {
            return None;
        }
        let outline = self.latest().outline();
        Some(std::mem::replace(self.latest_mut(), outline))
    }

    /// Puts an evicted value back, unless that row is not the newest any more.
    pub(super) fn restore(&mut self, row: RowKey, whole: Record) -> bool {
        let is_wanted = matches!(self.newest(), Some(Version::Evicted(_, evicted)) if evicted == row);
        if is_wanted {
            *self.latest_mut() = whole;
        }
        is_wanted
    }

    fn take_use(&mut self) -> bool {
        match self {
            KeyState::One { at, .. } => at.has(USED) && at.clear(USED),
            KeyState::Many(state) => std::mem::take(state.is_used.get_mut()),
        }
    }

    fn latest_mut(&mut self) -> &mut Record {
        match self {
            KeyState::One { record, .. } => record,
            KeyState::Many(state) => &mut state.latest,
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
    fn new(latest: Record, rows: Vec<RowKey>) -> Rows {
        Rows { latest, rows, is_used: AtomicBool::new(false) }
    }

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
