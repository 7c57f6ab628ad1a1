//! A store and a hub as a node has them, without the node.

use std::sync::Arc;

use keyport_api::error::Error;
use keyport_api::etcdserverpb::{RangeRequest, RangeResponse};
use keyport_storage::backend::{Backend, BackendOptions};
use keyport_storage::mvcc::{MvccError, RangeOptions, Store, StoreOptions};
use keyport_storage::watch::{History, RevisionEvents, WatchHub, WatchOptions};
use keyport_storage::{KeyRange, Record};
use tempfile::TempDir;
use tonic::Status;

use super::fake::header;

/// A key and its new value, or none to delete it.
pub(crate) type Change<'a> = (&'a [u8], Option<&'a [u8]>);

pub(crate) struct World {
    pub(crate) store: Arc<Store>,
    pub(crate) hub: WatchHub,
    _dir: TempDir,
}

impl World {
    pub(crate) fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let options = BackendOptions { unsafe_no_fsync: true, ..BackendOptions::default() };
        let backend = Arc::new(Backend::open(&dir.path().join("db"), options).unwrap());
        let store = Arc::new(Store::open(backend, StoreOptions::default()).unwrap());
        let hub = WatchHub::new(Arc::clone(&store) as Arc<dyn History>, WatchOptions::default()).unwrap();
        World { store, hub, _dir: dir }
    }

    /// One revision, unless nothing changes.
    pub(crate) fn commit(&self, changes: &[Change<'_>]) -> i64 {
        let mut txn = self.store.write();
        for &(key, value) in changes {
            match value {
                Some(value) => drop(txn.put(key, value, 0)),
                None => drop(txn.delete(key)),
            }
        }
        let changes = txn.commit(None);
        let revision = changes.revision;
        if !changes.events.is_empty() {
            self.hub.publish(&[RevisionEvents { revision, events: changes.events }]);
        }
        revision
    }

    pub(super) fn range(&self, request: RangeRequest) -> Result<RangeResponse, Status> {
        let limit = usize::try_from(request.limit).unwrap();
        let options = RangeOptions { revision: request.revision, limit, count_only: false };
        let found = self.store.range(&KeyRange::new(request.key, request.range_end), options).map_err(|error| {
            Status::from(match error {
                MvccError::Compacted => Error::Compacted,
                MvccError::FutureRevision => Error::FutureRev,
                MvccError::Backend(error) => panic!("{error}"),
            })
        })?;
        let more = found.count > i64::try_from(found.records.len()).unwrap();
        let kvs = found.records.iter().map(Record::to_message).collect();
        Ok(RangeResponse { header: Some(header(self.store.revision())), kvs, more, count: found.count })
    }
}
