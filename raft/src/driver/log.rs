//! The part of the log that is kept in memory, as `raft-rs` reads it: what is not applied yet, and a tail of what is,
//! for followers that are a little behind.
//!
//! What was delivered to the state machine need not be applied there yet. A follower that is too far behind is taken to
//! where the state is, not to where the log is, and finds everything after that in here.

use std::collections::VecDeque;

use keyport_api::raftpb;
use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{GetEntriesContext, RaftState, Storage, StorageError};

use crate::convert;
use crate::plant::{Plant, Plants};
use crate::wal::SnapshotMark;

/// What an entry takes in memory besides its payload.
const ENTRY_OVERHEAD: usize = size_of::<Entry>();

/// Room for so many entries is not worth giving back.
const MIN_CAPACITY: usize = 4_096;

fn size(entry: &Entry) -> usize {
    ENTRY_OVERHEAD + entry.data.len()
}

/// Entries without gaps, everything before them known by the index and term of the last one left out.
#[derive(Debug)]
pub(crate) struct MemoryLog {
    entries: VecDeque<Entry>,
    bytes: usize,
    base_index: u64,
    base_term: u64,
    initial: RaftState,
    /// Last index handed to the state machine, with the configuration then.
    delivered: SnapshotMark,
    /// Last index that the state machine has applied, as far as is known: what an image of it has at least.
    applied: u64,
    plants: Plants,
}

impl MemoryLog {
    /// A log that goes on from `base` with `entries`. `conf_state` is the configuration at `applied`, up to which everything
    /// was delivered, and applied, in an earlier run.
    pub(crate) fn new(
        base: &SnapshotMark,
        entries: Vec<raftpb::Entry>,
        hard_state: HardState,
        applied: u64,
        conf_state: ConfState,
    ) -> MemoryLog {
        let mut log = MemoryLog {
            entries: VecDeque::new(),
            bytes: 0,
            base_index: base.index,
            base_term: base.term,
            delivered: SnapshotMark { conf_state: convert::conf_state_from_raft(&conf_state), ..base.clone() },
            applied,
            plants: Plants::default(),
            initial: RaftState::new(hard_state, conf_state),
        };
        log.append(entries.into_iter().map(convert::entry_to_raft).collect());
        log.delivered.index = applied;
        log.delivered.term = log.term_at(applied).unwrap_or(base.term);
        log
    }

    /// The same with a bug.
    pub(crate) fn with(self, plants: Plants) -> MemoryLog {
        MemoryLog { plants, ..self }
    }

    pub(crate) fn first(&self) -> u64 {
        self.base_index + 1
    }

    pub(crate) fn last(&self) -> u64 {
        self.base_index + self.entries.len() as u64
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn delivered(&self) -> &SnapshotMark {
        &self.delivered
    }

    pub(crate) fn set_delivered(&mut self, index: u64, term: u64) {
        self.delivered.index = index;
        self.delivered.term = term;
    }

    /// The state machine has come so far.
    pub(crate) fn set_applied(&mut self, index: u64) {
        self.applied = self.applied.max(index);
    }

    pub(crate) fn set_conf_state(&mut self, conf_state: raftpb::ConfState) {
        self.delivered.conf_state = conf_state;
    }

    /// Adds entries; where they overlap with what is there, they replace it and everything behind.
    pub(crate) fn append(&mut self, entries: Vec<Entry>) {
        let Some(first) = entries.first() else { return };
        // With a gap every later index would mean another entry.
        let (from, to) = (self.first(), self.last() + 1);
        assert!((from..=to).contains(&first.index), "entry {} does not follow on {from} to {}", first.index, to - 1);
        let in_order = entries.iter().zip(first.index..).all(|(entry, index)| entry.index == index);
        assert!(in_order, "entries from {} on do not follow each other", first.index);
        // Raft never replaces what is committed, and only committed entries are left out.
        let keep = usize::try_from(first.index.saturating_sub(self.first())).unwrap_or(usize::MAX);
        while self.entries.len() > keep {
            if let Some(entry) = self.entries.pop_back() {
                self.bytes -= size(&entry);
            }
        }
        self.bytes += entries.iter().map(size).sum::<usize>();
        self.entries.extend(entries);
    }

    /// Starts over behind a snapshot.
    pub(crate) fn reset(&mut self, mark: SnapshotMark) {
        self.entries.clear();
        self.bytes = 0;
        self.base_index = mark.index;
        self.base_term = mark.term;
        self.delivered = mark;
    }

    /// Leaves out applied entries, as long as more than `max_entries` applied ones, all before `needed`, or `max_bytes`
    /// are kept.
    pub(crate) fn compact(&mut self, max_entries: u64, max_bytes: usize, needed: u64) {
        while let Some(entry) = self.entries.front()
            && entry.index <= self.applied.min(self.delivered.index)
            && ((self.delivered.index - entry.index >= max_entries && entry.index < needed) || self.bytes > max_bytes)
        {
            self.bytes -= size(entry);
            self.base_index = entry.index;
            self.base_term = entry.term;
            self.entries.pop_front();
        }
        if self.entries.capacity() > MIN_CAPACITY && self.entries.len() < self.entries.capacity() / 4 {
            self.entries.shrink_to(self.entries.len() * 2);
        }
    }

    pub(crate) fn term_at(&self, index: u64) -> Option<u64> {
        if index == self.base_index {
            return Some(self.base_term);
        }
        self.get(index).map(|entry| entry.term)
    }

    pub(crate) fn get(&self, index: u64) -> Option<&Entry> {
        let at = index.checked_sub(self.first())?;
        self.entries.get(usize::try_from(at).ok()?)
    }
}

impl Storage for MemoryLog {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(self.initial.clone())
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if low < self.first() {
            return Err(StorageError::Compacted.into());
        }
        if high > self.last() + 1 {
            return Err(StorageError::Unavailable.into());
        }
        let range = |index: u64| usize::try_from(index - self.first()).unwrap_or(usize::MAX);
        let mut room = max_size.into().unwrap_or(u64::MAX);
        let mut found = Vec::with_capacity(if room == u64::MAX { range(high) - range(low) } else { 0 });
        for entry in self.entries.range(range(low)..range(high)) {
            let bytes = size(entry) as u64;
            if room < bytes && !found.is_empty() {
                break;
            }
            room = room.saturating_sub(bytes);
            found.push(entry.clone());
        }
        Ok(found)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        self.term_at(index).ok_or_else(|| {
            let missing = if index < self.base_index { StorageError::Compacted } else { StorageError::Unavailable };
            missing.into()
        })
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.first())
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last())
    }

    /// Only says up to where the state goes at least, which is all that Raft counts on; the state itself travels beside the
    /// log, with a place and a configuration of its own.
    fn snapshot(&self, request_index: u64, _: u64) -> raft::Result<Snapshot> {
        let index = match self.plants.has(Plant::PromiseDelivered) {
            true => self.delivered.index,
            false => self.applied.min(self.delivered.index),
        };
        // Until a snapshot is in place the state is behind everything that the log has.
        let Some(term) = self.term_at(index).filter(|_| index >= request_index.max(1)) else {
            return Err(StorageError::SnapshotTemporarilyUnavailable.into());
        };
        let mut snapshot = Snapshot::default();
        let metadata = snapshot.mut_metadata();
        metadata.index = index;
        metadata.term = term;
        metadata.set_conf_state(convert::conf_state_to_raft(&self.delivered.conf_state));
        Ok(snapshot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(range: std::ops::RangeInclusive<u64>, term: u64) -> Vec<Entry> {
        range.map(|index| Entry { index, term, data: vec![0; 100].into(), ..Entry::default() }).collect()
    }

    fn log() -> MemoryLog {
        let mut log = MemoryLog::new(&SnapshotMark::default(), vec![], HardState::default(), 0, ConfState::default());
        log.append(entries(1..=10, 1));
        log
    }

    fn all(log: &MemoryLog, low: u64, max: impl Into<Option<u64>>) -> Vec<u64> {
        let found = log.entries(low, log.last() + 1, max, GetEntriesContext::empty(false)).unwrap();
        found.iter().map(|entry| entry.index).collect()
    }

    #[test]
    fn later_entries_replace_earlier_ones() {
        let mut log = log();
        log.append(entries(5..=6, 2));
        assert_eq!((log.last(), log.term_at(5), log.term_at(4)), (6, Some(2), Some(1)));
        assert_eq!(log.bytes(), 6 * (100 + ENTRY_OVERHEAD));
    }

    #[test]
    fn a_gap_is_never_taken() {
        for first in [12, 100] {
            let outcome = std::panic::catch_unwind(|| log().append(entries(first..=first, 2)));
            assert!(outcome.is_err(), "entry {first} after 10");
        }
        let mut log = log();
        log.set_delivered(10, 1);
        log.set_applied(10);
        log.compact(0, 0, u64::MAX);
        let torn = [entries(11..=11, 1), entries(13..=13, 1)].concat();
        for bad in [entries(10..=10, 2), torn] {
            let append = std::panic::AssertUnwindSafe(|| log.append(bad));
            assert!(std::panic::catch_unwind(append).is_err());
        }
        log.append(entries(11..=12, 2));
        assert_eq!((log.first(), log.last()), (11, 12));
    }

    #[test]
    fn compaction_keeps_what_is_not_applied() {
        let mut log = log();
        log.set_delivered(6, 1);
        log.compact(0, 0, u64::MAX);
        assert_eq!(log.first(), 1, "delivered is not applied");
        log.set_applied(6);
        log.compact(2, usize::MAX, 4);
        assert_eq!(log.first(), 4);
        log.compact(2, usize::MAX, u64::MAX);
        assert_eq!((log.first(), log.term_at(4), log.term_at(3)), (5, Some(1), None));
        log.compact(100, 0, 5);
        assert_eq!((log.first(), log.last(), log.bytes()), (7, 10, 4 * (100 + ENTRY_OVERHEAD)));
        assert_eq!(log.term(3), Err(StorageError::Compacted.into()));
        assert_eq!(log.term(11), Err(StorageError::Unavailable.into()));
    }

    #[test]
    fn a_snapshot_promises_what_is_applied() {
        let promised = |log: &MemoryLog| log.snapshot(1, 2).map(|snapshot| snapshot.get_metadata().index).ok();
        let mut log = log();
        log.set_delivered(6, 1);
        assert_eq!(promised(&log), None);
        log.set_applied(4);
        assert_eq!(promised(&log), Some(4));
        log.set_applied(8);
        assert_eq!(promised(&log), Some(6), "never more than what is committed");
        log.reset(SnapshotMark { index: 20, term: 2, ..SnapshotMark::default() });
        assert_eq!(promised(&log), None, "received, but not in place");
        log.set_applied(20);
        assert_eq!(promised(&log), Some(20));
    }

    #[test]
    fn sizes_limit_what_is_read_but_one_always_comes() {
        let log = log();
        assert_eq!(all(&log, 3, None).len(), 8);
        assert_eq!(all(&log, 3, 1), [3]);
        assert_eq!(all(&log, 3, 2 * (100 + ENTRY_OVERHEAD) as u64), [3, 4]);
    }
}
