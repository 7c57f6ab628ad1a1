//! Forgetting history.
//!
//! A compaction takes effect at once: reads below its revision are refused, and the revision is written as
//! `scheduledCompactRev` with the log entry that asked for it. Removing rows follows on a thread, in batches. Since
//! batches reach the file in order, no row is gone from it before the schedule is there; a crash in between is
//! found at the next start (`finishedCompactRev` is behind) and the removal done again from the beginning.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;
use tracing::{error, info};

use super::hash::KvHasher;
use super::{HashKv, Inner, MvccError};
use crate::backend::{BackendError, Batch, Bucket, RowKey};
use crate::schema::{FINISHED_COMPACT_REVISION, SCHEDULED_COMPACT_REVISION};

/// Leaves of the index that are compacted before others may use it.
const LEAVES_PER_LOCK: usize = 8;

/// What the compaction thread is to do next. One compaction waits at most: a later one includes it.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<QueueState>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct QueueState {
    pending: Option<Job>,
    latest: Option<CompactionHandle>,
    stop: bool,
}

#[derive(Debug)]
struct Job {
    revision: i64,
    /// The compacted revision before this one.
    previous: i64,
    /// Whether every row that the previous compaction left is still there, so that the hash means something.
    whole: bool,
    handles: Vec<CompactionHandle>,
}

/// A compaction under way; it goes on whether or not anyone waits.
#[derive(Clone, Debug, Default)]
pub struct CompactionHandle(Arc<Progress>);

#[derive(Debug, Default)]
struct Progress {
    outcome: Mutex<Option<Result<(), BackendError>>>,
    blocking: Condvar,
    waiting: Notify,
}

impl CompactionHandle {
    /// Waits until everything is removed, durably.
    ///
    /// # Errors
    /// When the backend failed meanwhile.
    pub async fn finished(&self) -> Result<(), BackendError> {
        loop {
            let notified = self.0.waiting.notified();
            if let Some(outcome) = self.0.outcome.lock().clone() {
                return outcome;
            }
            notified.await;
        }
    }

    /// As [`CompactionHandle::finished`], for a thread that may block.
    ///
    /// # Errors
    /// The same.
    pub fn wait(&self) -> Result<(), BackendError> {
        let mut outcome = self.0.outcome.lock();
        loop {
            if let Some(outcome) = &*outcome {
                return outcome.clone();
            }
            self.0.blocking.wait(&mut outcome);
        }
    }

    fn finish(&self, outcome: Result<(), BackendError>) {
        *self.0.outcome.lock() = Some(outcome);
        self.0.blocking.notify_all();
        self.0.waiting.notify_waiters();
    }
}

impl Queue {
    pub(super) fn push(&self, revision: i64, previous: i64, whole: bool) -> CompactionHandle {
        let handle = CompactionHandle::default();
        let mut state = self.state.lock();
        state.latest = Some(handle.clone());
        match &mut state.pending {
            Some(job) => {
                job.revision = revision;
                job.whole = false;
                job.handles.push(handle.clone());
            }
            None => state.pending = Some(Job { revision, previous, whole, handles: vec![handle.clone()] }),
        }
        self.wake.notify_one();
        handle
    }

    pub(super) fn latest(&self) -> Option<CompactionHandle> {
        self.state.lock().latest.clone()
    }

    /// Ends the thread; a removal under way stops at its next batch.
    pub(super) fn stop(&self) {
        let pending = {
            let mut state = self.state.lock();
            state.stop = true;
            state.pending.take()
        };
        self.wake.notify_all();
        for handle in pending.into_iter().flat_map(|job| job.handles) {
            handle.finish(Err(BackendError::Closed));
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            if state.stop {
                return None;
            }
            if let Some(job) = state.pending.take() {
                return Some(job);
            }
            self.wake.wait(&mut state);
        }
    }

    /// Lets others work; false if it is time to stop.
    fn pause(&self, pause: Duration) -> bool {
        let mut state = self.state.lock();
        if !state.stop && !pause.is_zero() {
            // Woken early by another compaction, which has to wait its turn anyway.
            self.wake.wait_for(&mut state, pause);
        }
        !state.stop
    }
}

impl Inner {
    pub(super) fn compact(&self, revision: i64) -> Result<CompactionHandle, MvccError> {
        let _writer = self.writer.lock();
        let previous = self.compacted();
        if revision <= previous {
            return Err(MvccError::Compacted);
        }
        if revision > self.revision() {
            return Err(MvccError::FutureRevision);
        }
        let mut batch = Batch::new();
        batch.put(Bucket::Meta, SCHEDULED_COMPACT_REVISION, RowKey::new(revision, 0).encode().to_vec());
        self.backend.commit(batch, None);
        self.set_compacted(revision);
        Ok(self.queue.push(revision, previous, true))
    }

    /// The compaction thread.
    pub(super) fn run_compactions(&self) {
        while let Some(job) = self.queue.next() {
            let outcome = self.remove(&job);
            match &outcome {
                Ok(rows) => info!(revision = job.revision, rows, "compacted"),
                Err(failure) => error!(revision = job.revision, %failure, "cannot compact"),
            }
            for handle in job.handles {
                handle.finish(outcome.clone().map(drop));
            }
        }
    }

    /// Removes what the compaction makes unreachable; returns how many rows that was.
    fn remove(&self, job: &Job) -> Result<usize, BackendError> {
        // All rows that matter are in the file then, and the schedule with them.
        self.backend.flush()?;
        let (mut dropped, anything_kept) = self.compact_index(job.revision);
        dropped.sort_unstable();
        let mut hasher = KvHasher::new(job.previous, job.revision, anything_kept);
        let mut next_dropped = dropped.iter().copied().peekable();
        let mut from = RowKey::new(0, 0);
        let end = RowKey::new(job.revision.saturating_add(1), 0);
        loop {
            let mut batch = Batch::new();
            let mut more = false;
            let mut looked_at = 0;
            self.backend.history().scan(from, end, &mut |row, key, value| {
                if looked_at == self.options.compaction_batch_limit {
                    from = row;
                    more = true;
                    return ControlFlow::Break(());
                }
                looked_at += 1;
                let drop = next_dropped.next_if_eq(&row).is_some();
                hasher.add(row, key, value, !drop);
                if drop {
                    batch.delete_record(row);
                }
                ControlFlow::Continue(())
            })?;
            if !more {
                batch.put(Bucket::Meta, FINISHED_COMPACT_REVISION, RowKey::new(job.revision, 0).encode().to_vec());
                self.backend.commit(batch, None);
                break;
            }
            self.backend.commit(batch, None);
            if !self.queue.pause(self.options.compaction_pause) {
                return Err(BackendError::Closed);
            }
        }
        if job.whole {
            self.hashes.remember(HashKv {
                hash: hasher.finish(),
                compact_revision: job.previous,
                hash_revision: job.revision,
                current_revision: self.revision(),
            });
        }
        self.backend.flush()?;
        Ok(dropped.len())
    }

    /// Returns the rows that the index forgot, and whether it kept any up to the revision.
    fn compact_index(&self, revision: i64) -> (Vec<RowKey>, bool) {
        let mut dropped = Vec::new();
        let mut anything_kept = false;
        let mut after = None;
        loop {
            let mut index = self.index.write();
            for _ in 0..LEAVES_PER_LOCK {
                let (leaf, kept) = index.compact_leaf(after.as_ref(), revision, &mut |row| dropped.push(row));
                anything_kept |= kept;
                if leaf.is_none() {
                    return (dropped, anything_kept);
                }
                after = leaf;
            }
        }
    }
}
