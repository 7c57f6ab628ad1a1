//! The keys in order, each with its rows and its newest version.
//!
//! A tree of two levels: an ordered map of leaves, each a sorted run of neighbouring keys. A leaf that overflows at
//! its end is left full, so that keys that come in order pack densely.

mod key;
mod leaf;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::{Bound, Range};

use self::key::Key;
use self::leaf::Leaf;
use super::key_state::KeyState;
use crate::Record;
use crate::backend::RowKey;

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

    /// Adds the newest row of a key; returns the live version that it replaced.
    pub(super) fn push(&mut self, row: RowKey, record: Record) -> Option<Record> {
        let key = record.key();
        let (_, leaf) = self.leaves.range_mut::<[u8], _>((Bound::Unbounded, Bound::Included(key))).next_back()?;
        let (replaced, split) = leaf.push(row, record);
        if let Some((bound, right)) = split {
            self.leaves.insert(bound, right);
        }
        self.live = self.live + usize::from(!row.tombstone) - usize::from(replaced.is_some());
        replaced
    }

    /// All keys from a start up to and without an end, dead ones included.
    pub(super) fn iter<'a>(
        &'a self,
        start: Bound<&'a [u8]>,
        end: Option<&'a [u8]>,
    ) -> impl Iterator<Item = &'a KeyState> {
        self.spans(start, end).flat_map(|(leaf, span)| leaf.slice(span))
    }

    /// How many keys are alive from `start` up to and without `end`.
    pub(super) fn count(&self, start: &[u8], end: Option<&[u8]>) -> usize {
        let alive = |(leaf, span): (&Leaf, Range<usize>)| {
            if span.len() == leaf.len() {
                return leaf.live();
            }
            leaf.slice(span).iter().filter(|state| state.is_alive()).count()
        };
        self.spans(Bound::Included(start), end).map(alive).sum()
    }

    /// The leaves that have keys in a range, and which of their keys those are.
    fn spans<'a>(
        &'a self,
        start: Bound<&'a [u8]>,
        end: Option<&'a [u8]>,
    ) -> impl Iterator<Item = (&'a Leaf, Range<usize>)> {
        let first = match start {
            Bound::Included(key) | Bound::Excluded(key) => key,
            Bound::Unbounded => &[],
        };
        let possible = end.is_none_or(|end| first < end);
        let upper = end.filter(|_| possible).map_or(Bound::Unbounded, Bound::Excluded);
        let mut behind = self.leaves.range::<[u8], _>((Bound::Excluded(first), upper)).map(|(_, leaf)| leaf);
        let mut next = if possible { self.leaf(first) } else { None };
        let mut from = next.map_or(0, |leaf| leaf.position(start));
        std::iter::from_fn(move || {
            let leaf = next.take()?;
            next = behind.next();
            // Only the last leaf can reach beyond the end.
            let to = end.filter(|_| next.is_none()).map_or(leaf.len(), |end| leaf.position(Bound::Included(end)));
            Some((leaf, std::mem::take(&mut from)..to))
        })
    }

    /// Forgets what no read at `revision` or later needs in one leaf, the one that follows `after` or the first.
    /// Returns the bound to go on with, none at the end, and whether rows up to the revision are left.
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
        let compacted_rows = leaf.compact(revision, drop_row);
        if leaf.len() == 0 && !bound.is_empty() {
            self.leaves.remove(&bound);
        }
        (Some(bound), compacted_rows)
    }

    fn leaf(&self, key: &[u8]) -> Option<&Leaf> {
        self.leaves.range::<[u8], _>((Bound::Unbounded, Bound::Included(key))).next_back().map(|(_, leaf)| leaf)
    }
}

pub(super) use key::Key as IndexKey;
