//! Leases in the backend: bucket `lease`, the id in eight bytes, a `leasepb.Lease`.

use std::ops::ControlFlow;

use keyport_api::leasepb;
use prost::Message;

use super::record::{Lease, Shard};
use super::{Lessor, RecoverError, SHARDS, shard_of};
use crate::backend::{self, Backend, Batch, Bucket};
use crate::mvcc::Store;

pub(super) fn put(batch: &mut Batch, id: i64, ttl: i64, remaining_ttl: i64) {
    let row = leasepb::Lease { id, ttl, remaining_ttl };
    batch.put(Bucket::Lease, id.to_be_bytes().to_vec(), row.encode_to_vec());
}

pub(super) fn delete(batch: &mut Batch, id: i64) {
    batch.delete(Bucket::Lease, id.to_be_bytes().to_vec());
}

impl Lessor {
    /// Takes over what a backend and the store over it hold, in place of everything known before; also while others
    /// ask, who see each lease as it was or as it is. Not primary afterwards.
    ///
    /// # Errors
    /// When the backend cannot be read, or holds something that is not a lease. Nothing has changed then.
    pub fn recover(&self, backend: &Backend, store: &Store) -> Result<(), RecoverError> {
        let mut rows = Rows::read(backend)?;
        let mut dangling = 0_u64;
        store.keys_attached(&mut |id, key| match rows.shards[shard_of(id)].get_mut(&id) {
            Some(lease) => lease.attach(key),
            None => dangling += 1,
        });
        if dangling > 0 {
            tracing::warn!(keys = dangling, "keys are attached to leases that do not exist");
        }
        self.replace(rows);
        Ok(())
    }

    /// Whether [`Lessor::recover`] could take over what is there.
    ///
    /// # Errors
    /// As with that.
    pub fn check(rows: &impl backend::Rows) -> Result<(), RecoverError> {
        Rows::read(rows).map(drop)
    }

    pub(super) fn replace(&self, rows: Rows) {
        self.demote();
        for (shard, rows) in self.shards.iter().zip(rows.shards) {
            let gone = std::mem::replace(&mut *shard.lock(), rows);
            // Freeing them takes its time: not with the lock.
            drop(gone);
        }
        self.gone.tell_all();
    }
}

/// Leases as a backend holds them.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) shards: [Shard; SHARDS],
}

impl Rows {
    fn read(backend: &impl backend::Rows) -> Result<Rows, RecoverError> {
        let mut rows = Rows::default();
        let mut result = Ok(());
        backend.each_row(Bucket::Lease, &mut |key, value| match rows.add(key, value) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                result = Err(error);
                ControlFlow::Break(())
            }
        })?;
        result.map(|()| rows)
    }

    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) -> Result<(), RecoverError> {
        let row = leasepb::Lease::decode(value).map_err(|source| RecoverError::Row {
            bucket: Bucket::Lease.name(),
            key: key.to_vec(),
            source,
        })?;
        self.shards[shard_of(row.id)].insert(row.id, Lease::new(row.ttl, row.remaining_ttl));
        Ok(())
    }
}
