//! Reading keys at a revision.

use std::ops::Bound;

use bytes::Bytes;

use super::index::{Index, IndexKey};
use super::key_state::{KeyState, Version};
use super::state::State;
use super::{MvccError, RangeOptions, RangeResult};
use crate::{KeyRange, Outline, RangeEnd, Record};

/// How many keys are looked at before the writer gets a chance, and whoever sets the pace a say.
const KEYS_PER_LOCK: usize = 256;

/// How many rows are read from the database before whoever sets the pace gets a say: each may take as long as a hundred
/// keys in memory, and where it is on the disk alone, a hundred times that.
const ROWS_PER_PACE: usize = 16;

/// How often a read of the current revision begins anew because a compaction overtook it.
const ATTEMPTS: usize = 16;

/// What a reader has done since it was last asked, or is about to do, and whether it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Keys looked at in memory.
    Keys(usize),
    /// About to be read from the database, perhaps from the disk.
    Rows(usize),
}

/// Told how a read proceeds; it is given up as [`MvccError::Interrupted`] once this says `false`.
pub type GoesOn<'a> = dyn FnMut(Pace) -> bool + 'a;

impl State {
    pub(super) fn range(&self, range: &KeyRange, options: RangeOptions) -> Result<RangeResult, MvccError> {
        self.range_while(range, options, &mut |_| true)
    }

    pub(super) fn range_while(
        &self,
        range: &KeyRange,
        options: RangeOptions,
        goes_on: &mut GoesOn<'_>,
    ) -> Result<RangeResult, MvccError> {
        for _ in 0..ATTEMPTS {
            match self.try_range(range, options, goes_on) {
                // The revision was current a moment ago, so the caller never asked for a compacted one.
                Err(MvccError::Compacted) if options.revision <= 0 => {}
                outcome => return outcome,
            }
        }
        Err(MvccError::Compacted)
    }

    /// The revision that a request means.
    pub(super) fn resolve(&self, requested: i64, current: i64) -> Result<i64, MvccError> {
        match requested {
            ..=0 => Ok(current),
            _ if requested > current => Err(MvccError::FutureRevision),
            _ if requested < self.compacted() => Err(MvccError::Compacted),
            _ => Ok(requested),
        }
    }

    fn try_range(
        &self,
        range: &KeyRange,
        options: RangeOptions,
        goes_on: &mut GoesOn<'_>,
    ) -> Result<RangeResult, MvccError> {
        let index = self.index.read();
        // Published with the index locked, so this is the revision of what is seen now.
        let current = self.revision();
        let revision = self.resolve(options.revision, current)?;
        let mut result = RangeResult { records: Vec::new(), count: 0, revision: current };
        if range.is_empty() {
            return Ok(result);
        }
        if range.end == RangeEnd::Single {
            let version = index.get(&range.start).and_then(|state| {
                let version = state.at(revision)?.for_reader(options.valueless);
                if !version.is_stored() && !options.valueless {
                    state.note_use();
                }
                Some(version)
            });
            drop(index);
            if let Some(version) = version {
                result.count = 1;
                if !options.count_only {
                    if version.is_stored() && !goes_on(Pace::Rows(1)) {
                        return Err(MvccError::Interrupted);
                    }
                    result.records.push(self.load_single(version, revision)?);
                }
            }
            return Ok(result);
        }
        // At the current revision the leaves know their count; at an older one every key has to be asked.
        let mut counted = None;
        if revision == current && (options.count_only || options.limit > 0) {
            let count = index.count(&range.start, end_of(range));
            if options.count_only {
                result.count = i64::try_from(count).unwrap_or(i64::MAX);
                return Ok(result);
            }
            counted = Some(count);
        }
        let wanted = match options {
            RangeOptions { count_only: true, .. } => 0,
            RangeOptions { limit: 0, .. } => usize::MAX,
            RangeOptions { limit, .. } => limit,
        };
        if options.uncounted {
            counted = counted.or(Some(0));
        }
        let aim = Aim { revision, wanted, counted, valueless: options.valueless };
        let count = self.walk(index, range, aim, goes_on, &mut result.records)?;
        result.count = i64::try_from(count).unwrap_or(i64::MAX);
        Ok(result)
    }

    /// Collects records at a revision, letting the writer in between; returns how many keys there are.
    fn walk<'a>(
        &'a self,
        mut index: parking_lot::RwLockReadGuard<'a, Index>,
        range: &KeyRange,
        Aim { revision, wanted, counted, valueless }: Aim,
        goes_on: &mut GoesOn<'_>,
        records: &mut Vec<Record>,
    ) -> Result<usize, MvccError> {
        let mut seen = 0;
        let mut after: Option<IndexKey> = None;
        let mut versions = Vec::new();
        loop {
            let start = after.as_deref().map_or(Bound::Included(&range.start[..]), Bound::Excluded);
            let mut looked_at = 0;
            let mut last = None;
            for state in index.iter(start, end_of(range)) {
                if seen < wanted {
                    if let Some(version) = state.at(revision) {
                        versions.push(version.for_reader(valueless));
                        seen += 1;
                    }
                } else if state.row_at(revision).is_some() {
                    seen += 1;
                }
                looked_at += 1;
                if looked_at == KEYS_PER_LOCK || (seen >= wanted && counted.is_some()) {
                    last = Some(IndexKey::new(state.key()));
                    break;
                }
            }
            drop(index);
            if !goes_on(Pace::Keys(looked_at)) {
                return Err(MvccError::Interrupted);
            }
            let mut rows = 0;
            for version in versions.drain(..) {
                if version.is_stored() {
                    if rows % ROWS_PER_PACE == 0 && !goes_on(Pace::Rows(ROWS_PER_PACE)) {
                        return Err(MvccError::Interrupted);
                    }
                    rows += 1;
                }
                records.push(self.load(version, revision)?);
            }
            let enough = seen >= wanted && counted.is_some();
            if enough || last.is_none() {
                break;
            }
            after = last;
            index = self.index.read();
        }
        // Had a compaction overtaken this read, keys could be missing.
        if self.compacted() > revision {
            return Err(MvccError::Compacted);
        }
        Ok(counted.unwrap_or(seen))
    }

    /// Gets hold of a version that the index found at a revision.
    pub(super) fn load(&self, version: Version, revision: i64) -> Result<Record, MvccError> {
        match version {
            Version::Newest(record) => Ok(record),
            Version::Evicted(_, row) | Version::Older(row) => self.stored(row, revision),
        }
    }

    /// What a key held at a revision; nothing if that is compacted.
    pub(super) fn value_at(&self, key: &[u8], revision: i64) -> Result<Option<Record>, MvccError> {
        if revision < self.compacted() {
            return Ok(None);
        }
        let version = self.index.read().get(key).and_then(|state| state.at(revision));
        match version.map(|version| self.load(version, revision)).transpose() {
            Err(MvccError::Compacted) => Ok(None),
            outcome => outcome,
        }
    }

    pub(super) fn newest(&self, key: &[u8]) -> Result<Option<Record>, MvccError> {
        Ok(self.range(&KeyRange::single(Bytes::copy_from_slice(key)), RangeOptions::default())?.records.pop())
    }

    /// What of the newest version is always in memory.
    pub(super) fn outline(&self, key: &[u8]) -> Option<Outline> {
        self.index.read().get(key).and_then(KeyState::outline).cloned().map(Outline)
    }
}

/// What a walk over a range is after.
#[derive(Clone, Copy)]
struct Aim {
    revision: i64,
    /// How many records.
    wanted: usize,
    /// How many keys there are, if that is known or of no interest; otherwise the walk counts them.
    counted: Option<usize>,
    /// Whether outlines will do.
    valueless: bool,
}

/// Where a range of several keys ends.
fn end_of(range: &KeyRange) -> Option<&[u8]> {
    match &range.end {
        RangeEnd::Before(end) => Some(end),
        RangeEnd::Single | RangeEnd::Unbounded => None,
    }
}
