//! Leases in the backend: bucket `lease`, the id in eight bytes, a `leasepb.Lease`.

use std::ops::ControlFlow;

use keyport_api::leasepb;
use prost::Message;

use super::record::Lease;
use super::{Lessor, RecoverError};
use crate::backend::{Backend, Batch, Bucket};
use crate::mvcc::Store;

pub(super) fn put(batch: &mut Batch, id: i64, ttl: i64, remaining_ttl: i64) {
    let row = leasepb::Lease { id, ttl, remaining_ttl };
    batch.put(Bucket::Lease, id.to_be_bytes().to_vec(), row.encode_to_vec());
}

pub(super) fn delete(batch: &mut Batch, id: i64) {
    batch.delete(Bucket::Lease, id.to_be_bytes().to_vec());
}

impl Lessor {
    /// Takes over what a backend and the store over it hold, in place of everything known before. Not primary
    /// afterwards.
    ///
    /// # Errors
    /// When the backend cannot be read, or holds something that is not a lease.
    pub fn recover(&self, backend: &Backend, store: &Store) -> Result<(), RecoverError> {
        self.clear();
        let mut result = Ok(());
        backend.scan(Bucket::Lease, &[], None, &mut |key, value| match self.load(key, value) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                result = Err(error);
                ControlFlow::Break(())
            }
        })?;
        result?;
        let mut dangling = 0_u64;
        store.keys_attached(&mut |id, key| {
            if self.exists(id) {
                self.reattach(key, 0, id);
            } else {
                dangling += 1;
            }
        });
        if dangling > 0 {
            tracing::warn!(keys = dangling, "keys are attached to leases that do not exist");
        }
        Ok(())
    }

    pub(super) fn clear(&self) {
        self.demote();
        self.shards.iter().for_each(|shard| shard.lock().clear());
    }

    pub(super) fn load(&self, key: &[u8], value: &[u8]) -> Result<(), RecoverError> {
        let row = leasepb::Lease::decode(value).map_err(|source| RecoverError::Row {
            bucket: Bucket::Lease.name(),
            key: key.to_vec(),
            source,
        })?;
        let ttl = row.ttl.max(self.options.min_ttl_seconds);
        self.shard(row.id).lock().insert(row.id, Lease::new(ttl, row.remaining_ttl));
        Ok(())
    }
}
