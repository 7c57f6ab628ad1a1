//! The `v3lockpb.Lock` service.

use keyport_api::v3lockpb::lock_server::Lock;
use keyport_api::v3lockpb::*;
use tonic::{Request, Response, Status};

#[derive(Clone, Debug)]
pub struct LockService {}

#[tonic::async_trait]
impl Lock for LockService {
    async fn lock(&self, _request: Request<LockRequest>) -> Result<Response<LockResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    async fn unlock(&self, _request: Request<UnlockRequest>) -> Result<Response<UnlockResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }
}
