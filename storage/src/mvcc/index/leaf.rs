//! Neighbouring keys.

use std::ops::{Bound, Range};

use super::key::Key;
use crate::Record;
use crate::backend::RowKey;
use crate::mvcc::key_state::{self, KeyState, Left};

/// How many keys a leaf holds at most: searching and shifting stay within a few cache lines.
const CAPACITY: usize = 128;

/// A leaf grows by this many places at a time, as doubling would leave a third of the memory empty.
const GROWTH: usize = 16;

/// Keys in order. A key is kept once, in its record; a search looks at hints instead, the eight bytes of each key
/// that follow what all keys of the leaf have in common, and at a record only where hints are equal.
#[derive(Debug, Default)]
pub(super) struct Leaf {
    /// What every key here begins with.
    prefix: Key,
    /// As many as states, ascending.
    hints: Vec<u64>,
    states: Vec<KeyState>,
    live: usize,
    /// What evicting every value would give back, in bytes.
    evictable: usize,
}

/// Keys that go into a leaf of their own, and a lower bound of them.
pub(super) type Split = Option<(Key, Leaf)>;

/// What evicting values has come to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Swept {
    /// Bytes.
    pub(super) given_back: usize,
    /// The place to go on from, unless all of the leaf was looked at.
    pub(super) next: Option<usize>,
}

impl Leaf {
    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    /// How many keys are alive.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&KeyState> {
        let at = self.find(key).ok()?;
        self.states.get(at)
    }

    pub(super) fn slice(&self, range: Range<usize>) -> &[KeyState] {
        self.states.get(range).unwrap_or_default()
    }

    /// The places of the keys inside a bound and in front of an end.
    pub(super) fn span(&self, from: Bound<&[u8]>, end: Option<&[u8]>) -> Range<usize> {
        self.position(from)..end.map_or(self.len(), |end| self.position(Bound::Included(end)))
    }

    /// The place of the first key inside a bound.
    fn position(&self, from: Bound<&[u8]>) -> usize {
        match from {
            Bound::Included(key) => self.find(key).unwrap_or_else(|at| at),
            Bound::Excluded(key) => self.find(key).map_or_else(|at| at, |at| at + 1),
            Bound::Unbounded => 0,
        }
    }

    /// Adds the newest row of a key; returns the live version that it replaced, and what no longer fits.
    pub(super) fn push(&mut self, row: RowKey, record: Record) -> (Option<Record>, Split) {
        match self.find(record.key()) {
            Ok(at) => {
                self.evictable += key_state::evictable(&record);
                let replaced = self.states.get_mut(at).and_then(|state| state.push(row, record));
                self.live = self.live + usize::from(!row.tombstone) - usize::from(replaced.is_some());
                self.evictable -= replaced.as_ref().map_or(0, key_state::evictable);
                (replaced, None)
            }
            Err(at) => (None, self.insert(at, KeyState::new(row, record))),
        }
    }

    fn insert(&mut self, at: usize, state: KeyState) -> Split {
        if self.states.len() < CAPACITY {
            if self.states.len() == self.states.capacity() {
                self.states.reserve_exact(GROWTH);
                self.hints.reserve_exact(GROWTH);
            }
            if self.states.is_empty() {
                self.prefix = Key::new(state.key());
            } else if !state.key().starts_with(&self.prefix) {
                self.set_prefix(common(state.key(), &self.prefix));
            }
            self.live += usize::from(state.is_alive());
            self.evictable += state.evictable();
            self.hints.insert(at, hint(state.key(), self.prefix.len()));
            self.states.insert(at, state);
            return None;
        }
        if at == CAPACITY {
            return Some((Key::new(state.key()), Leaf::from_states(vec![state])));
        }
        let mut right = Leaf::from_states(self.states.split_off(CAPACITY / 2));
        *self = Leaf::from_states(std::mem::take(&mut self.states));
        let bound = right.states.first().map(|state| Key::new(state.key()))?;
        let split = match at.checked_sub(CAPACITY / 2) {
            // In front of the bound it belongs to the left one.
            None | Some(0) => self.insert(at, state),
            Some(at) => right.insert(at, state),
        };
        debug_assert!(split.is_none(), "both halves have room");
        Some((bound, right))
    }

    /// Evicts values that were not read since this was done last, from a place on, until that gives back as many bytes as
    /// `wanted`; they are given back once nobody reads what is in `evicted` any more.
    pub(super) fn evict(&mut self, from: usize, wanted: usize, evicted: &mut Vec<Record>) -> Swept {
        let mut swept = Swept { given_back: 0, next: None };
        if self.evictable == 0 {
            return swept;
        }
        for (at, state) in self.states.iter_mut().enumerate().skip(from) {
            if swept.given_back >= wanted {
                swept.next = Some(at);
                break;
            }
            if let Some(record) = state.evict() {
                swept.given_back += key_state::evictable(&record);
                evicted.push(record);
            }
        }
        self.evictable -= swept.given_back;
        swept
    }

    /// Has the value of a key again, if this row is still its newest; returns how many bytes that takes.
    pub(super) fn restore(&mut self, row: RowKey, whole: Record) -> usize {
        let Some(state) = self.find(whole.key()).ok().and_then(|at| self.states.get_mut(at)) else { return 0 };
        let bytes = key_state::evictable(&whole);
        if !state.restore(row, whole) {
            return 0;
        }
        self.evictable += bytes;
        bytes
    }

    /// Compacts every key and forgets those of which nothing is left; returns whether any row up to the revision is.
    pub(super) fn compact(&mut self, revision: i64, drop_row: &mut dyn FnMut(RowKey)) -> bool {
        let mut compacted_rows = false;
        let mut empty = Vec::new();
        for (at, state) in self.states.iter_mut().enumerate() {
            let left = state.compact(revision, drop_row);
            compacted_rows |= left == Left::CompactedRows;
            if left == Left::Nothing {
                empty.push(at);
            }
        }
        if !empty.is_empty() {
            // Keys of which nothing is left are dead, so the count of live ones stays.
            let states = std::mem::take(&mut self.states).into_iter().enumerate();
            let states = states.filter(|(at, _)| empty.binary_search(at).is_err()).map(|(_, state)| state);
            *self = Leaf::from_states(states.collect());
        }
        compacted_rows
    }

    fn from_states(mut states: Vec<KeyState>) -> Leaf {
        let live = states.iter().filter(|state| state.is_alive()).count();
        let evictable = states.iter().map(KeyState::evictable).sum();
        let capacity = states.len().next_multiple_of(GROWTH);
        states.shrink_to(capacity);
        states.reserve_exact(capacity - states.len());
        let mut leaf = Leaf { prefix: Key::default(), hints: Vec::with_capacity(capacity), states, live, evictable };
        if let (Some(first), Some(last)) = (leaf.states.first(), leaf.states.last()) {
            let shared = common(first.key(), last.key());
            leaf.set_prefix(shared);
        }
        leaf
    }

    /// Makes the prefix as long as given, and the hints fit it.
    fn set_prefix(&mut self, len: usize) {
        let prefix = self.states.first().and_then(|state| state.key().get(..len)).unwrap_or_default();
        self.prefix = Key::new(prefix);
        self.hints.clear();
        self.hints.extend(self.states.iter().map(|state| hint(state.key(), len)));
    }

    /// The place of a key, or where it would go.
    fn find(&self, key: &[u8]) -> Result<usize, usize> {
        if !key.starts_with(&self.prefix) {
            return Err(if key < &self.prefix[..] { 0 } else { self.states.len() });
        }
        let wanted = hint(key, self.prefix.len());
        let start = self.hints.partition_point(|hint| *hint < wanted);
        let equal = self.hints.get(start..).unwrap_or_default().partition_point(|hint| *hint == wanted);
        let found = self.slice(start..start + equal).binary_search_by(|state| state.key().cmp(key));
        found.map(|at| start + at).map_err(|at| start + at)
    }
}

/// The eight bytes behind what is skipped, as a number that sorts as they do; zeros stand in for missing ones.
fn hint(key: &[u8], skip: usize) -> u64 {
    let rest = key.get(skip..).unwrap_or_default();
    match rest.first_chunk() {
        Some(bytes) => u64::from_be_bytes(*bytes),
        None => {
            let mut bytes = [0; 8];
            bytes[..rest.len()].copy_from_slice(rest);
            u64::from_be_bytes(bytes)
        }
    }
}

/// How many bytes two keys have in common at their beginning.
fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
