//! Copies of the database for clients: one at a time is made, for all who asked before it was begun.
//!
//! Who asks while one is being made waits for the next, for what a client gets is as of a moment that is not before its
//! request. A copy ends with the last who wants it, made or not, and there are never more than a few on the disk.

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use keyport_api::error::Error;
use keyport_storage::backend::schema::STORAGE_VERSION_KEY;
use keyport_storage::backend::{Backend, BackendError, Bucket, Changes, Snapshot};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tonic::Status;

use crate::{membership, version};

/// Copies that are on the disk or on their way there, those that are read included.
const MAX_COPIES: usize = 4;

/// A copy of the database, there as long as anybody holds it.
#[derive(Debug)]
pub(super) struct SharedCopy {
    /// There until it is dropped.
    snapshot: Option<Snapshot>,
    _place: OwnedSemaphorePermit,
}

impl SharedCopy {
    /// How many bytes there are in all.
    pub(super) fn len(&self) -> u64 {
        self.snapshot.as_ref().map_or(0, Snapshot::len)
    }

    /// See [`Snapshot::read_at`].
    pub(super) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.snapshot.as_ref().ok_or(io::ErrorKind::NotFound)?.read_at(offset, buffer)
    }
}

impl Drop for SharedCopy {
    /// The file goes with it, which takes long if it is large: not on an event loop.
    fn drop(&mut self) {
        let snapshot = self.snapshot.take();
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn_blocking(move || drop(snapshot));
        }
    }
}

type Outcome = Result<Arc<SharedCopy>, BackendError>;

/// Makes copies and hands them out.
#[derive(Debug)]
pub(super) struct Copies {
    backend: Arc<Backend>,
    /// What becomes of the copy that is not begun yet, if anybody has asked for one.
    next: Mutex<Option<watch::Receiver<Option<Outcome>>>>,
    places: Arc<Semaphore>,
    making: Semaphore,
}

impl Copies {
    pub(super) fn new(backend: Arc<Backend>) -> Copies {
        let places = Arc::new(Semaphore::new(MAX_COPIES));
        Copies { backend, next: Mutex::default(), places, making: Semaphore::new(1) }
    }

    /// A copy as of now or later. Dropping the future, and what it returns, gives it up.
    ///
    /// # Errors
    /// `RequestTooManyRequests` when enough clients hold copies that others made; `NoRoomForCopy`; what the backend says.
    pub(super) async fn get(self: &Arc<Copies>) -> Result<Arc<SharedCopy>, Status> {
        let mut outcome = self.join()?;
        let outcome = outcome.wait_for(Option::is_some).await.map_err(|_| Error::Stopped)?.clone();
        outcome.ok_or(Error::Stopped)?.map_err(|error| super::backend_status(&error))
    }

    fn join(self: &Arc<Copies>) -> Result<watch::Receiver<Option<Outcome>>, Error> {
        let mut next = self.next.lock();
        if let Some(outcome) = &*next {
            return Ok(outcome.clone());
        }
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Error::RequestTooManyRequests)?;
        let (told, outcome) = watch::channel(None);
        *next = Some(outcome.clone());
        tokio::spawn(Arc::clone(self).make(told, place));
        Ok(outcome)
    }

    async fn make(self: Arc<Copies>, told: watch::Sender<Option<Outcome>>, place: OwnedSemaphorePermit) {
        let turn = self.making.acquire().await;
        // From here on it may be older than a request.
        self.next.lock().take();
        let backend = Arc::clone(&self.backend);
        let made = tokio::task::spawn_blocking(move || {
            let outcome = if told.is_closed() { Err(BackendError::Unwanted) } else { copy(&backend, &told) };
            let outcome = outcome.map(|snapshot| Arc::new(SharedCopy { snapshot: Some(snapshot), _place: place }));
            // Nobody may be left to hear of it.
            let _ = told.send(Some(outcome));
        });
        // A panic drops the sender, and so tells them.
        let _ = made.await;
        drop(turn);
    }
}

fn copy(backend: &Backend, told: &watch::Sender<Option<Outcome>>) -> Result<Snapshot, BackendError> {
    // The next cluster that starts from it decides on its version anew.
    let changes = membership::without_versions(Changes::none());
    let changes = changes.put(Bucket::Meta, STORAGE_VERSION_KEY, version::ETCD_COPY);
    backend.snapshot(&changes, &|| !told.is_closed())
}
