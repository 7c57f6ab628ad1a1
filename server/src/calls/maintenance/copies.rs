//! Copies of the database for clients: one at a time is made, for all who asked before it was begun.
//!
//! Who asks while one is being made waits for the next, for what a client gets is as of a moment that is not before its
//! request. A copy ends with the last who wants it, made or not, unless it is kept for those who come back; and there are never
//! more than a few on the disk.

mod kept;
mod shared;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use keyport_api::error::Error;
use keyport_storage::backend::{Backend, BackendError, Changes, Snapshot};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tonic::Status;

use self::kept::Kept;
use crate::bulk::Pace;
use crate::{membership, version};
pub(crate) use shared::Sum;
pub(super) use shared::{Digests, SharedCopy};

/// Copies that are on the disk or on their way there, those that are read included.
const MAX_COPIES: usize = 4;

type Outcome = Result<Arc<SharedCopy>, BackendError>;

/// Makes copies and hands them out.
#[derive(Debug)]
pub(super) struct Copies {
    backend: Arc<Backend>,
    /// What becomes of the copy that is not begun yet, if anybody has asked for one.
    next: Mutex<Option<watch::Receiver<Option<Outcome>>>>,
    places: Arc<Semaphore>,
    making: Semaphore,
    kept: Arc<Kept>,
}

impl Copies {
    pub(super) fn new(backend: Arc<Backend>) -> Copies {
        let places = Arc::new(Semaphore::new(MAX_COPIES));
        Copies { backend, next: Mutex::default(), places, making: Semaphore::new(1), kept: Arc::default() }
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

    /// Keeps a copy for a while, so that it can be found. Its digests have to be known.
    pub(super) fn keep(&self, copy: &Arc<SharedCopy>) {
        self.kept.keep(copy);
    }

    /// One that was kept.
    pub(super) fn find(&self, is_wanted: impl Fn(&Digests) -> bool) -> Option<Arc<SharedCopy>> {
        self.kept.find(is_wanted)
    }

    /// A place on the disk, if need be that of a copy that is only kept.
    fn place(&self) -> Result<OwnedSemaphorePermit, Error> {
        loop {
            match Arc::clone(&self.places).try_acquire_owned() {
                Ok(place) => return Ok(place),
                Err(_) if self.kept.make_room() => {}
                Err(_) => return Err(Error::RequestTooManyRequests),
            }
        }
    }

    fn join(self: &Arc<Copies>) -> Result<watch::Receiver<Option<Outcome>>, Error> {
        let mut next = self.next.lock();
        if let Some(outcome) = &*next {
            return Ok(outcome.clone());
        }
        let place = self.place()?;
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
            let outcome = outcome.map(|snapshot| Arc::new(SharedCopy::new(snapshot, place)));
            // Nobody may be left to hear of it.
            let _ = told.send(Some(outcome));
        });
        // A panic drops the sender, and so tells them.
        let _ = made.await;
        drop(turn);
    }
}

fn copy(backend: &Backend, told: &watch::Sender<Option<Outcome>>) -> Result<Snapshot, BackendError> {
    let changes = membership::of_version(Changes::none(), version::ETCD_COPY);
    let mut pace = Pace::begin();
    backend.snapshot(&changes, &mut || {
        pace.step();
        !told.is_closed()
    })
}
