//! Neighbouring leaves, and how many of their keys are alive: so that a range is counted without a look at each leaf in it.

use super::key::Key;
use super::leaf::Leaf;
use crate::Record;
use crate::backend::RowKey;

/// How many leaves a branch holds at most: with each of them full, counting looks at one branch in 8,192 keys.
pub(super) const CAPACITY: usize = if cfg!(test) { 4 } else { 64 };

/// Leaves in order, at least one, each with a lower bound of the keys inside; that of the first is the branch's own.
#[derive(Debug)]
pub(super) struct Branch {
    bounds: Vec<Key>,
    leaves: Vec<Leaf>,
    live: usize,
}

impl Branch {
    pub(super) fn new(bound: Key, leaf: Leaf) -> Branch {
        let live = leaf.live();
        Branch { bounds: vec![bound], leaves: vec![leaf], live }
    }

    fn of((bounds, leaves): (Vec<Key>, Vec<Leaf>)) -> Branch {
        let live = leaves.iter().map(Leaf::live).sum();
        Branch { bounds, leaves, live }
    }

    /// How many keys are alive.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// The leaves, each with its bound.
    pub(super) fn leaves(&self) -> impl DoubleEndedIterator<Item = (&Key, &Leaf)> + ExactSizeIterator {
        self.bounds.iter().zip(&self.leaves)
    }

    /// The place of the leaf in which a key is, if it is anywhere; the key must not be below the branch's bound.
    pub(super) fn place(&self, key: &[u8]) -> usize {
        self.bounds.partition_point(|bound| &**bound <= key).saturating_sub(1)
    }

    pub(super) fn leaf(&self, place: usize) -> Option<&Leaf> {
        self.leaves.get(place)
    }

    /// Adds the newest row of a key; returns the live version that it replaced, and what no longer fits.
    pub(super) fn push(&mut self, row: RowKey, record: Record) -> (Option<Record>, Option<(Key, Branch)>) {
        let place = self.place(record.key());
        let Some(leaf) = self.leaves.get_mut(place) else { return (None, None) };
        let (replaced, split) = leaf.push(row, record);
        self.live = self.live + usize::from(!row.tombstone) - usize::from(replaced.is_some());
        let over = split.and_then(|(bound, leaf)| self.insert(place + 1, bound, leaf));
        (replaced, over)
    }

    /// Its keys are counted already.
    fn insert(&mut self, place: usize, bound: Key, leaf: Leaf) -> Option<(Key, Branch)> {
        if self.leaves.len() < CAPACITY {
            self.bounds.insert(place, bound);
            self.leaves.insert(place, leaf);
            return None;
        }
        if place == CAPACITY {
            // As with leaves: keys that come in order leave full branches behind.
            self.live -= leaf.live();
            return Some((bound.clone(), Branch::new(bound, leaf)));
        }
        let (mut bounds, mut leaves) = (self.bounds.split_off(CAPACITY / 2), self.leaves.split_off(CAPACITY / 2));
        match place.checked_sub(CAPACITY / 2) {
            None | Some(0) => {
                self.bounds.insert(place, bound);
                self.leaves.insert(place, leaf);
            }
            Some(place) => {
                bounds.insert(place, bound);
                leaves.insert(place, leaf);
            }
        }
        let right = Branch::of((bounds, leaves));
        self.live -= right.live;
        right.bounds.first().cloned().map(|bound| (bound, right))
    }

    /// The place of the first leaf whose bound is behind `after`, of the branch's first without one.
    fn place_behind(&self, after: Option<&Key>) -> usize {
        after.map_or(0, |after| self.bounds.partition_point(|bound| bound <= after))
    }

    /// The leaf behind `after`, and its bound.
    pub(super) fn leaf_behind(&mut self, after: Option<&Key>) -> Option<(&Key, &mut Leaf)> {
        let place = self.place_behind(after);
        Some((self.bounds.get(place)?, self.leaves.get_mut(place)?))
    }

    /// See [`Leaf::restore`].
    pub(super) fn restore(&mut self, row: RowKey, whole: Record) -> usize {
        let place = self.place(whole.key());
        self.leaves.get_mut(place).map_or(0, |leaf| leaf.restore(row, whole))
    }

    /// Compacts the leaf behind `after`. Returns its bound and whether rows up to the revision are left in it; `None` if there
    /// is no such leaf.
    pub(super) fn compact_leaf(
        &mut self,
        after: Option<&Key>,
        revision: i64,
        drop_row: &mut dyn FnMut(RowKey),
    ) -> Option<(Key, bool)> {
        let place = self.place_behind(after);
        let bound = self.bounds.get(place)?.clone();
        let leaf = self.leaves.get_mut(place)?;
        let compacted_rows = leaf.compact(revision, drop_row);
        // The first one stays, empty or not: its bound is the branch's.
        if leaf.len() == 0 && place > 0 {
            self.bounds.remove(place);
            self.leaves.remove(place);
        }
        Some((bound, compacted_rows))
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.leaves.iter().all(|leaf| leaf.len() == 0)
    }
}
