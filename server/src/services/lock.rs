//! The `v3lockpb.Lock` service.

use keyport_api::etcdserverpb::RangeRequest;
use keyport_api::v3lockpb::lock_server::Lock;
use keyport_api::v3lockpb::{LockRequest, LockResponse, UnlockRequest, UnlockResponse};
use tonic::{Request, Response, Status};

use super::caller;
use super::queue::Queue;
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
}

#[tonic::async_trait]
impl Lock for LockService {
    async fn lock(&self, request: Request<LockRequest>) -> Result<Response<LockResponse>, Status> {
        caller::admit(self.queue.node(), request.metadata().as_ref())?;
        let request = request.into_inner();
        let place = self.queue.enter(&request.name, request.lease, bytes::Bytes::new()).await?;
        self.queue.wait_turn(&request.name, &place).await?;
        // The lease may have run out while waiting.
        let look = RangeRequest { key: place.key.clone(), ..RangeRequest::default() };
        let (header, found) = self.queue.kv().range_shared(look).await?;
        if found.records.is_empty() {
            return Err(Status::unknown("mutex: session is expired"));
        }
        Ok(Response::new(LockResponse { header: Some(header), key: place.key }))
    }

    async fn unlock(&self, request: Request<UnlockRequest>) -> Result<Response<UnlockResponse>, Status> {
        caller::admit(self.queue.node(), request.metadata().as_ref())?;
        let header = self.queue.delete(request.into_inner().key).await?.header;
        Ok(Response::new(UnlockResponse { header }))
    }
}
