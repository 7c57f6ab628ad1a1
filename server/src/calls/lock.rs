//! The `v3lockpb.Lock` service.

use keyport_api::error::Error;
use keyport_api::etcdserverpb::RangeRequest;
use keyport_api::v3lockpb::lock_server::Lock;
use keyport_api::v3lockpb::{LockRequest, LockResponse, UnlockRequest, UnlockResponse};
use tonic::{Request, Response, Status};

use super::caller::{self, StreamEnd};
use super::queue::{self, Queue};
use crate::node::Node;

/// Locks that live as long as a lease.
#[derive(Clone, Debug)]
pub struct LockService {
    queue: Queue,
}

impl LockService {
    pub(crate) fn new(node: Node) -> LockService {
        LockService { queue: Queue::new(node) }
    }

    async fn acquire(&self, request: LockRequest) -> Result<LockResponse, Status> {
        let place = self.queue.enter(&request.name, request.lease, bytes::Bytes::new()).await.map_err(queue::status)?;
        if place.is_first {
            return Ok(LockResponse { header: place.header, key: place.key });
        }
        self.queue.wait_turn(&request.name, &place).await.map_err(queue::status)?;
        // The lease may have run out while waiting.
        let look = RangeRequest { key: place.key.clone(), ..RangeRequest::default() };
        let (header, found) = self.queue.kv().range_shared(look).await.map_err(queue::status)?;
        if found.records.is_empty() {
            return Err(Error::SessionExpired.into());
        }
        Ok(LockResponse { header: Some(header), key: place.key })
    }
}

#[tonic::async_trait]
impl Lock for LockService {
    async fn lock(&self, request: Request<LockRequest>) -> Result<Response<LockResponse>, Status> {
        let end = StreamEnd::admit(self.queue.node(), request.metadata().as_ref())?;
        end.unless_ended(self.acquire(request.into_inner())).await.map(Response::new)
    }

    async fn unlock(&self, request: Request<UnlockRequest>) -> Result<Response<UnlockResponse>, Status> {
        caller::admit(self.queue.node(), request.metadata().as_ref())?;
        let header = self.queue.delete(request.into_inner().key).await.map_err(queue::status)?.header;
        Ok(Response::new(UnlockResponse { header }))
    }
}
