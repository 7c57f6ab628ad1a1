//! The thread that moves what was committed into the file.

use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::Instant;

use redb::{CursorError, Database, WriteTransaction};
use tracing::error;

use super::copying::{Copying, Replaced};
use super::journal::Journal;
use super::layer::{Layer, row_bytes};
use super::table::WriteTable;
use super::view::View;
use super::{Applied, BackendError, Bucket, Shared, guarded, install, mark, occupied, schema};

/// What is done between two transactions, and who waits for it.
#[derive(Debug)]
pub(super) enum Job {
    Defragment(Box<Copying>, SyncSender<Result<Replaced, BackendError>>),
    Install(PathBuf, SyncSender<Result<Applied, BackendError>>),
}

impl Job {
    /// Does it, unless writing failed before. Says why nothing can be written any more, if that is so now.
    fn run(self, shared: &Shared, failure: Option<BackendError>) -> Option<BackendError> {
        // Whoever asked may be gone, then the answer is lost.
        match self {
            Job::Defragment(copying, answer) => {
                let result = failure.map_or_else(|| copying.replace(shared), |failure| Err(failure.into()));
                let lost = shared.note(&result);
                let _ = answer.send(result.map_err(BackendError::from));
                lost
            }
            Job::Install(file, answer) => {
                let result = failure.map_or_else(|| install::install(shared, &file), |failure| Err(failure.into()));
                let lost = shared.note(&result);
                let _ = answer.send(result.map_err(BackendError::from));
                lost
            }
        }
    }
}

/// Runs until the backend is closed; everything committed before that is in the file afterwards.
pub(super) fn run(shared: &Shared) {
    loop {
        let (round, stopping) = wait(shared);
        let outcome = guarded(&shared.path, || flush(shared));
        if outcome.is_err() {
            // Before it is told. A failed write has marked the file already; what a panic left undone is not known.
            mark::put(&shared.path);
        }
        let mut control = shared.control.lock();
        match outcome {
            Ok(applied) => {
                control.durable = applied.unwrap_or(control.durable);
                control.completed = round;
            }
            Err(failure) => {
                error!(%failure, "cannot write the database; nothing becomes durable any more");
                control.failure = Some(failure);
            }
        }
        let job = control.job.take();
        let mut failure = control.failure.clone();
        drop(control);
        shared.done.notify_all();
        if let Some(job) = job {
            failure = job.run(shared, failure);
        }
        if stopping || failure.is_some() {
            return stop(shared);
        }
    }
}

/// Waits until there is a reason to flush; returns which requests that will answer, and whether it is the last.
fn wait(shared: &Shared) -> (u64, bool) {
    let until = Instant::now() + shared.files.options.batch_interval;
    let mut control = shared.control.lock();
    loop {
        let due = control.requested > control.completed || control.stop || control.job.is_some();
        if due || shared.full.load(Ordering::Relaxed) || shared.wake.wait_until(&mut control, until).timed_out() {
            return (control.requested, control.stop);
        }
    }
}

/// Nothing is written any more, for this reason.
pub(super) fn fail(shared: &Shared, failure: BackendError) {
    error!(%failure, "the database is not written any more");
    mark::put(&shared.path);
    shared.control.lock().failure.get_or_insert(failure);
    stop(shared);
}

/// Refuses what nobody will answer any more.
fn stop(shared: &Shared) {
    let mut control = shared.control.lock();
    control.stop = true;
    control.failure.get_or_insert(BackendError::Closed);
    control.job = None;
    drop(control);
    shared.done.notify_all();
}

/// Makes everything durable that is committed when it begins.
fn flush(shared: &Shared) -> Result<Option<Applied>, BackendError> {
    let contents = shared.contents.load_full();
    let (layer, view) = {
        let mut buffers = contents.buffers.write();
        if buffers.active.is_empty() {
            return Ok(None);
        }
        shared.full.store(false, Ordering::Relaxed);
        let layer = Arc::new(mem::take(&mut buffers.active));
        buffers.sealed = Some(Arc::clone(&layer));
        (layer, Arc::clone(&buffers.view))
    };
    let database = Arc::clone(view.database());
    drop(view);
    let begun = Instant::now();
    let sizes = Sizes {
        used: shared.used.load(Ordering::Relaxed),
        free: shared.reusable(),
        file: shared.size.load(Ordering::Relaxed),
        added: 0,
    };
    let Sizes { used, added, .. } = write(&shared.path, &database, &layer, sizes)?;
    if let Some(observer) = &shared.files.options.on_commit {
        (observer.0)(begun.elapsed());
    }
    let view = Arc::new(View::open(&shared.path, &database)?);
    let noted = contents.buffers.read().journal.is_some().then(|| Journal::of(&layer));
    let (sealed, old) = {
        let mut buffers = contents.buffers.write();
        // With the view: whoever copies the file takes both.
        if let Some(journal) = &mut buffers.journal {
            // It may have been begun this very moment.
            journal.append(noted.unwrap_or_else(|| Journal::of(&layer)));
        }
        let done = (buffers.sealed.take(), mem::replace(&mut buffers.view, view));
        shared.waiting.store(buffers.bytes(), Ordering::Relaxed);
        done
    };
    drop((sealed, old));
    shared.used.store(used, Ordering::Relaxed);
    shared.added.fetch_add(added, Ordering::Relaxed);
    shared.measure();
    Ok(layer.applied)
}

/// What a transaction does to the sums, in bytes.
struct Sizes {
    /// What the rows in the file take.
    used: u64,
    /// What can be written again.
    free: u64,
    /// What the file took before.
    file: u64,
    /// What this transaction adds.
    added: u64,
}

impl Sizes {
    fn add(&mut self, bytes: u64) {
        let taken = occupied::page_bytes(bytes);
        self.used += bytes;
        self.added += taken;
        self.free = self.free.saturating_sub(taken);
    }

    fn remove(&mut self, bytes: u64) {
        self.used = self.used.saturating_sub(bytes);
    }
}

/// One transaction: all rows of the layer and the index of the last entry in it.
fn write(path: &Path, database: &Database, layer: &Layer, mut sizes: Sizes) -> Result<Sizes, BackendError> {
    let failed = |error: redb::Error| BackendError::from_redb(path, error);
    let mut transaction = database.begin_write().map_err(|error| failed(error.into()))?;
    // Otherwise opening after a crash would read the whole file.
    transaction.set_quick_repair(true);
    write_history(path, &transaction, layer, &mut sizes)?;
    write_other(&transaction, layer, &mut sizes).map_err(failed)?;
    if let Some(applied) = layer.applied {
        schema::put_applied(&transaction, applied).map_err(failed)?;
    }
    schema::put_used(&transaction, sizes.used).map_err(failed)?;
    schema::put_free(&transaction, sizes.free, sizes.file).map_err(failed)?;
    transaction.commit().map_err(|error| failed(error.into()))?;
    Ok(sizes)
}

fn write_history(
    path: &Path,
    transaction: &WriteTransaction,
    layer: &Layer,
    sizes: &mut Sizes,
) -> Result<(), BackendError> {
    if layer.rows.is_empty() && layer.removed.is_empty() {
        return Ok(());
    }
    let failed = |error: redb::Error| BackendError::from_redb(path, error);
    let mut rows = WriteTable::open(transaction, Bucket::Key).map_err(|error| failed(error.into()))?;
    let mut end = rows.end().map_err(|error| failed(error.into()))?;
    for (key, record) in &layer.rows {
        if layer.removed.contains(key) {
            continue;
        }
        let taken = end.push(&key.encode(), record.encoded()).map_err(|error| match error {
            CursorError::UnorderedKey => BackendError::corrupt(path, "a row of history is already there"),
            error => failed(error.into()),
        })?;
        sizes.add(taken);
    }
    end.close().map_err(|error| failed(error.into()))?;
    for key in &layer.removed {
        if let Some(taken) = rows.remove(&key.encode()).map_err(|error| failed(error.into()))? {
            sizes.remove(taken);
        }
    }
    Ok(())
}

fn write_other(transaction: &WriteTransaction, layer: &Layer, sizes: &mut Sizes) -> Result<(), redb::Error> {
    for bucket in Bucket::ALL {
        let rows = layer.other.iter().filter(|((other, _), _)| *other == bucket);
        let mut rows = rows.peekable();
        if rows.peek().is_none() {
            continue;
        }
        let mut opened = WriteTable::open(transaction, bucket)?;
        for ((_, key), value) in rows {
            let replaced = match value {
                Some(value) => {
                    sizes.add(row_bytes(key, value));
                    opened.insert(key, value)?
                }
                None => opened.remove(key)?,
            };
            if let Some(replaced) = replaced {
                sizes.remove(replaced);
            }
        }
    }
    Ok(())
}
