//! The `etcdserverpb.KV` service.

use keyport_api::etcdserverpb::kv_server::Kv;
use keyport_api::etcdserverpb::*;
use tonic::{Request, Response, Status};

#[derive(Clone, Debug)]
pub struct KvService {}

#[tonic::async_trait]
impl Kv for KvService {
    async fn range(&self, _request: Request<RangeRequest>) -> Result<Response<RangeResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    type RangeStreamStream = tokio_stream::Pending<Result<RangeStreamResponse, Status>>;
    async fn range_stream(&self, _request: Request<RangeRequest>) -> Result<Response<Self::RangeStreamStream>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    async fn put(&self, _request: Request<PutRequest>) -> Result<Response<PutResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    async fn delete_range(
        &self,
        _request: Request<DeleteRangeRequest>,
    ) -> Result<Response<DeleteRangeResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    async fn txn(&self, _request: Request<TxnRequest>) -> Result<Response<TxnResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    async fn compact(&self, _request: Request<CompactionRequest>) -> Result<Response<CompactionResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }
}
