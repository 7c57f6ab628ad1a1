//! A copy of the database that several may read.

use std::io;

use keyport_storage::backend::Snapshot;
use parking_lot::Mutex;
use time::OffsetDateTime;
use tokio::runtime::Handle;
use tokio::sync::{OnceCell, OwnedSemaphorePermit};
use tokio::time::Instant;

/// A SHA-256.
pub(crate) type Sum = [u8; 32];

/// A copy of the database, there as long as anybody holds it.
#[derive(Debug)]
pub(in crate::calls::maintenance) struct SharedCopy {
    /// There until it is dropped.
    snapshot: Option<Snapshot>,
    made: OffsetDateTime,
    /// When somebody read it last.
    used: Mutex<Instant>,
    digests: OnceCell<Digests>,
    _place: OwnedSemaphorePermit,
}

/// Of a copy as a file: its bytes, and the first of these behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::calls::maintenance) struct Digests {
    /// Of the database.
    pub(in crate::calls::maintenance) database: Sum,
    /// Of the whole file.
    pub(in crate::calls::maintenance) file: Sum,
}

impl SharedCopy {
    /// `place` is its place among those that may be on the disk.
    pub(super) fn new(snapshot: Snapshot, place: OwnedSemaphorePermit) -> SharedCopy {
        SharedCopy {
            snapshot: Some(snapshot),
            made: OffsetDateTime::now_utc(),
            used: Mutex::new(Instant::now()),
            digests: OnceCell::new(),
            _place: place,
        }
    }

    /// How many bytes there are in all.
    pub(in crate::calls::maintenance) fn len(&self) -> u64 {
        self.snapshot.as_ref().map_or(0, Snapshot::len)
    }

    pub(in crate::calls::maintenance) fn made(&self) -> OffsetDateTime {
        self.made
    }

    /// See [`Snapshot::read_at`].
    pub(in crate::calls::maintenance) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.snapshot.as_ref().ok_or(io::ErrorKind::NotFound)?.read_at(offset, buffer)
    }

    /// Once somebody has read all of it for them.
    pub(in crate::calls::maintenance) fn digests(&self) -> &OnceCell<Digests> {
        &self.digests
    }

    /// Says that somebody has read it until now.
    pub(in crate::calls::maintenance) fn note_use(&self) {
        *self.used.lock() = Instant::now();
    }

    pub(super) fn last_use(&self) -> Instant {
        *self.used.lock()
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
