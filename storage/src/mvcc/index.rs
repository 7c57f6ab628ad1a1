//! The keys in order, each with its rows and its newest version.
//!
//! A tree of two levels: an ordered map of leaves, each a sorted vector of neighbouring keys. A leaf that overflows
//! at its end is left full, so that keys that come in order pack densely.

mod key;
mod leaf;

use std::collections::BTreeMap;
use std::ops::Bound;

use self::key::Key;
use self::leaf::Leaf;
use super::key_state::{KeyState, Left};
use crate::backend::RowKey;
use crate::{RangeEnd, Record};

#[derive(Debug)]
pub(super) struct Index {
    /// By a lower bound of the keys inside; the first leaf is always there and its bound is the empty key.
    leaves: BTreeMap<Key, Leaf>,
    live: usize,
}

impl Index {
    pub(super) fn new() -> Index {
        Index { leaves: BTreeMap::from([(Key::new(&[]), Leaf::default())]), live: 0 }
    }

    /// How many keys are alive.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&KeyState> {
        self.leaf(key)?.get(key)
    }

    /// Adds the newest row; returns the version that it replaced.
    pub(super) fn push(&mut self, key: &[u8], row: RowKey, record: Option<Record>) -> Option<Record> {
        let alive = record.is_some();
        let (_, leaf) = self.leaves.range_mut::<[u8], _>((Bound::Unbounded, Bound::Included(key))).next_back()?;
        let (replaced, split) = leaf.push(key, row, record);
        if let Some((bound, right)) = split {
            self.leaves.insert(bound, right);
        }
        self.live = self.live + usize::from(alive) - usize::from(replaced.is_some());
        replaced
    }

    /// Adds a row that was read from the backend, in the order of history.
    pub(super) fn restore(&mut self, row: RowKey, record: &Record) {
        let newest = if row.tombstone { None } else { Some(record.clone()) };
        self.push(record.key(), row, newest);
    }

    /// All keys from a start up to an end, dead ones included.
    pub(super) fn iter<'a>(
        &'a self,
        start: Bound<&'a [u8]>,
        end: &'a RangeEnd,
    ) -> impl Iterator<Item = (&'a [u8], &'a KeyState)> {
        let key = match start {
            Bound::Included(key) | Bound::Excluded(key) => key,
            Bound::Unbounded => &[],
        };
        let behind = self.leaves.range::<[u8], _>((Bound::Excluded(key), Bound::Unbounded)).map(|(_, leaf)| leaf);
        let entries = self.leaf(key).into_iter().chain(behind).flat_map(move |leaf| leaf.from(start));
        entries.take_while(move |(key, _)| match end {
            RangeEnd::Single => start == Bound::Included(*key),
            RangeEnd::Before(end) => *key < &end[..],
            RangeEnd::Unbounded => true,
        })
    }

    /// How many keys are alive from `start` up to an end.
    pub(super) fn count(&self, start: &[u8], end: &RangeEnd) -> usize {
        let end = match end {
            RangeEnd::Single => return usize::from(self.get(start).is_some_and(KeyState::is_alive)),
            RangeEnd::Before(end) if &end[..] <= start => return 0,
            RangeEnd::Before(end) => Some(&end[..]),
            RangeEnd::Unbounded => None,
        };
        let upper = end.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.leaves.range::<[u8], _>((Bound::Excluded(start), upper)).map(|(_, leaf)| leaf);
        self.leaf(start).into_iter().chain(behind).map(|leaf| leaf.count(start, end)).sum()
    }

    /// Forgets what no read at `revision` or later needs in one leaf, the one that follows `after` or the first.
    /// Returns the bound to go on with, if there is more, and whether rows up to the revision are left.
    pub(super) fn compact_leaf(
        &mut self,
        after: Option<&Key>,
        revision: i64,
        drop_row: &mut dyn FnMut(RowKey),
    ) -> (Option<Key>, bool) {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let Some((bound, leaf)) = self.leaves.range_mut::<Key, _>((from, Bound::Unbounded)).next() else {
            return (None, false);
        };
        let bound = bound.clone();
        let mut compacted_rows = false;
        leaf.retain(|state| {
            let Left { rows, compacted_rows: left } = state.compact(revision, drop_row);
            compacted_rows |= left;
            rows
        });
        if leaf.is_empty() && !bound.is_empty() {
            self.leaves.remove(&bound);
        }
        (Some(bound), compacted_rows)
    }

    fn leaf(&self, key: &[u8]) -> Option<&Leaf> {
        self.leaves.range::<[u8], _>((Bound::Unbounded, Bound::Included(key))).next_back().map(|(_, leaf)| leaf)
    }
}

pub(super) use key::Key as IndexKey;
