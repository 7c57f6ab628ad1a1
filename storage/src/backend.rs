//! The database file and the write buffer before it.
//!
//! The apply thread hands over batches, which are visible at once and become durable later: a flusher thread moves
//! everything gathered so far into one redb transaction, together with the index of the last log entry that it
//! contains. A crash loses the buffer only, and the log replays from that index.

mod batch;
mod error;
mod row_key;

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;

pub use batch::{Applied, Batch, Bucket};
pub use error::BackendError;
pub use row_key::{EncodedRowKey, RowKey};

/// How the backend gathers and keeps.
#[derive(Clone, Debug)]
pub struct BackendOptions {
    /// How long a change may wait for its commit.
    pub batch_interval: Duration,
    /// How many rows are gathered at most before a commit begins.
    pub batch_limit: usize,
    /// What redb may keep of the file in memory.
    pub cache_bytes: usize,
    /// Leaves out every fsync: for tests and throw-away data only.
    pub unsafe_no_fsync: bool,
}

impl Default for BackendOptions {
    fn default() -> BackendOptions {
        BackendOptions {
            batch_interval: Duration::from_millis(500),
            batch_limit: 50_000,
            cache_bytes: 32 << 20,
            unsafe_no_fsync: false,
        }
    }
}

/// The database of one member. Shared by reference; all methods may be called from any thread.
#[derive(Debug)]
pub struct Backend {}

impl Backend {
    /// Opens the database, or creates it.
    pub fn open(_path: &Path, _options: BackendOptions) -> Result<Backend, BackendError> {
        unimplemented!()
    }

    /// Makes a batch visible; it will be durable together with `applied`.
    pub fn commit(&self, _batch: Batch, _applied: Option<Applied>) {
        unimplemented!()
    }

    pub fn get(&self, _bucket: Bucket, _key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        unimplemented!()
    }

    pub fn scan(
        &self,
        _bucket: Bucket,
        _from: &[u8],
        _to: Option<&[u8]>,
        _each: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        unimplemented!()
    }

    /// Waits until everything committed so far is durable.
    pub fn flush(&self) -> Result<Applied, BackendError> {
        unimplemented!()
    }

    /// The last log entry that a restart would find.
    pub fn durable_applied(&self) -> Applied {
        unimplemented!()
    }

    /// Whether a write to the database failed; nothing becomes durable after that.
    pub fn failure(&self) -> Option<BackendError> {
        unimplemented!()
    }

    /// What the file takes on the disk.
    pub fn size(&self) -> u64 {
        unimplemented!()
    }

    /// What of it is in use.
    pub fn size_in_use(&self) -> u64 {
        unimplemented!()
    }

    pub fn defragment(&self) -> Result<(), BackendError> {
        unimplemented!()
    }

    /// `Maintenance.Hash`.
    pub fn hash(&self) -> Result<u32, BackendError> {
        unimplemented!()
    }

    pub fn snapshot(&self) -> Result<SnapshotReader, BackendError> {
        unimplemented!()
    }
}

/// A consistent image of the whole database, to be read from its beginning to its end.
#[derive(Debug)]
pub struct SnapshotReader {
    file: std::fs::File,
    len: u64,
}

impl SnapshotReader {
    /// How many bytes there are in all.
    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Read for SnapshotReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}
