//! The `etcdserverpb.Lease` service.

use keyport_api::etcdserverpb::lease_server::Lease;
use keyport_api::etcdserverpb::*;
use tonic::{Request, Response, Status, Streaming};

#[derive(Clone, Debug)]
pub struct LeaseService {}

#[tonic::async_trait]
impl Lease for LeaseService {
    async fn lease_grant(&self, _request: Request<LeaseGrantRequest>) -> Result<Response<LeaseGrantResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    async fn lease_revoke(
        &self,
        _request: Request<LeaseRevokeRequest>,
    ) -> Result<Response<LeaseRevokeResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    type LeaseKeepAliveStream = tokio_stream::Pending<Result<LeaseKeepAliveResponse, Status>>;
    async fn lease_keep_alive(
        &self,
        _request: Request<Streaming<LeaseKeepAliveRequest>>,
    ) -> Result<Response<Self::LeaseKeepAliveStream>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    async fn lease_time_to_live(
        &self,
        _request: Request<LeaseTimeToLiveRequest>,
    ) -> Result<Response<LeaseTimeToLiveResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    async fn lease_leases(
        &self,
        _request: Request<LeaseLeasesRequest>,
    ) -> Result<Response<LeaseLeasesResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }
}
