//! Changing keys.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::MutexGuard;

use super::index::IndexKey;
use super::key_state::{KeyState, Version};
use super::state::State;
use super::{Inner, MvccError, RangeOptions, RangeResult};
use crate::backend::{Applied, Batch, RowKey};
use crate::watch::RevisionEvents;
use crate::{Event, EventKind, KeyRange, Outline, RangeEnd, Record, Versions};

/// The one writer. What it changes is seen by nobody else before the commit; dropped without one it leaves no trace.
#[derive(Debug)]
pub struct WriteTxn<'a> {
    state: Arc<State>,
    _writer: MutexGuard<'a, ()>,
    start_revision: i64,
    changes: Vec<Change>,
    /// The last change of each key, by its place in `changes`.
    latest: BTreeMap<IndexKey, usize>,
    batch: Batch,
}

#[derive(Debug)]
struct Change {
    key: IndexKey,
    /// None for a deletion.
    record: Option<Record>,
    /// What the key held before the transaction.
    before: Option<Version>,
}

impl Inner {
    pub(super) fn write(&self) -> WriteTxn<'_> {
        let writer = self.writer.lock();
        let state = self.state.load_full();
        WriteTxn {
            start_revision: state.revision(),
            state,
            _writer: writer,
            changes: Vec::new(),
            latest: BTreeMap::new(),
            batch: Batch::new(),
        }
    }
}

impl WriteTxn<'_> {
    /// Reads what the transaction would leave; at an explicit revision, the store as it was then.
    ///
    /// # Errors
    /// When that revision is compacted or in the future, or cannot be read.
    pub fn range(&self, range: &KeyRange, options: RangeOptions) -> Result<RangeResult, MvccError> {
        if options.revision > 0 || !self.touches(range) {
            let mut result = self.state.range(range, options)?;
            result.revision = self.revision();
            return Ok(result);
        }
        let mut records = self.live(range, options.valueless)?;
        let count = i64::try_from(records.len()).unwrap_or(i64::MAX);
        if options.count_only {
            records.clear();
        } else if options.limit > 0 {
            records.truncate(options.limit);
        }
        Ok(RangeResult { records, count, revision: self.revision() })
    }

    /// The newest version of a key.
    ///
    /// # Errors
    /// When its value is not in memory and cannot be read.
    pub fn get(&self, key: &[u8]) -> Result<Option<Record>, MvccError> {
        match self.changed(key) {
            Some(change) => Ok(change.record.clone()),
            None => self.state.newest(key),
        }
    }

    /// What of the newest version of a key is always in memory.
    pub fn outline(&self, key: &[u8]) -> Option<Outline> {
        self.newest(key).and_then(Version::into_outline)
    }

    fn newest(&self, key: &[u8]) -> Option<Version> {
        match self.changed(key) {
            Some(change) => change.record.clone().map(Version::Newest),
            None => self.state.index.read().get(key).and_then(KeyState::newest),
        }
    }

    /// Returns what the key is now, and what of the version that it replaced is always in memory.
    pub fn put(&mut self, key: &[u8], value: &[u8], lease: i64) -> (Record, Option<Outline>) {
        let before = self.newest(key);
        let replaced = before.clone().and_then(Version::into_outline);
        let mod_revision = self.start_revision + 1;
        let versions = match replaced.as_ref().map(Outline::versions) {
            Some(Versions { create_revision, version, .. }) => {
                Versions { create_revision, mod_revision, version: version + 1, lease }
            }
            None => Versions { create_revision: mod_revision, mod_revision, version: 1, lease },
        };
        let record = Record::new(key, value, versions);
        self.change(key, Some(record.clone()), before);
        (record, replaced)
    }

    /// Removes one key; returns what of it was in memory for sure.
    pub fn delete(&mut self, key: &[u8]) -> Option<Outline> {
        let before = self.newest(key)?;
        self.change(key, None, Some(before.clone()));
        before.into_outline()
    }

    /// Returns the outlines of what it removed, in the order of the keys.
    ///
    /// # Errors
    /// When the range cannot be read; then nothing of it is removed.
    pub fn delete_range(&mut self, range: &KeyRange) -> Result<Vec<Outline>, MvccError> {
        if range.end == RangeEnd::Single {
            return Ok(self.delete(&range.start).into_iter().collect());
        }
        let there = self.live(range, true)?;
        Ok(there.iter().filter_map(|outline| self.delete(outline.key())).collect())
    }

    /// The compacted revision; -1 when nothing was ever compacted.
    pub fn compacted(&self) -> i64 {
        self.state.compacted()
    }

    /// The revision before the transaction.
    pub fn start_revision(&self) -> i64 {
        self.start_revision
    }

    /// The revision as it would be now: one more than at the start once anything changed.
    pub fn revision(&self) -> i64 {
        self.start_revision + i64::from(!self.changes.is_empty())
    }

    /// Whether anything was changed so far, rows of other buckets included.
    pub fn has_changes(&self) -> bool {
        !self.changes.is_empty() || !self.batch.is_empty()
    }

    /// Rows of other buckets that belong to the same log entry.
    pub fn batch(&mut self) -> &mut Batch {
        &mut self.batch
    }

    /// Publishes everything at once; returns the store's revision now, with no events if nothing changed. Cannot fail: a backend that cannot write any more says so elsewhere.
    pub fn commit(mut self, applied: Option<Applied>) -> RevisionEvents {
        // Readers and watchers count on every revision there is, and on each being made once.
        assert_eq!(self.state.revision(), self.start_revision, "somebody else wrote during the transaction");
        let revision = self.revision();
        let mut rows = Vec::with_capacity(self.changes.len());
        let mut events = Vec::with_capacity(self.changes.len());
        let mut stored_before = Vec::new();
        for (sub, change) in (0..).zip(self.changes.drain(..)) {
            let (row, record, kind, kv) = match change.record {
                Some(record) => (RowKey::new(revision, sub), record.clone(), EventKind::Put, record),
                None => {
                    let tombstone = Record::tombstone(&change.key);
                    let event = Record::deletion(&change.key, revision);
                    (RowKey::tombstone(revision, sub), tombstone, EventKind::Delete, event)
                }
            };
            self.batch.put_record(row, record.clone());
            rows.push((row, record));
            let before = change.before.filter(|_| kind == EventKind::Delete || !kv.is_creation());
            let prev_kv = match before {
                Some(Version::Newest(record)) => Some(record),
                Some(Version::Evicted(_, row) | Version::Older(row)) => {
                    stored_before.push((events.len(), row));
                    None
                }
                None => None,
            };
            events.push(Event { kind, kv, prev_kv });
        }
        // The rows first: who sees the revision finds its rows.
        if !self.batch.is_empty() || applied.is_some() {
            self.state.edition.commit(std::mem::take(&mut self.batch), applied);
        }
        if !rows.is_empty() {
            let mut replaced = Vec::with_capacity(rows.len());
            let mut index = self.state.index.write();
            replaced.extend(rows.into_iter().map(|(row, record)| index.push(row, record)));
            self.state.set_revision(revision);
            self.state.evict(index);
            // Freeing records takes its time: not with the lock.
            drop(replaced);
        }
        RevisionEvents { revision, events, stored_before }
    }

    fn change(&mut self, key: &[u8], record: Option<Record>, replaced: Option<Version>) {
        let key = IndexKey::new(key);
        let before = match self.latest.insert(key.clone(), self.changes.len()) {
            Some(at) => self.changes.get(at).and_then(|change| change.before.clone()),
            None => replaced,
        };
        self.changes.push(Change { key, record, before });
    }

    fn changed(&self, key: &[u8]) -> Option<&Change> {
        if self.changes.is_empty() {
            return None;
        }
        self.latest.get(key).and_then(|at| self.changes.get(*at))
    }

    /// Whether a change of this transaction is inside.
    fn touches(&self, range: &KeyRange) -> bool {
        self.changes_in(range).next().is_some()
    }

    fn changes_in<'a>(&'a self, range: &'a KeyRange) -> impl Iterator<Item = (&'a IndexKey, &'a Change)> {
        let inside = self.latest.range::<[u8], _>((Bound::Included(&range.start[..]), Bound::Unbounded));
        let inside = inside.take_while(|(key, _)| range.contains(key));
        inside.filter_map(|(key, at)| Some((key, self.changes.get(*at)?)))
    }

    /// What is alive in a range now, in the order of the keys.
    fn live(&self, range: &KeyRange, valueless: bool) -> Result<Vec<Record>, MvccError> {
        let before = self.state.range(range, RangeOptions { valueless, ..RangeOptions::default() })?.records;
        let mut changes = self.changes_in(range).peekable();
        if changes.peek().is_none() {
            return Ok(before);
        }
        let mut records = Vec::with_capacity(before.len());
        for record in before {
            while let Some((_, change)) = changes.next_if(|(key, _)| &key[..] < record.key()) {
                records.extend(change.record.clone());
            }
            match changes.next_if(|(key, _)| key[..] == *record.key()) {
                Some((_, change)) => records.extend(change.record.clone()),
                None => records.push(record),
            }
        }
        records.extend(changes.filter_map(|(_, change)| change.record.clone()));
        Ok(records)
    }
}
