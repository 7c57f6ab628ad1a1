//! The keys in order, each with its rows and its newest version; of some, without the value (see [`super::cache`]).
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
use self::leaf::{Leaf, Swept};
use super::key_state::{self, KeyState};
use crate::Record;
use crate::backend::RowKey;

/// How many leaves are looked at when values are to be evicted, before others may use the index.
const LEAVES_PER_EVICTION: usize = 8;

/// Where looking for values to be evicted goes on: in the leaf behind that one, or the first, from a place on. It begins anew
/// where there is none.
#[derive(Debug, Default)]
struct Hand {
    after: Option<Key>,
    place: usize,
}

#[derive(Debug)]
pub(super) struct Index {
    /// By a lower bound of the keys inside; the first is always there and its bound is the empty key.
    branches: BTreeMap<Key, Branch>,
    live: usize,
    /// What evicting every value would give back, in bytes.
    evictable: usize,
    hand: Hand,
}

impl Index {
    pub(super) fn new() -> Index {
        let first = Key::new(&[]);
        let branches = BTreeMap::from([(first.clone(), Branch::new(first, Leaf::default()))]);
        Index { branches, live: 0, evictable: 0, hand: Hand::default() }
    }

    /// How many keys are alive.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&KeyState> {
        self.leaf(key)?.get(key)
    }

    /// Adds the newest row of a key, whose outline will do if it is in the backend; returns the live version that it replaced.
    pub(super) fn push(&mut self, row: RowKey, record: Record) -> Option<Record> {
        let value = key_state::evictable(&record);
        let (replaced, split) = self.branch_mut(record.key())?.push(row, record);
        self.evictable = self.evictable + value - replaced.as_ref().map_or(0, key_state::evictable);
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
        for bound in self.branches_behind(after) {
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

    /// What evicting every value would give back, in bytes.
    pub(super) fn evictable(&self) -> usize {
        self.evictable
    }

    /// Evicts values while those in memory are more than `bytes`, from where it ended last time. Of keys that were read since then
    /// the value stays, once round. Looks at some leaves and no more; what it evicts is to be dropped where nobody waits.
    pub(super) fn evict_down_to(&mut self, bytes: usize, evicted: &mut Vec<Record>) {
        for _ in 0..LEAVES_PER_EVICTION {
            let wanted = self.evictable.saturating_sub(bytes);
            if wanted == 0 {
                return;
            }
            let Hand { after, place } = std::mem::take(&mut self.hand);
            for bound in self.branches_behind(after.as_ref()) {
                let Some(branch) = self.branches.get_mut(&bound) else { continue };
                let Some((leaf, values)) = branch.leaf_behind(after.as_ref().filter(|after| **after >= bound)) else {
                    continue;
                };
                let Swept { given_back, next } = values.evict(place, wanted, evicted);
                self.evictable -= given_back;
                self.hand = match next {
                    Some(place) => Hand { after, place },
                    None => Hand { after: Some(leaf.clone()), place: 0 },
                };
                break;
            }
        }
    }

    /// Has the value of a key again, if it is wanted: when it was read before, and this row is still its newest.
    pub(super) fn restore_if_used(&mut self, row: RowKey, whole: &Record) {
        let is_wanted = self.get(whole.key()).is_some_and(KeyState::note_use);
        if is_wanted && let Some(branch) = self.branch_mut(whole.key()) {
            let bytes = branch.restore(row, whole.clone());
            self.evictable += bytes;
        }
    }

    /// The bounds of the branches that may have the leaf behind that one, or the first: the same, or the next one.
    fn branches_behind(&self, after: Option<&Key>) -> impl Iterator<Item = Key> + use<> {
        let same = after.and_then(|after| self.branches.range::<Key, _>(..=after).next_back());
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.branches.range::<Key, _>((from, Bound::Unbounded)).next();
        [same, next].map(|found| found.map(|(bound, _)| bound.clone())).into_iter().flatten()
    }

    /// The branch in which a key is, if it is anywhere.
    fn branch_mut(&mut self, key: &[u8]) -> Option<&mut Branch> {
        let (_, branch) = self.branches.range_mut::<[u8], _>((Bound::Unbounded, Bound::Included(key))).next_back()?;
        Some(branch)
    }

    fn leaf(&self, key: &[u8]) -> Option<&Leaf> {
        let (_, branch) = self.branches.range::<[u8], _>((Bound::Unbounded, Bound::Included(key))).next_back()?;
        branch.leaf(branch.place(key))
    }
}

pub(super) use key::Key as IndexKey;
