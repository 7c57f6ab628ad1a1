//! Forgetting history.
//!
//! A compaction takes effect at once: reads below its revision are refused, and the revision is written as
//! `scheduledCompactRev` with the log entry that asked for it. Removing rows follows on a thread, in batches. Since
//! batches reach the file in order, no row is gone from it before the schedule is there; a crash in between is
//! found at the next start (`finishedCompactRev` is behind) and the removal done again from the beginning.
//!
//! A compaction belongs to one state of the store. Once another database is installed it goes on for a batch at
//! most, in an edition of the backend that nobody will write to the disk.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;
use tracing::{error, info};

use super::hash::KvHasher;
use super::open::Unfinished;
use super::state::State;
use super::{HashKv, Inner, MvccError};
use crate::ThreadPanic;
use crate::backend::schema::{FINISHED_COMPACT_REVISION, SCHEDULED_COMPACT_REVISION};
use crate::backend::{BackendError, Batch, Bucket, RowKey};

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
pub(super) struct Job {
    state: Arc<State>,
    revision: i64,
    /// The compacted revision before this one.
    previous: i64,
    /// Whether every row that the previous compaction left is still there, so that the hash means something.
    whole: bool,
    handles: Vec<CompactionHandle>,
}

impl Job {
    /// Takes up what was interrupted: some of the rows are gone.
    pub(super) fn resumed(state: Arc<State>, unfinished: Unfinished) -> Job {
        let Unfinished { revision, previous } = unfinished;
        Job { state, revision, previous, whole: false, handles: vec![CompactionHandle::default()] }
    }

    fn finish(self, outcome: &Result<(), BackendError>) {
        self.handles.into_iter().for_each(|handle| handle.finish(outcome.clone()));
    }
}

/// What a compaction does, step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompactionStep {
    /// The key index has forgotten what nobody can ask for any more.
    Index { took: Duration },
    /// Some rows were looked at, and this many of them removed.
    Rows { removed: usize, took: Duration },
    /// All is removed, durably.
    Finished { took: Duration },
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

    /// Whether nothing is left to be removed.
    pub fn is_over(&self) -> bool {
        self.0.outcome.lock().is_some()
    }

    fn finish(&self, outcome: Result<(), BackendError>) {
        *self.0.outcome.lock() = Some(outcome);
        self.0.blocking.notify_all();
        self.0.waiting.notify_waiters();
    }
}

impl Queue {
    /// Asks for a compaction of the state that the last one was asked for, or of a new one.
    fn push(&self, of: Arc<State>, revision: i64, previous: i64) -> CompactionHandle {
        let handle = CompactionHandle::default();
        let mut state = self.state.lock();
        state.latest = Some(handle.clone());
        match &mut state.pending {
            Some(job) => {
                job.revision = revision;
                job.whole = false;
                job.handles.push(handle.clone());
            }
            None => {
                let handles = vec![handle.clone()];
                state.pending = Some(Job { state: of, revision, previous, whole: true, handles });
            }
        }
        self.wake.notify_one();
        handle
    }

    /// Begins with another state, which has this to do. What waited belongs to the last one: its rows are gone with
    /// their database, which is all that was wanted.
    pub(super) fn restart(&self, job: Option<Job>) {
        let superseded = {
            let mut state = self.state.lock();
            if let Some(handle) = job.as_ref().and_then(|job| job.handles.last()) {
                state.latest = Some(handle.clone());
            }
            std::mem::replace(&mut state.pending, job)
        };
        self.wake.notify_one();
        if let Some(job) = superseded {
            job.finish(&Ok(()));
        }
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
        if let Some(job) = pending {
            job.finish(&Err(BackendError::Closed));
        }
    }

    /// Ends a pause early.
    #[cfg(test)]
    pub(super) fn nudge(&self) {
        self.wake.notify_one();
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
        let state = self.state.load_full();
        let previous = state.compacted();
        if revision <= previous {
            return Err(MvccError::Compacted);
        }
        if revision > state.revision() {
            return Err(MvccError::FutureRevision);
        }
        let mut batch = Batch::new();
        batch.put(Bucket::Meta, SCHEDULED_COMPACT_REVISION, RowKey::new(revision, 0).encode().to_vec());
        state.edition.commit(batch, None);
        state.set_compacted(revision);
        Ok(self.queue.push(state, revision, previous))
    }

    /// The compaction thread.
    pub(super) fn run_compactions(&self) {
        while let Some(job) = self.queue.next() {
            let outcome = ThreadPanic::catch(|| self.carry_out(&job)).unwrap_or_else(|panic| {
                self.panicked.get_or_init(|| panic.clone());
                Err(panic.into())
            });
            if let Err(failure) = &outcome {
                error!(revision = job.revision, %failure, "cannot compact");
            }
            job.finish(&outcome);
        }
    }

    fn carry_out(&self, job: &Job) -> Result<(), BackendError> {
        let (revision, begun) = (job.revision, Instant::now());
        match self.remove(job)? {
            Removed::All(rows) => {
                let took = begun.elapsed();
                info!(revision, rows, ?took, "compacted");
                self.observe(CompactionStep::Finished { took });
            }
            Removed::WithItsDatabase => info!(revision, "gave up a compaction: another database is installed"),
        }
        Ok(())
    }

    /// Removes what the compaction makes unreachable.
    fn remove(&self, job: &Job) -> Result<Removed, BackendError> {
        let edition = &job.state.edition;
        // All rows that matter are in the file then, and the schedule with them.
        edition.flush()?;
        let begun = Instant::now();
        let (mut dropped, anything_kept) = job.state.compact_index(job.revision);
        self.observe(CompactionStep::Index { took: begun.elapsed() });
        dropped.sort_unstable();
        let mut hasher = KvHasher::new(job.previous, job.revision, anything_kept);
        let mut next_dropped = dropped.iter().copied().peekable();
        let mut from = Some(RowKey::new(0, 0));
        let end = RowKey::new(job.revision.saturating_add(1), 0);
        while let Some(first) = from.take() {
            if edition.is_retired() {
                return Ok(Removed::WithItsDatabase);
            }
            let begun = Instant::now();
            let mut batch = Batch::new();
            let (mut looked_at, mut removed) = (0, 0);
            edition.history().scan(first, end, &mut |row, key, value| {
                if looked_at == self.options.compaction_batch_limit {
                    from = Some(row);
                    return ControlFlow::Break(());
                }
                looked_at += 1;
                let drop = next_dropped.next_if_eq(&row).is_some();
                hasher.add(row, key, value, !drop);
                if drop {
                    batch.delete_record(row);
                    removed += 1;
                }
                ControlFlow::Continue(())
            })?;
            if from.is_none() {
                batch.put(Bucket::Meta, FINISHED_COMPACT_REVISION, RowKey::new(job.revision, 0).encode().to_vec());
            }
            edition.commit(batch, None);
            self.observe(CompactionStep::Rows { removed, took: begun.elapsed() });
            if from.is_some() && !self.queue.pause(self.options.compaction_pause) {
                return Err(BackendError::Closed);
            }
        }
        if job.whole {
            self.hashes.remember(HashKv {
                hash: hasher.finish(),
                compact_revision: job.previous,
                hash_revision: job.revision,
                current_revision: job.state.revision(),
            });
        }
        edition.flush()?;
        if !dropped.is_empty() {
            edition.look_for_free_pages()?;
        }
        Ok(Removed::All(dropped.len()))
    }

    fn observe(&self, step: CompactionStep) {
        if let Some(observer) = &self.options.on_compaction {
            (observer.0)(step);
        }
    }
}

/// How a compaction ended.
enum Removed {
    /// This many rows.
    All(usize),
    /// Another database was installed.
    WithItsDatabase,
}

impl State {
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
