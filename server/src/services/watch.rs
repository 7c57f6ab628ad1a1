//! The `etcdserverpb.Watch` service.

use keyport_api::etcdserverpb::watch_server::Watch;
use keyport_api::etcdserverpb::*;
use tonic::{Request, Response, Status, Streaming};

#[derive(Clone, Debug)]
pub struct WatchService {}

#[tonic::async_trait]
impl Watch for WatchService {
    type WatchStream = tokio_stream::Pending<Result<WatchResponse, Status>>;
    async fn watch(&self, _request: Request<Streaming<WatchRequest>>) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("not built yet"))
    }
}
