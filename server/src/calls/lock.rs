//! `v3lockpb.Lock`: locks that live as long as a lease.

use bytes::Bytes;
use keyport_api::error::{Error, of_own_client};
use keyport_api::methods::Method;
use keyport_api::v3lockpb::{LockRequest, LockResponse, UnlockRequest, UnlockResponse};
use tonic::Status;

use super::line::Line;
use super::queue::Queue;
use crate::gate::{Caller, Pass};

/// See the module's text.
#[derive(Clone, Debug)]
pub struct Lock {
    queue: Queue,
}

impl Lock {
    pub(super) fn new(queue: Queue) -> Lock {
        Lock { queue }
    }

    /// The lines that they are made of.
    pub fn lines(&self) -> Line {
        Line::of_locks(self.queue.clone())
    }

    /// Waits for the lock. Dropping the future leaves the line.
    ///
    /// # Errors
    /// As the RPC.
    pub async fn lock(&self, caller: &Caller, request: LockRequest) -> Result<LockResponse, Status> {
        let gate = &self.queue.desk.gate;
        let pass = gate.admit(caller, Method::Lock)?;
        self.queue.count(&pass, &request.name)?;
        gate.end_of(&pass).unless_ended(async { self.acquire(&pass, request).await.map_err(of_own_client) }).await
    }

    /// # Errors
    /// As the RPC.
    pub async fn unlock(&self, caller: &Caller, request: UnlockRequest) -> Result<UnlockResponse, Status> {
        let pass = self.queue.desk.gate.admit(caller, Method::Unlock)?;
        self.queue.count_leaving(&pass, &request.key)?;
        let deleted = self.queue.delete(&pass, request.key).await.map_err(of_own_client)?;
        Ok(UnlockResponse { header: Some(deleted.header) })
    }

    async fn acquire(&self, pass: &Pass, request: LockRequest) -> Result<LockResponse, Error> {
        let place = self.queue.enter(pass, &request.name, request.lease, Bytes::new()).await?;
        let header = self.queue.wait_turn(pass, &request.name, &place).await?;
        if header.is_none() {
            return Err(Error::SessionExpired);
        }
        Ok(LockResponse { header, key: place.key })
    }
}
