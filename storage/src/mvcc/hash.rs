//! HashKV.

pub(super) mod closed;

use std::collections::VecDeque;
use std::ops::{Bound, ControlFlow};

use parking_lot::Mutex;

use super::index::IndexKey;
use super::state::State;
use super::{HashKv, Inner, MvccError};
use crate::backend::{Bucket, RowKey};

/// How many compactions are remembered by their hash.
const REMEMBERED: usize = 10;

/// Keys looked at before the writer gets a chance.
const KEYS_PER_LOCK: usize = 1024;

/// CRC-32C over the rows of history up to a revision, as etcd computes it.
#[derive(Debug)]
pub(super) struct KvHasher {
    hash: u32,
    compacted: i64,
    revision: i64,
    anything_kept: bool,
}

impl KvHasher {
    pub(super) fn new(compacted: i64, revision: i64, anything_kept: bool) -> KvHasher {
        KvHasher { hash: crc32c::crc32c(Bucket::Key.name().as_bytes()), compacted, revision, anything_kept }
    }

    /// Takes the next row; `kept` says whether a compaction at the hash's revision would leave it.
    pub(super) fn add(&mut self, row: RowKey, key: &[u8], value: &[u8], kept: bool) {
        if row.main > self.revision
            || (row.main <= self.compacted && self.anything_kept && !kept)
            || (row.tombstone && row.main == self.compacted)
        {
            return;
        }
        self.hash = crc32c::crc32c_append(self.hash, key);
        self.hash = crc32c::crc32c_append(self.hash, value);
    }

    pub(super) fn finish(&self) -> u32 {
        self.hash
    }
}

/// The hashes that compactions computed, oldest first.
#[derive(Debug, Default)]
pub(super) struct CompactionHashes(Mutex<VecDeque<HashKv>>);

impl CompactionHashes {
    pub(super) fn remember(&self, hash: HashKv) {
        let mut hashes = self.0.lock();
        hashes.push_back(hash);
        if hashes.len() > REMEMBERED {
            hashes.pop_front();
        }
    }

    pub(super) fn all(&self) -> Vec<HashKv> {
        self.0.lock().iter().copied().collect()
    }

    fn get(&self, revision: i64) -> Option<HashKv> {
        self.0.lock().iter().find(|hash| hash.hash_revision == revision).copied()
    }
}

impl Inner {
    pub(super) fn hash_kv(&self, requested: i64) -> Result<HashKv, MvccError> {
        let state = self.state.load_full();
        match self.hashes.get(requested) {
            Some(hash) => Ok(HashKv { current_revision: state.revision(), ..hash }),
            None => state.hash_kv(requested),
        }
    }
}

impl State {
    fn hash_kv(&self, requested: i64) -> Result<HashKv, MvccError> {
        loop {
            let compacted = self.compacted();
            let current = self.revision();
            let revision = match requested {
                0 => current,
                // Of nothing, as etcd answers it.
                ..0 => requested,
                _ => self.resolve(requested, current)?,
            };
            // All rows up to the revision are in the file then; a compaction later on does not change this view.
            self.edition.flush()?;
            let view = self.edition.history();
            if self.compacted() != compacted {
                continue;
            }
            let kept = self.kept_rows(compacted, revision);
            let mut kept_rows = kept.rows.iter().copied().peekable();
            let mut hasher = KvHasher::new(compacted, revision, kept.any);
            view.scan(RowKey::new(0, 0), RowKey::new(revision.saturating_add(1).max(0), 0), &mut |row, key, value| {
                let kept = row.main <= compacted && kept_rows.next_if_eq(&row).is_some();
                hasher.add(row, key, value, kept);
                ControlFlow::Continue(())
            })?;
            // Had a compaction beyond the revision begun meanwhile, the index could have forgotten kept rows.
            if self.compacted() > revision.max(compacted) {
                continue;
            }
            return Ok(HashKv {
                hash: hasher.finish(),
                compact_revision: compacted,
                hash_revision: revision,
                current_revision: current,
            });
        }
    }

    /// What a compaction at `revision` would leave of the rows up to `compacted`; only those are ever asked for.
    fn kept_rows(&self, compacted: i64, revision: i64) -> Kept {
        let mut kept = Kept { rows: Vec::new(), any: false };
        if compacted < 0 {
            return kept;
        }
        let mut after: Option<IndexKey> = None;
        loop {
            let index = self.index.read();
            let start = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let mut last = None;
            for (at, state) in index.iter(start, None).enumerate() {
                let row = state.row_at(revision);
                kept.any |= row.is_some();
                kept.rows.extend(row.filter(|row| row.main <= compacted));
                if at + 1 == KEYS_PER_LOCK {
                    last = Some(IndexKey::new(state.key()));
                    break;
                }
            }
            drop(index);
            after = last;
            if after.is_none() {
                break;
            }
        }
        kept.rows.sort_unstable();
        kept
    }
}

struct Kept {
    rows: Vec<RowKey>,
    any: bool,
}
