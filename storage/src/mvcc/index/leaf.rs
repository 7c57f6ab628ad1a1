//! Neighbouring keys.

use std::ops::Bound;

use super::key::Key;
use crate::Record;
use crate::backend::RowKey;
use crate::mvcc::key_state::KeyState;

/// How many keys a leaf holds at most: searching and shifting stay within a few cache lines.
const CAPACITY: usize = 64;

/// A leaf grows by this many places at a time, as doubling would leave a third of the memory empty.
const GROWTH: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Leaf {
    /// In the order of the keys.
    entries: Vec<(Key, KeyState)>,
    live: usize,
}

/// Keys that go into a leaf of their own, and a lower bound of them.
pub(super) type Split = Option<(Key, Leaf)>;

impl Leaf {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&KeyState> {
        let at = self.find(key).ok()?;
        self.entries.get(at).map(|(_, state)| state)
    }

    /// Adds the newest row; returns the version that it replaced, and what no longer fits.
    pub(super) fn push(&mut self, key: &[u8], row: RowKey, record: Option<Record>) -> (Option<Record>, Split) {
        let alive = record.is_some();
        match self.find(key) {
            Ok(at) => {
                let replaced = self.entries.get_mut(at).and_then(|(_, state)| state.push(row, record));
                self.live = self.live + usize::from(alive) - usize::from(replaced.is_some());
                (replaced, None)
            }
            Err(at) => {
                let entry = (Key::new(key), KeyState::new(row, record));
                (None, self.insert(at, entry))
            }
        }
    }

    fn insert(&mut self, at: usize, entry: (Key, KeyState)) -> Split {
        if self.entries.len() < CAPACITY {
            if self.entries.len() == self.entries.capacity() {
                self.entries.reserve_exact(GROWTH);
            }
            self.live += usize::from(entry.1.is_alive());
            self.entries.insert(at, entry);
            return None;
        }
        if at == CAPACITY {
            let bound = entry.0.clone();
            return Some((bound, Leaf::from_entries(vec![entry])));
        }
        let mut right = Leaf::from_entries(self.entries.split_off(CAPACITY / 2));
        self.entries.shrink_to(CAPACITY / 2 + GROWTH);
        self.live -= right.live;
        let bound = right.entries.first().map(|(key, _)| key.clone())?;
        let split = match at.checked_sub(CAPACITY / 2) {
            // In front of the bound it belongs to the left one.
            None | Some(0) => self.insert(at, entry),
            Some(at) => right.insert(at, entry),
        };
        debug_assert!(split.is_none(), "both halves have room");
        Some((bound, right))
    }

    /// The entries from a bound on.
    pub(super) fn from(&self, start: Bound<&[u8]>) -> impl Iterator<Item = (&[u8], &KeyState)> {
        let at = match start {
            Bound::Included(start) => self.entries.partition_point(|(key, _)| &key[..] < start),
            Bound::Excluded(start) => self.entries.partition_point(|(key, _)| &key[..] <= start),
            Bound::Unbounded => 0,
        };
        let entries = self.entries.get(at..).unwrap_or_default();
        entries.iter().map(|(key, state)| (&key[..], state))
    }

    /// How many keys from `start` up to and without `end` are alive.
    pub(super) fn count(&self, start: &[u8], end: Option<&[u8]>) -> usize {
        let inside = |key: &[u8]| key >= start && end.is_none_or(|end| key < end);
        match (self.entries.first(), self.entries.last()) {
            (Some((first, _)), Some((last, _))) if inside(first) && inside(last) => self.live,
            _ => self.entries.iter().filter(|(key, state)| inside(key) && state.is_alive()).count(),
        }
    }

    /// Removes the keys of which nothing is left; they are dead, so the count of live ones stays.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&mut KeyState) -> bool) {
        self.entries.retain_mut(|(_, state)| keep(state));
        if self.entries.capacity() - self.entries.len() > 2 * GROWTH {
            self.entries.shrink_to(self.entries.len() + GROWTH);
        }
    }

    fn from_entries(entries: Vec<(Key, KeyState)>) -> Leaf {
        let live = entries.iter().filter(|(_, state)| state.is_alive()).count();
        let mut leaf = Leaf { entries, live };
        leaf.entries.reserve_exact(GROWTH - 1);
        leaf
    }

    fn find(&self, key: &[u8]) -> Result<usize, usize> {
        self.entries.binary_search_by(|(other, _)| (**other).cmp(key))
    }
}
