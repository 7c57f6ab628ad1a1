//! The keys in order, each with its rows and its newest version.
//!
//! A tree of three levels: an ordered map of branches, each some neighbouring leaves and the count of their live keys, each
//! of those a sorted run of neighbouring keys. What overflows at its end is left full, so that keys that come in order pack
//! densely.

mod branch;
mod key;
mod leaf;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::{Bound, Range};

use self::branch::Branch;
use self::key::Key;
use self::leaf::Leaf;
use super::key_state::KeyState;
use crate::Record;
use crate::backend::RowKey;

#[derive(Debug)]
pub(super) struct Index {
    /// By a lower bound of the keys inside; the first is always there and its bound is the empty key.
    branches: BTreeMap<Key, Branch>,
    live: usize,
}

impl Index {
    pub(super) fn new() -> Index {
        let first = Key::new(&[]);
        Index { branches: BTreeMap::from([(first.clone(), Branch::new(first, Leaf::default()))]), live: 0 }
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
        let (_, branch) = self.branches.range_mut::<[u8], _>((Bound::Unbounded, Bound::Included(key))).next_back()?;
        let (replaced, split) = branch.push(row, record);
        if let Some((bound, right)) = split {
            self.branches.insert(bound, right);
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
        if end.is_some_and(|end| end <= start) {
            return 0;
        }
        let mut count = 0;
        let mut branches = self.branches_between(start, end).peekable();
        while let Some((bound, branch)) = branches.next() {
            // Whether the keys from one bound up to the next are all inside.
            let behind = branches.peek().map(|(bound, _)| &***bound);
            let is_inside = |bound: &[u8], next: Option<&[u8]>| {
                bound >= start && end.is_none_or(|end| next.is_some_and(|next| next <= end))
            };
            if is_inside(bound, behind) {
                count += branch.live();
                continue;
            }
            let mut leaves = branch.leaves().peekable();
            while let Some((bound, leaf)) = leaves.next() {
                let next = leaves.peek().map(|(bound, _)| &***bound).or(behind);
                if end.is_some_and(|end| &**bound >= end) {
                    break;
                }
                if is_inside(bound, next) {
                    count += leaf.live();
                } else if next.is_none_or(|next| next > start) {
                    count += leaf.slice(leaf.span(Bound::Included(start), end)).iter().filter(|s| s.is_alive()).count();
                }
            }
        }
        count
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
        let branches = possible.then(|| self.branches_between(first, end)).into_iter().flatten();
        let mut leaves = branches
            .enumerate()
            .flat_map(move |(at, (_, branch))| branch.leaves().skip(if at == 0 { branch.place(first) } else { 0 }));
        let mut is_first = true;
        std::iter::from_fn(move || {
            let (bound, leaf) = leaves.next()?;
            if std::mem::take(&mut is_first) {
                return Some((leaf, leaf.span(start, end)));
            }
            let is_behind = end.is_some_and(|end| &**bound >= end);
            (!is_behind).then(|| (leaf, leaf.span(Bound::Unbounded, end)))
        })
    }

    /// The branches that may have keys from `start` up to and without `end`.
    fn branches_between<'a>(
        &'a self,
        start: &'a [u8],
        end: Option<&'a [u8]>,
    ) -> impl Iterator<Item = (&'a Key, &'a Branch)> {
        let first = self.branches.range::<[u8], _>((Bound::Unbounded, Bound::Included(start))).next_back();
        let upper = end.map_or(Bound::Unbounded, Bound::Excluded);
        first.into_iter().chain(self.branches.range::<[u8], _>((Bound::Excluded(start), upper)))
    }

    /// Forgets what no read at `revision` or later needs in one leaf, the one that follows `after` or the first.
    /// Returns the bound to go on with, none at the end, and whether rows up to the revision are left.
    pub(super) fn compact_leaf(
        &mut self,
        after: Option<&Key>,
        revision: i64,
        drop_row: &mut dyn FnMut(RowKey),
    ) -> (Option<Key>, bool) {
        // The next leaf is in the same branch as that one, or begins the next one.
        let same = after.and_then(|after| self.branches.range::<Key, _>(..=after).next_back());
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.branches.range::<Key, _>((from, Bound::Unbounded)).next();
        for bound in [same, next].map(|found| found.map(|(bound, _)| bound.clone())).into_iter().flatten() {
            let Some(branch) = self.branches.get_mut(&bound) else { continue };
            let after = after.filter(|after| **after >= bound);
            if let Some((leaf, compacted_rows)) = branch.compact_leaf(after, revision, drop_row) {
                if branch.is_empty() && !bound.is_empty() {
                    self.branches.remove(&bound);
                }
                return (Some(leaf), compacted_rows);
            }
        }
        (None, false)
    }

    fn leaf(&self, key: &[u8]) -> Option<&Leaf> {
        let (_, branch) = self.branches.range::<[u8], _>((Bound::Unbounded, Bound::Included(key))).next_back()?;
        branch.leaf(branch.place(key))
    }
}

pub(super) use key::Key as IndexKey;
